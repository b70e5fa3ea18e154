import { expect, test } from 'vitest';
import { addSample, type Sample } from './samples.ts';

test('a sample that tells nothing new is not kept', () => {
  const samples = [{ at: 1, done: 1, failed: 0 }];
  expect(addSample(samples, { at: 2, done: 1, failed: 0 })).toBe(samples);
  expect(addSample(samples, { at: 2, done: 2, failed: 0 })).toHaveLength(2);
});

test('a run of any length keeps a bounded number of samples, the first and the last among them', () => {
  let samples: readonly Sample[] = [];
  for (let at = 0; at < 10_000; at++) samples = addSample(samples, { at, done: at, failed: 0 });
  expect(samples.length).toBeLessThanOrEqual(601);
  expect(samples[0]?.at).toBe(0);
  expect(samples.at(-1)?.at).toBe(9_999);
});
