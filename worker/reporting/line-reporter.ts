import type { Metrics } from '../../core/telemetry/metrics.ts';
import type { LineStatistics } from '../line/line-statistics.ts';
import { faultValues, lineValues } from './values.ts';

export interface LineReporterDeps {
  readonly statistics: Pick<LineStatistics, 'take'>;
  readonly metrics: Metrics;
  /** whether this process holds the line and the line is open; otherwise only earlier requests are reported */
  readonly isOpen: () => boolean;
  /** METRICS_INTERVAL_MS */
  readonly intervalMs: number;
}

/** Emits the metrics of the line, from the process that holds its sockets. `stop` emits them a last time. */
export function startLineReporter({ statistics, metrics, isOpen, intervalMs }: LineReporterDeps): { stop(): void } {
  const report = (): void => {
    const measured = statistics.take();
    if (!isOpen() && measured.requests === 0) return;
    metrics.emit(lineValues(measured));
    for (const [fault, values] of faultValues(measured)) metrics.emit(values, { fault });
  };
  const timer = setInterval(report, intervalMs);
  return {
    stop() {
      clearInterval(timer);
      report();
    },
  };
}
