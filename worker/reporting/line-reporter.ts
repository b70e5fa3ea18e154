import type { Metrics } from '../../core/telemetry/metrics.ts';
import type { LineStatistics } from '../line/line-statistics.ts';
import { faultValues, lineValues } from './values.ts';

export interface LineReporterDeps {
  readonly meter: Pick<LineStatistics, 'take'>;
  readonly metrics: Metrics;
  /** whether the line is held and open: of one that is not, there is nothing to tell but what went over it before */
  readonly isOpen: () => boolean;
  /** METRICS_INTERVAL_MS */
  readonly everyMs: number;
}

/** Tells what goes over the line, from the process that has its sockets. Ends with one last word. */
export function startLineReporter({ meter, metrics, isOpen, everyMs }: LineReporterDeps): { stop(): void } {
  const report = (): void => {
    const measured = meter.take();
    if (!isOpen() && measured.requests === 0) return;
    metrics.emit(lineValues(measured));
    for (const [fault, values] of faultValues(measured)) metrics.emit(values, { fault });
  };
  const timer = setInterval(report, everyMs);
  return {
    stop() {
      clearInterval(timer);
      report();
    },
  };
}
