import fc from 'fast-check';
import { expect, test } from 'vitest';
import { needsApproval } from './removal-guard.ts';

test.each([
  [{ removals: 0, stored: 0 }, false],
  [{ removals: 0, stored: 1_000 }, false],
  [{ removals: 20, stored: 21 }, false],
  [{ removals: 21, stored: 421 }, false],
  [{ removals: 21, stored: 420 }, false],
  [{ removals: 21, stored: 419 }, true],
  [{ removals: 50_000, stored: 1_000_000 }, false],
  [{ removals: 50_001, stored: 1_000_000 }, true],
  [{ removals: 1, stored: 1 }, true],
  [{ removals: 20, stored: 20 }, true],
])('%j needs approval: %s', (figures, asks) => {
  expect(needsApproval({ ...figures, limitPercent: 5 })).toBe(asks);
});

test('removing all patients always needs approval, independent of the limit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 0, max: 100 }), (stored, limitPercent) => {
      expect(needsApproval({ removals: stored, stored, limitPercent })).toBe(true);
    }),
  );
});
