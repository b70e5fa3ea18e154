import { type Client, isGrpcServiceError } from '@temporalio/client';
import { bulkTaskQueue, syncTaskQueue } from '../core/contract/names.ts';
import { isKnownBuild } from './deployment.ts';
import { faultOf, type Log } from './log.ts';
import { repeat } from './reporting/repeat.ts';

/**
 * What Temporal says about this worker's polls:
 * - `taken`: it knows the worker on its task queues
 * - `partial`: it knows the worker on some of them only
 * - `absent`: it knows the worker on none of them, or does not know its build
 * - `refused`: it refuses the question itself
 * - `unknown`: it does not answer
 */
export type Polls = 'taken' | 'partial' | 'absent' | 'refused' | 'unknown';

export interface TemporalWatch {
  /** whether Temporal answered the last check, and takes the polls */
  readonly isReachable: boolean;
  /**
   * Becomes true after a minute in which Temporal refuses the question, or has never known the worker since its start. A
   * worker that was known once stays well: it is not proved that Temporal shows every poller of a queue with partitions,
   * and ECS would replace healthy workers. An outage of Temporal does not count.
   */
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
  let wasKnown = false;
  let refusedSinceMs: number | undefined;
  const stop = repeat(
    intervalMs,
    () => true,
    async () => {
      const before = polls;
      polls = await readPolls();
      wasKnown ||= polls === 'taken' || polls === 'partial';
      const isRefused = polls === 'refused' || (polls === 'absent' && !wasKnown);
      refusedSinceMs = isRefused ? (refusedSinceMs ?? nowMs()) : undefined;
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

/** gRPC status codes with which Temporal refuses a caller or a namespace: a new attempt gets the same answer. */
const refusals: ReadonlySet<number> = new Set([5, 7, 16]); // NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED
/** TaskQueueType, temporal.api.enums.v1 */
const workflowTasks = 1;
const activityTasks = 2;

/** A task queue that the main process of a worker polls. */
interface PolledQueue {
  readonly name: string;
  readonly type: number;
  /** whether the worker may stop polling for minutes, while all its slots are in use */
  readonly mayRest: boolean;
}

/** The queues of the line are missing: their process polls only while it holds the line and the line is open. */
const polledQueues: readonly PolledQueue[] = [
  { name: syncTaskQueue, type: workflowTasks, mayRest: false },
  { name: syncTaskQueue, type: activityTasks, mayRest: true },
  { name: bulkTaskQueue, type: activityTasks, mayRest: true },
];

/**
 * Returns a function that asks Temporal for the polls of the last five minutes on the queues of a worker. It never throws. On a
 * queue on which the worker may rest, it has to be seen once.
 * @param identity of the worker; both workers of the process have the same
 * @param buildId Temporal shows pollers of a build that it refuses because there are too many; so the build must be known, too
 */
export function createPollReader(
  { client, identity, buildId }: { readonly client: Client; readonly identity: string; readonly buildId?: string },
  log: Log,
): () => Promise<Polls> {
  const { namespace } = client.options;
  const seen = new Set<PolledQueue>();
  let isBuildKnown = false;
  let absentBefore = '';
  const isPolled = async ({ name, type }: PolledQueue): Promise<boolean> => {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name },
      taskQueueType: type,
    });
    return pollers?.some((poller) => poller.identity === identity) === true;
  };
  return async () => {
    try {
      const asked = polledQueues.filter((queue) => !(queue.mayRest && seen.has(queue)));
      const [isKnown, ...polled] = await client.connection.withDeadline(Date.now() + answerTimeoutMs, () =>
        Promise.all([isBuildKnown || isKnownBuild(client, buildId), ...asked.map(isPolled)]),
      );
      isBuildKnown = isKnown;
      if (!isBuildKnown) return 'absent';
      for (const [index, queue] of asked.entries()) if (polled[index]) seen.add(queue);
      const names = asked.filter((_, index) => !polled[index]).map(({ name }) => name);
      const absent = [...new Set(names)].join(', ');
      if (absent !== absentBefore && absent !== '') log.warn('worker not known on task queues', { queues: absent });
      absentBefore = absent;
      if (absent === '') return 'taken';
      return polled.includes(true) ? 'partial' : 'absent';
    } catch (error) {
      log.warn('Temporal not checked', { fault: faultOf(error) });
      return isGrpcServiceError(error) && refusals.has(error.code) ? 'refused' : 'unknown';
    }
  };
}
