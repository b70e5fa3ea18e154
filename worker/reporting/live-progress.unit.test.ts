import type { WorkflowInfo } from '@temporalio/workflow';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Progress } from '../../core/domain/progress.ts';
import { progressOf, startRun } from '../../core/domain/run.ts';
import { createProgressSinks } from './live-progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const running = progressOf(startRun('run-1', 0), { state: 'open', busy: true }, 0);
const doneOf = (done: number): Progress => ({ ...running, careRecords: { ...running.careRecords, done } });
const ended: Progress = { ...running, state: 'completed' };

/** Opens a sink on a store that fails while `isAway` returns true. */
function open(isAway: () => boolean = () => false, saveMs = 0) {
  const saved: Progress[] = [];
  let attempts = 0;
  const warn = vi.fn();
  const { sinks, stop } = createProgressSinks(
    async (_insurerId, progress) => {
      attempts += 1;
      const fails = isAway();
      if (saveMs > 0) await new Promise((resolve) => setTimeout(resolve, saveMs));
      if (fails) throw new Error('the table is away');
      saved.push(progress);
    },
    { warn },
  );
  const show = (progress: Progress) => void sinks.progress.show.fn({} as WorkflowInfo, 'kk-demo', progress, 0);
  return { show, saved, stop, warn, attempts: () => attempts };
}

test('a run that goes on is written once a second, and its end immediately', async () => {
  const { show, saved, stop } = open();
  for (let done = 0; done < 30; done += 1) {
    show(doneOf(done));
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(saved).toEqual([0, 9, 19, 29].map(doneOf));
  show(doneOf(30));
  show(ended);
  await vi.advanceTimersByTimeAsync(0);
  expect(saved.at(-1)).toEqual(ended);
  await stop();
});

test('a slow write is never overtaken by the next one', async () => {
  const { show, saved, stop } = open(() => false, 1_500);
  show(running);
  show(ended);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(saved).toEqual([running]);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(saved).toEqual([running, ended]);
  await stop();
});

test('the end of a run is written once the table is there again, and the fault is logged once', async () => {
  let isAway = true;
  const { show, saved, stop, warn } = open(() => isAway);
  show(ended);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(saved).toEqual([]);
  isAway = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(saved).toEqual([ended]);
  expect(warn).toHaveBeenCalledTimes(1);
  await stop();
});

test('a write that has failed does not replace a newer one', async () => {
  let isAway = true;
  const { show, saved, stop } = open(() => isAway, 500);
  show(running);
  await vi.advanceTimersByTimeAsync(100);
  show(ended);
  isAway = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(saved).toEqual([ended]);
  await stop();
});

test('a worker that stops waits for its write, writes what is due, and then nothing more', async () => {
  const { show, saved, stop } = open(() => false, 500);
  show(running);
  await vi.advanceTimersByTimeAsync(0);
  show(doneOf(1));
  let isStopped = false;
  void stop().then(() => {
    isStopped = true;
  });
  await vi.advanceTimersByTimeAsync(900);
  expect(isStopped).toBe(false);
  await vi.advanceTimersByTimeAsync(100);
  expect({ saved, isStopped }).toEqual({ saved: [running, doneOf(1)], isStopped: true });
  expect(vi.getTimerCount()).toBe(0);
});

test('a worker that stops while the table is away makes one last attempt', async () => {
  const { show, stop, attempts } = open(() => true);
  show(ended);
  await vi.advanceTimersByTimeAsync(0);
  await stop();
  expect(attempts()).toBe(2);
  expect(vi.getTimerCount()).toBe(0);
});
