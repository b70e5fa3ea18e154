import { expect, test } from 'vitest';
import { addByteSample, type ByteSamples, bytesPerSecond } from './byte-rate.ts';

const sampled = (...samples: [atSeconds: number, bytes: number][]): ByteSamples =>
  samples.reduce<ByteSamples>((before, [atSeconds, bytes]) => addByteSample(before, atSeconds * 1_000, bytes), []);

test('ten kilobytes in two seconds are 5 000 bytes a second', () => {
  expect(bytesPerSecond(sampled([0, 0], [2, 10_000]))).toBe(5_000);
});

test('before the second sample there is no rate', () => {
  expect(bytesPerSecond([])).toBe(0);
  expect(bytesPerSecond(sampled([0, 500]))).toBe(0);
});

test('what arrived more than a minute ago no longer counts', () => {
  const burst = sampled([0, 0], [2, 1_000_000], [32, 1_000_000]);
  expect(bytesPerSecond(burst)).toBe(31_250);
  expect(bytesPerSecond(addByteSample(burst, 63_000, 1_000_000))).toBe(0);
});

test('a transfer of hours keeps the samples of a minute', () => {
  const samples = sampled(
    ...Array.from({ length: 10_000 }, (_, index) => [index * 2, index * 200] as [number, number]),
  );
  expect(samples.length).toBeLessThanOrEqual(32);
  expect(bytesPerSecond(samples)).toBe(100);
});
