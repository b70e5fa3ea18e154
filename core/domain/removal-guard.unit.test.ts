import fc from 'fast-check';
import { expect, test } from 'vitest';
import { notInsuredLimit, type RemovalFigures, reasonsToAsk } from './removal-guard.ts';

const limits = { removalLimitPercent: 5, removalLimitPeople: 1_000 };
const list: RemovalFigures = { removals: 0, stored: 0, recentRemovals: 0, entries: 0, unreadable: 0 };

test.each([
  [{ removals: 0, stored: 0 }, []],
  [{ removals: 0, stored: 1_000 }, []],
  [{ removals: 20, stored: 21 }, []],
  [{ removals: 21, stored: 421 }, []],
  [{ removals: 21, stored: 420 }, []],
  [{ removals: 21, stored: 419 }, ['share']],
  [{ removals: 1_000, stored: 1_000_000 }, []],
  [{ removals: 1_001, stored: 1_000_000 }, ['number']],
  [{ removals: 50_001, stored: 1_000_000 }, ['share', 'number']],
  [{ removals: 1, stored: 1 }, ['nobody-left']],
  [{ removals: 20, stored: 20 }, ['nobody-left']],
])('%j: an operator is asked because of %j', (figures, reasons) => {
  expect(reasonsToAsk({ ...list, ...figures }, limits)).toEqual(reasons);
});

test('removing all patients always needs approval, independent of the limits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 0, max: 100 }), (stored, percent) => {
      const reasons = reasonsToAsk(
        { ...list, removals: stored, stored },
        { removalLimitPercent: percent, removalLimitPeople: 2_000_000 },
      );
      expect(reasons).toContain('nobody-left');
    }),
  );
});

test('a few percent a day for two weeks do not empty the table without a question', () => {
  let stored = 10_000;
  const perDay: number[] = [];
  for (let day = 0; day < 14; day++) {
    const removals = Math.floor(stored * 0.04);
    const recentRemovals = perDay.slice(-7).reduce((sum, each) => sum + each, 0);
    const asks = reasonsToAsk({ ...list, removals, stored, recentRemovals }, limits).length > 0;
    perDay.push(asks ? 0 : removals); // nobody answers
    if (!asks) stored -= removals;
  }
  expect(stored).toBeGreaterThanOrEqual(9_000);
});

test('what was removed in the last seven days counts towards the number of people, too', () => {
  const figures = { ...list, removals: 400, stored: 1_000_000, recentRemovals: 700 };
  expect(reasonsToAsk(figures, limits)).toEqual(['number']);
  expect(reasonsToAsk({ ...figures, recentRemovals: 600 }, limits)).toEqual([]);
});

test.each([
  [{ removals: 1, stored: 1_000, entries: 1_000, unreadable: 51 }, ['unreadable-entries']],
  [{ removals: 1, stored: 1_000, entries: 1_000, unreadable: 50 }, []],
  [{ removals: 1, stored: 100, entries: 100, unreadable: 20 }, []],
  [{ removals: 0, stored: 1_000, entries: 1_000, unreadable: 900 }, []],
])('entries without a readable KVNR may be anybody: %j asks because of %j', (figures, reasons) => {
  expect(reasonsToAsk({ ...list, ...figures }, limits)).toEqual(reasons);
});

test('a run carries out 20 answers 410 in any case, and a share of a large table, up to REMOVAL_LIMIT_PEOPLE', () => {
  expect(notInsuredLimit(0, limits)).toBe(20);
  expect(notInsuredLimit(400, limits)).toBe(20);
  expect(notInsuredLimit(10_000, limits)).toBe(500);
  expect(notInsuredLimit(100_000, limits)).toBe(1_000);
});
