import { expect, test } from 'vitest';
import { nextSyncPollMs } from './sync-polling.ts';

const now = Date.parse('2026-11-24T21:30:00.000Z');
const inMs = (ms: number): string => new Date(now + ms).toISOString();
const minute = 60_000;

test('a sync is read after 300 ms, then less often, and each minute once it has waited for one', () => {
  const after = (followedMs: number) => nextSyncPollMs({ state: 'open' }, followedMs, now);
  expect([0, 2_000, 30_000, minute - 1, minute, 60 * minute].map(after)).toEqual([
    300,
    1_000,
    10_000,
    10_000,
    minute,
    minute,
  ]);
});

test('while nothing is sent before a moment, a sync is read then, but after five minutes at most', () => {
  const intervals = [20_000, 3 * minute, 8 * 60 * minute, -5_000].map((ms) => {
    const until = inMs(ms);
    const cooldown = { reason: 'busy', since: inMs(-minute), until } as const;
    const lines = [{ state: 'paused', until } as const, { state: 'open', cooldown } as const];
    return lines.map((line) => nextSyncPollMs(line, 0, now));
  });
  expect(intervals).toEqual([
    [minute, 20_000], // after a short cooldown the answer is shown soon
    [3 * minute, 3 * minute],
    [5 * minute, 5 * minute],
    [minute, 300],
  ]);
  const cooldown = { reason: 'busy', since: inMs(0), until: inMs(5_000) } as const;
  expect(nextSyncPollMs({ state: 'open', cooldown }, 2 * minute, now)).toBe(minute);
  expect(nextSyncPollMs({ state: 'open', quietHours: { until: inMs(8 * 60 * minute) } }, 0, now)).toBe(5 * minute);
});

test('a sync waits for the last of several moments, and a line without an end is read each minute', () => {
  const quietHours = { until: inMs(4 * minute) };
  expect(nextSyncPollMs({ state: 'paused', until: inMs(2 * minute), quietHours }, 0, now)).toBe(4 * minute);
  expect(nextSyncPollMs({ state: 'paused' }, 0, now)).toBe(minute);
});

test('a sync that waits for a night of quiet hours, with its page open, is read fewer than a hundred times', () => {
  let reads = 0;
  const nightMs = 8 * 60 * minute;
  for (let ms = 0; ms < nightMs; reads += 1)
    ms += nextSyncPollMs({ state: 'open', quietHours: { until: inMs(nightMs) } }, ms, now + ms);
  expect(reads).toBeLessThan(100);
});
