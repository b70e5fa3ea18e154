import { expect, test, vi } from 'vitest';
import { createLog } from './log.ts';
import { type Polls, watchTemporal } from './temporal-watch.ts';

/** Plays answers of Temporal, one every ten seconds. Returns whether the worker is refused after each, and reachable at the end. */
async function play(answers: readonly Polls[]) {
  vi.useFakeTimers();
  let polls: Polls = 'unknown';
  const clock = { nowMs: 0 };
  const watch = watchTemporal(
    async () => polls,
    createLog('worker', () => {}),
    { nowMs: () => clock.nowMs, intervalMs: 10 },
  );
  const refused: boolean[] = [];
  for (const answer of answers) {
    polls = answer;
    clock.nowMs += 10_000;
    await vi.advanceTimersByTimeAsync(10);
    refused.push(watch.isRefused);
  }
  const { isReachable } = watch;
  vi.useRealTimers();
  await watch.stop();
  return { refused, isReachable };
}

test('a worker whose polls are refused for a minute is not well', async () => {
  const { refused, isReachable } = await play(Array<Polls>(8).fill('refused'));
  expect(refused).toEqual([false, false, false, false, false, false, true, true]);
  expect(isReachable).toBe(false);
});

test('an outage of Temporal makes no worker unwell, and neither does a start of some seconds', async () => {
  const outage = await play(['taken', ...Array<Polls>(20).fill('unknown')]);
  expect(outage).toEqual({ refused: Array<boolean>(21).fill(false), isReachable: false });
  const start = await play(['unknown', 'refused', 'refused', 'refused', 'taken', 'taken', 'taken', 'taken', 'refused']);
  expect(start.refused).toEqual(Array<boolean>(9).fill(false));
});

test('a worker whose polls are taken again is well', async () => {
  const { refused, isReachable } = await play([...Array<Polls>(8).fill('refused'), 'taken']);
  expect(refused.slice(-2)).toEqual([true, false]);
  expect(isReachable).toBe(true);
});
