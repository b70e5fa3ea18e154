import { expect, test } from 'vitest';
import { nextPollMs } from './polling.ts';

const queryIn = (state: Partial<Parameters<typeof nextPollMs>[0]['state']>) => ({
  state: { status: 'success' as const, dataUpdatedAt: 0, errorUpdatedAt: 0, errorUpdateCount: 0, ...state },
});

test('while the API answers, the polling interval stays the same', () => {
  expect(nextPollMs(queryIn({ dataUpdatedAt: 5_000 }), 1_000)).toBe(1_000);
});

test('the longer the API does not answer, the longer the delay, up to 30 seconds', () => {
  const silentFor = (ms: number) =>
    nextPollMs(queryIn({ status: 'error', dataUpdatedAt: 1_000, errorUpdatedAt: 1_000 + ms }), 1_000);
  expect([500, 6_000, 60_000, 600_000].map(silentFor)).toEqual([1_000, 2_000, 20_000, 30_000]);
});

test('the delay also grows for an API that has never answered', () => {
  const after = (errorUpdateCount: number) => nextPollMs(queryIn({ status: 'error', errorUpdateCount }), 1_000);
  expect([1, 9, 900].map(after)).toEqual([1_000, 3_000, 30_000]);
});
