import { type Clock, systemClock } from '../../core/clock.ts';
import { quietHoursOf } from '../../core/domain/quiet-hours.ts';
import { connectionsVia, type OpenConnection } from './insurer-connection.ts';
import type { KeeperChannel } from './keeper-channel.ts';
import { connectToKeeper } from './keeper-connection.ts';
import { type Line, openLine } from './line.ts';
import { createLineStatistics, type LineStatistics } from './line-statistics.ts';
import { createQuietTime, type QuietTime } from './quiet-time.ts';
import type { SendPermit, SendPermitOptions } from './send-permit.ts';

/** A Temporal worker that takes tasks of the line; the SDK's Worker implements it. */
export interface TaskWorker {
  /** Resolves once the worker has shut down and all its tasks have ended. */
  run(): Promise<void>;
  getState(): string;
  shutdown(): void;
}

/** What the workers of the line process need. */
export interface LineParts {
  readonly line: Pick<Line, 'perform'>;
  readonly permit: SendPermit;
  readonly statistics: LineStatistics;
  readonly quietTime: QuietTime;
}

export interface LineProcessOptions {
  readonly config: {
    readonly INSURER_BASE_URL: string;
    readonly PAUSE_GRACE_MS: number;
    readonly LINE_MIN_GAP_MS: number;
    readonly LINE_STALL_MS: number;
    readonly INSURER_CLIENT_CERT?: string | undefined;
    readonly INSURER_CLIENT_KEY?: string | undefined;
    readonly INSURER_CA?: string | undefined;
    readonly INSURER_PROXY_URL?: string | undefined;
    readonly LINE_QUIET_HOURS: string;
    readonly LINE_QUIET_HOURS_PEOPLE: 'go' | 'wait';
  };
  readonly writeCooldown: SendPermitOptions['writeCooldown'];
  readonly createWorkers: (parts: LineParts) => Promise<readonly TaskWorker[]>;
  readonly clock?: Clock;
  readonly channel?: KeeperChannel;
  readonly openConnection?: OpenConnection;
}

/**
 * Runs the line process. It reports ready once its workers exist, and takes tasks while it may send. It stops on the keeper's
 * order, or when tasks wait while another process has the lease. Resolves once all tasks have ended and no socket is open.
 */
export async function runLineProcess(options: LineProcessOptions): Promise<void> {
  const { config, writeCooldown, createWorkers, clock = systemClock, channel } = options;
  const workers: TaskWorker[] = [];
  let isStopping = false;
  const { permit, ready } = connectToKeeper({
    writeCooldown,
    pauseGraceMs: config.PAUSE_GRACE_MS,
    lineMinGapMs: config.LINE_MIN_GAP_MS,
    clock,
    ...(channel && { channel }),
    onStop: () => {
      isStopping = true;
      line.stop();
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  });
  const statistics = createLineStatistics(() => clock.monotonicMs());
  const quietTime = createQuietTime(quietHoursOf(config.LINE_QUIET_HOURS), config.LINE_QUIET_HOURS_PEOPLE, clock);
  const line = openLine({
    statistics,
    quietTime,
    origin: new URL(config.INSURER_BASE_URL).origin,
    permit: permit,
    stallMs: config.LINE_STALL_MS,
    clock,
    openConnection:
      options.openConnection ??
      connectionsVia({
        cert: config.INSURER_CLIENT_CERT,
        key: config.INSURER_CLIENT_KEY,
        ca: config.INSURER_CA,
        proxyUrl: config.INSURER_PROXY_URL,
      }),
  });
  workers.push(...(await createWorkers({ line, permit, statistics, quietTime })));
  const running = Promise.all(workers.map((worker) => worker.run()));
  if (isStopping) for (const worker of workers) worker.shutdown();
  else ready();
  await running;
  await line.close();
}
