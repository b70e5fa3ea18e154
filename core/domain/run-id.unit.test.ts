import { expect, test } from 'vitest';
import { newRunId, runIdsAt } from './run-id.ts';

const startedAtMs = Date.parse('2026-11-24T21:30:00.499Z');

test('a run ID is its start and random digits', () => {
  expect(newRunId(startedAtMs, 'a9c0e')).toBe('20261124T213000Z-1f3a9c0e');
  expect(runIdsAt(startedAtMs)).toBe('20261124T213000Z');
});

test.each([1, 499, 500, 501, 86_400_000])(
  'a run that starts %d ms later sorts after it',
  (laterMs) => {
    expect(newRunId(startedAtMs + laterMs, '00000') > newRunId(startedAtMs, 'fffff')).toBe(true);
  },
);
