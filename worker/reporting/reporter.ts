import type { Progress } from '../../core/domain/progress.ts';
import type { RunSchedule } from '../../core/domain/run-schedule.ts';
import type { Metrics } from '../../core/telemetry/metrics.ts';
import type { Keeper } from '../line/keeper.ts';
import { faultOf, type Log } from '../log.ts';
import type { Backlogs } from './backlogs.ts';
import { repeat } from './repeat.ts';
import { daysSince, gateValues, runValues } from './values.ts';

export interface ReporterDeps {
  readonly keeper: Pick<Keeper, 'holdsLine' | 'gate'>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Reads the last runs, newest first. */
  readonly readRuns: () => Promise<readonly Progress[]>;
  readonly readBacklogs: () => Promise<Backlogs>;
  /** whether Temporal answers this worker, and takes its polls */
  readonly isTemporalReachable: () => boolean;
  /** Returns the durations of the syncs on demand that have ended since the last call. */
  readonly takeSyncDurationsMs: () => number[];
  /** for how long access entries of this worker have got no anchors */
  readonly readAnchorLagSeconds: () => Promise<number>;
  /** when the last check of all access logs was completed, ISO 8601 */
  readonly readAccessLogCheckedAt: () => Promise<string>;
  readonly schedule: RunSchedule;
  /** METRICS_INTERVAL_MS */
  readonly intervalMs: number;
}

/** Number of recent runs among which the last completed one is looked for. */
export const reportedRuns = 10;

/**
 * Emits this worker's metrics: its own syncs and access entries, whether it holds the line, and whether it reaches Temporal.
 * The worker that holds the line also emits the metrics of the line, the runs, the queues and the check of the access logs,
 * so that only one worker does. A value that cannot be read is not emitted;
 * alarms detect the missing metric.
 */
export function startReporter(deps: ReporterDeps): { stop(): Promise<void> } {
  const { keeper, metrics, log } = deps;
  const emitPart = async (what: string, emit: () => Promise<void>): Promise<void> => {
    await emit().catch((error: unknown) => log.warn('metrics not emitted', { what, fault: faultOf(error) }));
  };
  const stop = repeat(
    deps.intervalMs,
    () => keeper.holdsLine,
    async () => {
      const { holdsLine, gate } = keeper;
      metrics.emit({
        SyncOnDemandMs: deps.takeSyncDurationsMs(),
        LineHeld: holdsLine ? 1 : 0,
        TemporalReachable: deps.isTemporalReachable() ? 1 : 0,
      });
      const emitAnchors = emitPart('anchors', async () =>
        metrics.emit({ AnchorLagSeconds: await deps.readAnchorLagSeconds() }),
      );
      if (!holdsLine || gate === undefined) return await emitAnchors;
      metrics.emit(gateValues(gate, Date.now()));
      await Promise.all([
        emitAnchors,
        emitPart('check of the access logs', async () =>
          metrics.emit({ AccessLogCheckAgeDays: daysSince(await deps.readAccessLogCheckedAt(), Date.now()) }),
        ),
        emitPart('runs', async () => metrics.emit(runValues(await deps.readRuns(), deps.schedule, Date.now()))),
        emitPart('queues', async () => {
          for (const [taskQueue, count] of Object.entries(await deps.readBacklogs()))
            metrics.emit({ QueueBacklog: count }, { taskQueue });
        }),
      ]);
    },
  );
  return { stop };
}
