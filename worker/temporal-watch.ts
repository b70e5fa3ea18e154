import { type Client, isGrpcServiceError } from '@temporalio/client';
import { syncTaskQueue } from '../core/contract/names.ts';
import { faultOf, type Log } from './log.ts';
import { repeat } from './reporting/repeat.ts';

/** What Temporal does with this worker's polls: it takes them, it refuses them, or it does not answer. */
export type Polls = 'taken' | 'refused' | 'unknown';

export interface TemporalWatch {
  /** whether Temporal answered the last check, and takes the polls */
  readonly isReachable: boolean;
  /** Becomes true after a minute of refused polls. An outage of Temporal does not count. */
  readonly isRefused: boolean;
  stop(): Promise<void>;
}

/** Interval in milliseconds between two checks. */
const checkMs = 10_000;
const answerTimeoutMs = 5_000;
/** Time in milliseconds for which polls may be refused: Temporal knows a new worker after some seconds. */
const refusedMaxMs = 60_000;

/**
 * Watches whether Temporal takes the polls of a worker. The SDK repeats a refused poll for ever in some cases, such as too
 * many versions of the deployment, and the worker looks well meanwhile.
 * @param readPolls asks Temporal; `nowMs` and `intervalMs` are for tests
 */
export function watchTemporal(
  readPolls: () => Promise<Polls>,
  log: Log,
  { nowMs = () => performance.now(), intervalMs = checkMs } = {},
): TemporalWatch {
  let polls: Polls = 'unknown';
  let refusedSinceMs: number | undefined;
  const stop = repeat(
    intervalMs,
    () => true,
    async () => {
      const before = polls;
      polls = await readPolls();
      refusedSinceMs = polls === 'refused' ? (refusedSinceMs ?? nowMs()) : undefined;
      if (polls !== before) log.info('polls of Temporal', { polls });
    },
  );
  return {
    get isReachable() {
      return polls === 'taken';
    },
    get isRefused() {
      return refusedSinceMs !== undefined && nowMs() - refusedSinceMs >= refusedMaxMs;
    },
    stop,
  };
}

/** gRPC status codes with which Temporal refuses a caller, a namespace or a version: a new attempt gets the same answer. */
const refusals: ReadonlySet<number> = new Set([3, 5, 7, 9, 16]); // INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED
/** TaskQueueType, temporal.api.enums.v1 */
const workflowTasks = 1;

/**
 * Asks Temporal for the polls of the last five minutes on the queue `sync`. Never throws.
 * @param identity of the worker
 */
export async function readPollsOf(client: Client, identity: string, log: Log): Promise<Polls> {
  const { namespace } = client.options;
  try {
    const { pollers } = await client.connection.withDeadline(Date.now() + answerTimeoutMs, () =>
      client.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: syncTaskQueue },
        taskQueueType: workflowTasks,
      }),
    );
    return pollers?.some((poller) => poller.identity === identity) ? 'taken' : 'refused';
  } catch (error) {
    log.warn('Temporal not checked', { fault: faultOf(error) });
    return isGrpcServiceError(error) && refusals.has(error.code) ? 'refused' : 'unknown';
  }
}
