import type { LineStatus } from './line-status.ts';

/** What the API says about the line of a sync in progress: until when nothing is sent, as ISO 8601. */
export interface LineOfSync extends Pick<LineStatus, 'state'> {
  readonly until?: string | undefined;
  readonly cooldown?: { readonly until: string } | undefined;
  readonly quietHours?: { readonly until: string } | undefined;
}

const firstSyncPollMs = 300;
const maxSyncPollMs = 10_000;
/** From a minute of waiting on, and while the line is paused. */
const waitingSyncPollMs = 60_000;
/** While it is known that nothing is sent before a moment. That moment can come earlier: an operator can resume the line. */
const longestSyncPollMs = 300_000;

/**
 * Returns the delay before the state of a sync in progress is read again, in milliseconds. It grows with the time for which
 * somebody has followed the sync, because each read is recorded in the access log, and costs billed actions.
 * @param nowMs epoch milliseconds, to compare with the moments of the line
 */
export function nextSyncPollMs(line: LineOfSync | undefined, followedMs: number, nowMs: number): number {
  const isPaused = line?.state === 'paused';
  const ends = [isPaused ? line.until : undefined, line?.quietHours?.until, line?.cooldown?.until];
  const endsMs = ends.filter((until) => until !== undefined).map((until) => Date.parse(until) - nowMs);
  const isWaiting = isPaused || followedMs >= waitingSyncPollMs;
  const usualMs = isWaiting ? waitingSyncPollMs : Math.min(maxSyncPollMs, Math.max(firstSyncPollMs, followedMs / 2));
  return Math.min(longestSyncPollMs, Math.max(usualMs, ...endsMs));
}
