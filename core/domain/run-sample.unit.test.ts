import { expect, test } from 'vitest';
import { addSample, type RunSample } from './run-sample.ts';

const at = (second: number): string => new Date(1_764_000_000_000 + second * 1_000).toISOString();

test('a sample without changes, or one that comes late, is not stored', () => {
  const samples = [{ at: at(1), done: 1, failed: 0 }];
  expect(addSample(samples, { at: at(2), done: 1, failed: 0 })).toBe(samples);
  expect(addSample(samples, { at: at(0), done: 2, failed: 0 })).toBe(samples);
  expect(addSample(samples, { at: at(2), done: 2, failed: 0 })).toHaveLength(2);
});

test('a run of any length keeps a bounded number of samples, including the first and the last', () => {
  let samples: readonly RunSample[] = [];
  for (let second = 0; second < 10_000; second++)
    samples = addSample(samples, { at: at(second), done: second, failed: 0 });
  expect(samples.length).toBeLessThanOrEqual(241);
  expect(samples[0]?.at).toBe(at(0));
  expect(samples.at(-1)?.at).toBe(at(9_999));
});
