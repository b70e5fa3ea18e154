import { expect, test } from 'vitest';
import { countFinished, etaSeconds, ratePerMinute, startRate } from './rate.ts';

test('six patients in one minute are six per minute, and sixty more take ten minutes', () => {
  let rate = startRate(0);
  for (let second = 5; second <= 55; second += 10) rate = countFinished(rate, second * 1_000);
  expect(ratePerMinute(rate, 60_000)).toBe(6);
  expect(etaSeconds(60, 6)).toBe(600);
});

test('patients finished more than five minutes ago no longer count', () => {
  const rate = countFinished(startRate(0), 1_000);
  expect(ratePerMinute(rate, 400_000)).toBe(0);
  expect(countFinished(rate, 400_000).buckets).toHaveLength(1);
});

test('without pending patients no time is left, and without a rate there is no estimate', () => {
  expect(etaSeconds(0, 0)).toBe(0);
  expect(etaSeconds(5, 0)).toBeUndefined();
});
