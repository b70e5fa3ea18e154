import type { Clock } from '../../core/clock.ts';
import { type Priority, priorities } from '../../core/domain/line.ts';

export interface LineQueue {
  /**
   * Runs a task when its turn has come: a person before the list before bulk, first come first served within each. One
   * task at a time; the next begins once the last has settled.
   * @param signal gives the place up while it waits (rejects with the signal's reason at once); has no effect on a task
   *   that runs, which is told by other means and settles when its socket is closed
   */
  run<T>(priority: Priority, signal: AbortSignal, task: () => Promise<T>): Promise<T>;
}

/** Somebody's place in the queue: their task, and how they are told that it will never come to it. */
interface Place {
  readonly begin: () => Promise<void>;
  readonly reject: (reason: unknown) => void;
}

/**
 * One queue in front of one exchange (docs/explanation/the-line.md, "The queue"). Not p-queue: it takes a running task for ended as soon
 * as its signal aborts, while our socket is still open, and it picks the next task before the line is free to send, so
 * that a person who comes during a pause would wait behind bulk.
 * @param ready resolves when something may be sent; only then it is decided whose turn it is. When it rejects, nothing
 *   ever will be, and everyone who waits is told
 */
export function createLineQueue(ready: () => Promise<void>, clock: Clock): LineQueue {
  const places: Record<Priority, Set<Place>> = { person: new Set(), list: new Set(), bulk: new Set() };
  let isServing = false;

  const next = (): Place | undefined => {
    for (const priority of priorities) for (const place of places[priority]) return place;
    return undefined;
  };

  async function serve(): Promise<void> {
    if (isServing) return;
    isServing = true;
    try {
      while (next() !== undefined) {
        await ready();
        await next()?.begin();
        await new Promise<void>(clock.afterReading); // lets a failed caller queue again before the next one is chosen
      }
    } catch (reason) {
      for (const priority of priorities) for (const place of places[priority]) place.reject(reason);
    } finally {
      isServing = false;
    }
  }

  return {
    async run(priority, signal, task) {
      signal.throwIfAborted();
      return await new Promise((resolve, reject) => {
        const leave = (): void => {
          places[priority].delete(place);
          signal.removeEventListener('abort', giveUp);
        };
        const place: Place = {
          begin: async () => {
            leave();
            await task().then(resolve, reject);
          },
          reject: (reason) => {
            leave();
            reject(reason);
          },
        };
        const giveUp = (): void => place.reject(signal.reason);
        signal.addEventListener('abort', giveUp, { once: true });
        places[priority].add(place);
        void serve();
      });
    },
  };
}
