import { expect, test } from 'vitest';
import { percentOf } from './export.ts';

const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 30, 8, 0, seconds)).toISOString();
const after = `8000${'0'.repeat(28)}`;

test('an export shows how much it has walked through, and a completed one 100 %, also if it is cancelled or expires', () => {
  expect(percentOf({ state: 'running' })).toBe(0);
  expect(percentOf({ state: 'paused', after })).toBe(50);
  expect(percentOf({ state: 'completed', after, finishedAt: at(1) })).toBe(100);
  expect(percentOf({ state: 'expired', after, finishedAt: at(1) })).toBe(100);
  expect(percentOf({ state: 'cancelled', after, finishedAt: at(1), changed: { by: 'x', at: at(2) } })).toBe(100);
});

test('an export that was cancelled on its way shows how far it was', () => {
  const changed = { by: 'x', at: at(2) };
  expect(percentOf({ state: 'cancelled', after, finishedAt: at(2), changed })).toBe(50);
  expect(percentOf({ state: 'cancelled', after, finishedAt: at(3), changed })).toBe(50); // paused, then ended
  expect(percentOf({ state: 'cancelled', after, finishedAt: at(3) })).toBe(50);
  expect(percentOf({ state: 'failed', after, finishedAt: at(3) })).toBe(50);
});
