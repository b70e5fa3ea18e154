import { expect, test } from 'vitest';
import { nextPollMs } from './polling.ts';

const asked = (state: Partial<Parameters<typeof nextPollMs>[0]['state']>) => ({
  state: { status: 'success' as const, dataUpdatedAt: 0, errorUpdatedAt: 0, errorUpdateCount: 0, ...state },
});

test('while answers come the pace is kept', () => {
  expect(nextPollMs(asked({ dataUpdatedAt: 5_000 }), 1_000)).toBe(1_000);
});

test('the longer there is no answer the less is asked, at most every half minute', () => {
  const silentFor = (ms: number) =>
    nextPollMs(asked({ status: 'error', dataUpdatedAt: 1_000, errorUpdatedAt: 1_000 + ms }), 1_000);
  expect([500, 6_000, 60_000, 600_000].map(silentFor)).toEqual([1_000, 2_000, 20_000, 30_000]);
});

test('an API that has never answered is asked less and less too', () => {
  const after = (errorUpdateCount: number) => nextPollMs(asked({ status: 'error', errorUpdateCount }), 1_000);
  expect([1, 9, 900].map(after)).toEqual([1_000, 3_000, 30_000]);
});
