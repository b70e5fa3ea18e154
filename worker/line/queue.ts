import type { Clock } from '../../core/clock.ts';
import { type Priority, priorities } from '../../core/domain/line.ts';

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

/**
 * Creates the queue in front of the exchange (docs/explanation/the-line.md, "The queue"). It is not p-queue for two reasons.
 * p-queue treats a running task as ended when its signal aborts, while our socket is still open. And it picks the next task
 * before the line may send, so a person who comes during a pause would wait behind bulk.
 * @param whenReady resolves when a request may be sent; only then the next task is chosen. If it rejects, all waiting tasks
 *   reject with its reason
 */
export function createLineQueue(whenReady: () => Promise<void>, clock: Clock): LineQueue {
  const waiting: Record<Priority, Set<WaitingTask>> = { person: new Set(), list: new Set(), bulk: new Set() };
  let isServing = false;

  const firstWaiting = (): WaitingTask | undefined => {
    for (const priority of priorities) for (const first of waiting[priority]) return first;
    return undefined;
  };

  async function serve(): Promise<void> {
    if (isServing) return;
    isServing = true;
    try {
      while (firstWaiting() !== undefined) {
        await whenReady();
        await firstWaiting()?.begin();
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
        void serve();
      });
    },
  };
}
