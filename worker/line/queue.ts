import { type Clock, sleep } from '../../core/clock.ts';
import { type Priority, priorities } from '../../core/domain/line.ts';
import { neverQuiet, type QuietTime } from './quiet-time.ts';

export interface LineQueue {
  /**
   * Runs tasks one at a time: people first, then the list, then bulk, and first come first served within each priority. The
   * next task begins once the last has settled.
   * @param signal removes a waiting task, which then rejects immediately with the signal's reason. It has no effect on a running
   *   task, which gets the signal by other means and settles once its socket is closed
   */
  run<T>(priority: Priority, signal: AbortSignal, task: () => Promise<T>): Promise<T>;
}

/** A task that waits. */
interface WaitingTask {
  readonly begin: () => Promise<void>;
  readonly reject: (reason: unknown) => void;
}

/** Longest wait in ms until the wall clock is read again, because it may be set. */
const quietPollMs = 1_000;

/**
 * Creates the queue in front of the exchange (docs/explanation/the-line.md, "The queue"). It is not p-queue for two reasons.
 * p-queue treats a running task as ended when its signal aborts, while our socket is still open. And it picks the next task
 * before the line may send, so a person who comes during a pause would wait behind bulk.
 * @param whenReady resolves when a request may be sent; only then the next task is chosen. If it rejects, all waiting tasks
 *   reject with its reason
 * @param quietTime keeps tasks waiting in quiet hours, while others pass them
 * @param stopping aborts a wait for the end of quiet hours; all waiting tasks then reject with its reason
 */
export function createLineQueue(
  whenReady: () => Promise<void>,
  clock: Clock,
  quietTime: QuietTime = neverQuiet,
  stopping?: AbortSignal,
): LineQueue {
  const waiting: Record<Priority, Set<WaitingTask>> = { person: new Set(), list: new Set(), bulk: new Set() };
  let isServing = false;
  let joined = Promise.withResolvers<void>();

  const firstWaiting = (): WaitingTask | undefined => {
    for (const priority of priorities)
      for (const first of waiting[priority]) if (quietTime(priority) === 0) return first;
    return undefined;
  };
  const isAnyWaiting = (): boolean => priorities.some((priority) => waiting[priority].size > 0);

  /** Waits until the quiet hours may be over, or another task has joined. */
  async function whenLessQuiet(): Promise<void> {
    const waitsMs = priorities.filter((priority) => waiting[priority].size > 0).map(quietTime);
    await Promise.race([sleep(clock, Math.min(quietPollMs, ...waitsMs), stopping), joined.promise]);
  }

  async function serve(): Promise<void> {
    if (isServing) return;
    isServing = true;
    try {
      while (isAnyWaiting()) {
        joined = Promise.withResolvers();
        await whenReady();
        const first = firstWaiting();
        if (first === undefined) await whenLessQuiet();
        else await first.begin();
        await new Promise<void>(clock.afterReading); // lets a caller that failed queue again before the next task is chosen
      }
    } catch (reason) {
      for (const priority of priorities) for (const each of waiting[priority]) each.reject(reason);
    } finally {
      isServing = false;
    }
  }

  return {
    async run(priority, signal, task) {
      signal.throwIfAborted();
      return await new Promise((resolve, reject) => {
        const leave = (): void => {
          waiting[priority].delete(own);
          signal.removeEventListener('abort', giveUp);
        };
        const own: WaitingTask = {
          begin: async () => {
            leave();
            await task().then(resolve, reject);
          },
          reject: (reason) => {
            leave();
            reject(reason);
          },
        };
        const giveUp = (): void => own.reject(signal.reason);
        signal.addEventListener('abort', giveUp, { once: true });
        waiting[priority].add(own);
        joined.resolve();
        void serve();
      });
    },
  };
}
