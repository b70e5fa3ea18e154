import type { Progress } from '../../core/domain/progress.ts';
import type { RunSchedule } from '../../core/domain/run-schedule.ts';
import type { Metrics } from '../../core/telemetry/metrics.ts';
import type { Keeper } from '../line/keeper.ts';
import { faultOf, type Log } from '../log.ts';
import type { Backlogs } from './backlogs.ts';
import { repeat } from './every.ts';
import { gateValues, runValues } from './values.ts';

export interface ReporterDeps {
  readonly keeper: Pick<Keeper, 'holding' | 'gate'>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** the last runs, newest first */
  readonly readRuns: () => Promise<readonly Progress[]>;
  readonly readBacklogs: () => Promise<Backlogs>;
  /** how long the syncs on demand took that have ended since this was asked last */
  readonly takeSyncDurationsMs: () => number[];
  readonly schedule: RunSchedule;
  /** METRICS_INTERVAL_MS */
  readonly intervalMs: number;
}

/** So many runs back a completed one is looked for. */
export const reportedRuns = 10;

/**
 * Tells this worker's metrics: what it has done itself, whether it holds the line, and, as long as it does, what is true of the line, the runs
 * and the queues, so that of all workers one tells it. What cannot be read is not told: a metric that is missing says so.
 */
export function startReporter(deps: ReporterDeps): { stop(): Promise<void> } {
  const { keeper, metrics, log } = deps;
  const part = async (what: string, tell: () => Promise<void>): Promise<void> => {
    await tell().catch((error: unknown) => log.warn('metrics not told', { what, fault: faultOf(error) }));
  };
  const stop = repeat(
    deps.intervalMs,
    () => keeper.holding,
    async () => {
      const { holding, gate } = keeper;
      metrics.emit({ SyncOnDemandMs: deps.takeSyncDurationsMs(), LineHeld: holding ? 1 : 0 });
      if (!holding || gate === undefined) return;
      metrics.emit(gateValues(gate, Date.now()));
      await Promise.all([
        part('runs', async () => metrics.emit(runValues(await deps.readRuns(), deps.schedule, Date.now()))),
        part('queues', async () => {
          for (const [taskQueue, count] of Object.entries(await deps.readBacklogs()))
            metrics.emit({ QueueBacklog: count }, { taskQueue });
        }),
      ]);
    },
  );
  return { stop };
}
