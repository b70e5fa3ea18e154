import { expect, test } from 'vitest';
import {
  type AskedProgress,
  answeredProgress,
  askMs,
  chooseProgress,
  freshProgress,
  type LiveProgress,
} from './live-progress.ts';
import type { Progress } from './progress.ts';
import { progressOf, startRun } from './run.ts';

const running = progressOf(startRun('run-1', 0), { state: 'open', busy: true }, 0);
const ended: Progress = { ...running, state: 'completed' };
const minute = 60_000;

/** Looks at a run each second of a time, as one open tab does. Returns how often Temporal is asked, and what is stale. */
function watch(
  forMs: number,
  worker: (nowMs: number) => {
    readonly live?: LiveProgress;
    readonly isThere?: boolean;
    readonly answers: boolean | 'not-running';
  },
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
      if (choose().next === 'ask') {
        questions += 1;
        const answer = answers === true ? running : answers || 'no-answer';
        asked = { ...asked, ...answeredProgress({ live, asked }, answer, isThere, nowMs), claimedAtMs: nowMs };
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
  expect(chooseProgress({ live, asked: { commandAtMs: nowMs - 400 } }, running, true, nowMs).next).toBe('ask');
  expect(chooseProgress({ live }, ended, true, nowMs)).toEqual({ progress: ended, next: 'show' });
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
    next: 'show',
  });
  expect(chooseProgress({ asked: { ...asked, answer: 'not-running' } }, ended, false, nowMs).progress).toBe(ended);
});

test('a run that cannot answer while its worker is there is asked six more times quickly, then each 90 s', () => {
  const silent = () => ({ isThere: true, answers: false });
  expect(watch(minute + 1_000, silent).questions).toBe(7);
  expect(watch(16 * minute + 1_000, silent).questions).toBe(7 + 10);
  expect(watch(30 * 24 * 60 * minute, silent).questions).toBeLessThan(30_000);
});

test('each change of the lease begins with quick questions again, however often the answer was the same', () => {
  const leaseIsBackAtMs = 10 * minute + 60 * minute;
  const { questions } = watch(61 * minute + 1_000, (nowMs) => ({ isThere: nowMs >= leaseIsBackAtMs, answers: false }));
  expect(questions).toBe(40 + 7);
});

test('a terminated run is asked about each hour, and a start is asked about immediately', () => {
  const terminated = () => ({ isThere: true, answers: 'not-running' as const });
  expect(watch(24 * 60 * minute, terminated)).toEqual({ questions: 24, staleFromMs: [0], isStale: true });
  expect(watch(10 * minute, terminated, 15 * minute).questions).toBe(2);
});

test('while somebody asks about a command, another viewer waits, and gets nothing old as if it were new', () => {
  const nowMs = 20 * minute;
  const asked = { commandAtMs: nowMs - 500, claimedAtMs: nowMs - 400 };
  const live = { progress: ended, savedAtMs: nowMs - 60_000 };
  const stale = { ...ended, stale: true };
  expect(chooseProgress({ live, asked }, ended, true, nowMs)).toEqual({ progress: stale, next: 'wait' });
  expect(chooseProgress({ asked }, undefined, true, nowMs)).toEqual({ progress: undefined, next: 'wait' });
  const seen = { progress: running, savedAtMs: nowMs - 60_000 }; // before a cancellation
  expect(chooseProgress({ live: seen, asked }, running, true, nowMs).progress?.stale).toBe(true);
  expect(chooseProgress({ live: seen, asked }, running, true, nowMs + 5_000).next).toBe('ask'); // the asker has died
});

test('a claim lasts as long as the question that it is for', () => {
  const nowMs = 20 * minute;
  const nextAfter = (ms: number) => chooseProgress({ asked: { claimedAtMs: nowMs } }, running, true, nowMs + ms).next;
  expect([askMs, askMs + 1_900, askMs + 2_000].map(nextAfter)).toEqual(['show', 'show', 'ask']);
});

test('the end of a run that a worker has written is shown before it is stored, and nothing is asked', () => {
  const nowMs = 20 * minute;
  const live = { progress: ended, savedAtMs: nowMs - 100 };
  expect(chooseProgress({ live }, running, true, nowMs)).toEqual({ progress: ended, next: 'show' });
});

test('the end of a run says nothing about the next one, which is stale until somebody has answered', () => {
  const nowMs = 20 * minute;
  const live = { progress: ended, savedAtMs: nowMs - 100 };
  const nextRun = { ...running, runId: 'run-2' };
  expect(chooseProgress({ live }, nextRun, true, nowMs)).toEqual({
    progress: { ...nextRun, stale: true },
    next: 'ask',
  });
});
