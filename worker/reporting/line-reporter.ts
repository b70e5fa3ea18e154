import type { Metrics } from '../../core/telemetry/metrics.ts';
import type { LineStatistics } from '../line/line-statistics.ts';
import { faultValues, lineValues } from './values.ts';

export interface LineReporterDeps {
  readonly statistics: Pick<LineStatistics, 'take'>;
  readonly metrics: Metrics;
  /** whether the line is held and open: of one that is not, there is nothing to tell but what went over it before */
  readonly isOpen: () => boolean;
  /** METRICS_INTERVAL_MS */
  readonly intervalMs: number;
}

/** Tells what goes over the line, from the process that has its sockets. Ends with one last word. */
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
