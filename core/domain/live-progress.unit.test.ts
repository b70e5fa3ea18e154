import { expect, test } from 'vitest';
import { type AskedProgress, chooseProgress, freshProgress, type LiveProgress } from './live-progress.ts';
import type { Progress } from './progress.ts';
import { progressOf, startRun } from './run.ts';

const running = progressOf(startRun('run-1', 0), { state: 'open', busy: true }, 0);
const ended: Progress = { ...running, state: 'completed' };
const minute = 60_000;

/** Looks at a run each second of a time, as one open tab does. Returns how often Temporal is asked, and what is stale. */
function watch(
  forMs: number,
  worker: (nowMs: number) => { readonly live?: LiveProgress; readonly isThere?: boolean; readonly answers: boolean },
  commandAtMs?: number,
) {
  let asked: AskedProgress = {};
  let questions = 0;
  const staleFromMs: number[] = [];
  let wasStale = false;
  for (let nowMs = 10 * minute; nowMs < 10 * minute + forMs; nowMs += 1_000) {
    const { live, isThere, answers } = worker(nowMs);
    if (commandAtMs !== undefined && nowMs >= commandAtMs) asked = { ...asked, commandAtMs };
    const choose = () => chooseProgress({ live, asked }, running, isThere, nowMs);
    let stale = false;
    if (freshProgress({ live, asked }, isThere, nowMs) === undefined) {
      if (choose().isAskDue) {
        questions += 1;
        const seen = answers && { progress: running, progressAtMs: nowMs };
        asked = { ...asked, ...seen, answer: answers ? 'running' : 'no-answer', askedAtMs: nowMs, claimedAtMs: nowMs };
      }
      stale = choose().progress?.stale ?? false;
    }
    if (stale && !wasStale) staleFromMs.push(nowMs - 10 * minute);
    wasStale = stale;
  }
  return { questions, staleFromMs, isStale: wasStale };
}

test('a tab that is open for a month asks fewer than 30 000 times, even if a run waits for an operator all the time', () => {
  const { questions, staleFromMs } = watch(30 * 24 * 60 * minute, () => ({ isThere: true, answers: true }));
  expect(questions).toBeLessThan(30_000);
  expect(staleFromMs).toEqual([]);
});

test('while a worker writes each second, nothing is asked', () => {
  expect(
    watch(60 * minute, (nowMs) => ({ live: { progress: running, savedAtMs: nowMs }, isThere: true, answers: true })),
  ).toEqual({ questions: 0, staleFromMs: [], isStale: false });
});

test('a worker that dies is noticed with its lease, and one that comes back within ten seconds', () => {
  const diesAtMs = 11 * minute;
  const leaseMs = 10_000;
  const { staleFromMs, questions, isStale } = watch(10 * minute, (nowMs) => {
    const isBack = nowMs >= diesAtMs + 5 * minute;
    return {
      live: { progress: running, savedAtMs: Math.min(nowMs, diesAtMs) },
      isThere: isBack || nowMs < diesAtMs + leaseMs,
      answers: isBack || nowMs < diesAtMs,
    };
  });
  expect(staleFromMs).toEqual([minute + leaseMs]);
  expect(isStale).toBe(false);
  expect(questions).toBeLessThan(12);
});

test('a command is seen by the next look, and the end of a run too', () => {
  const nowMs = 20 * minute;
  const live = { progress: running, savedAtMs: nowMs - 500 };
  expect(freshProgress({ live, asked: { commandAtMs: nowMs - 400 } }, true, nowMs)).toBeUndefined();
  expect(chooseProgress({ live, asked: { commandAtMs: nowMs - 400 } }, running, true, nowMs).isAskDue).toBe(true);
  expect(chooseProgress({ live }, ended, true, nowMs)).toEqual({ progress: ended, isAskDue: false });
});

test('a start that no worker has taken up makes the run before stale', () => {
  const nowMs = 20 * minute;
  const asked = {
    commandAtMs: nowMs - 9_000,
    claimedAtMs: nowMs - 8_000,
    askedAtMs: nowMs - 8_000,
    answer: 'no-answer',
  } as const;
  expect(chooseProgress({ asked }, ended, false, nowMs)).toEqual({
    progress: { ...ended, stale: true },
    isAskDue: false,
  });
  expect(chooseProgress({ asked: { ...asked, answer: 'not-running' } }, ended, false, nowMs).progress).toBe(ended);
});
