import type { SyncNow } from './types.ts';

/** The part of a query's state that polling needs. */
interface PolledQuery {
  readonly state: {
    readonly status: 'pending' | 'error' | 'success';
    /** Epoch milliseconds of the last answer; 0 before the first. */
    readonly dataUpdatedAt: number;
    readonly errorUpdatedAt: number;
    readonly errorUpdateCount: number;
  };
}

const maxPollMs = 30_000;

const firstSyncPollMs = 300;
const maxSyncPollMs = 10_000;
/** From a minute of waiting on, and while the line is paused. */
const waitingSyncPollMs = 60_000;
/** While it is known that nothing is sent before a moment. That moment can come earlier: an operator can resume the line. */
const longestSyncPollMs = 300_000;

/**
 * Returns the delay before the state of a sync in progress is read again, in milliseconds. It grows with the time for which
 * the page has followed the sync, because each read is recorded in the access log, and costs billed actions.
 * @param nowMs epoch milliseconds, to compare with the moments of the line
 */
export function nextSyncPollMs(line: SyncNow['line'], followedMs: number, nowMs: number): number {
  const isPaused = line?.state === 'paused';
  const ends = [isPaused ? line.until : undefined, line?.quietHours?.until, line?.cooldown?.until];
  const endsMs = ends.filter((until) => until !== undefined).map((until) => Date.parse(until) - nowMs);
  const isWaiting = isPaused || followedMs >= waitingSyncPollMs;
  const usualMs = isWaiting ? waitingSyncPollMs : Math.min(maxSyncPollMs, Math.max(firstSyncPollMs, followedMs / 2));
  return Math.min(longestSyncPollMs, Math.max(usualMs, ...endsMs));
}

/**
 * Returns the delay before the next poll, in milliseconds. While the API answers, this is `intervalMs`. Otherwise it is a
 * third of the time since the last answer, so that an API in trouble gets fewer and fewer requests.
 */
export function nextPollMs({ state }: PolledQuery, intervalMs: number): number {
  if (state.status !== 'error') return intervalMs;
  const silentMs =
    state.dataUpdatedAt === 0 ? state.errorUpdateCount * intervalMs : state.errorUpdatedAt - state.dataUpdatedAt;
  return Math.min(maxPollMs, Math.max(intervalMs, silentMs / 3));
}
