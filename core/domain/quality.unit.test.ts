import { expect, test } from 'vitest';
import { addProblems, isUnreadable, type ProblemCount, type QualityCounts, qualityOf } from './quality.ts';

const counts = (quarantined: number, failed: number): QualityCounts => ({
  patients: { listed: 100 - quarantined, quarantined },
  careRecords: { done: 100 - failed, failed, notInsured: 0 },
  acknowledged: { quarantined: 0, failed: 0 },
});
const addAll = (...reasons: string[]) => reasons.reduce<readonly ProblemCount[]>(addProblems, []);

test('problems are counted by path and kind at any position, and once for each answer', () => {
  const problems = addAll(
    'careRecords[0].start: not a date; careRecords[17].start: not a date; careRecords[2].documents[4].id: missing; and more',
    'careRecords[3].start: not a date',
    'entry: not UTF-8 (windows-1252 fits); and 3 more',
    'AnswerTooLarge',
  );
  expect(qualityOf(counts(0, 0), problems).byProblem).toEqual([
    { path: 'careRecords[].start', kind: 'not a date', count: 2 },
    { path: 'careRecords[].documents[].id', kind: 'missing', count: 1 },
    { path: 'entry', kind: 'not UTF-8 (windows-1252 fits)', count: 1 },
    { path: 'answer', kind: 'AnswerTooLarge', count: 1 },
  ]);
});

test('at most 20 problems are reported, the most frequent ones, and their number in a run is limited', () => {
  const many = addAll(...Array.from({ length: 500 }, (_, index) => `field${index}: missing`), 'field40: missing');
  expect(many.length).toBeLessThanOrEqual(60);
  const { byProblem } = qualityOf(counts(0, 0), many);
  expect(byProblem).toHaveLength(20);
  expect(byProblem[0]).toEqual({ path: 'field40', kind: 'missing', count: 2 });
});

test('a run has problems once a share of the list or of the care records reaches the limit', () => {
  expect(isUnreadable(counts(4, 4), 5)).toBe(false);
  expect(isUnreadable(counts(5, 0), 5)).toBe(true);
  expect(isUnreadable(counts(0, 5), 5)).toBe(true);
  expect(isUnreadable(counts(0, 0), 0)).toBe(false);
  expect(isUnreadable(counts(0, 1), 0)).toBe(true);
  const nothing: QualityCounts = { ...counts(0, 0), careRecords: { done: 0, failed: 0, notInsured: 0 } };
  expect(isUnreadable(nothing, 5)).toBe(false);
});

test('acknowledged issues do not count, and are still part of their share', () => {
  const known = { ...counts(8, 6), acknowledged: { quarantined: 4, failed: 2 } };
  expect(isUnreadable(known, 5)).toBe(false);
  expect(isUnreadable({ ...known, acknowledged: { quarantined: 4, failed: 1 } }, 5)).toBe(true);
  expect(qualityOf(known, [])).toMatchObject({ unreadablePercent: 4, quarantinedPercent: 8, failedPercent: 6 });
});

test('the shares are percentages with one decimal, of the list, of those asked, and of what is stored', () => {
  const quality = qualityOf(
    {
      patients: { listed: 1_000, quarantined: 3, flagged: 10 },
      careRecords: { done: 90, failed: 2, notInsured: 8, flagged: 5 },
      acknowledged: { quarantined: 0, failed: 0 },
    },
    [],
  );
  expect(quality).toEqual({
    unreadablePercent: 2,
    quarantinedPercent: 0.3,
    failedPercent: 2,
    flaggedPercent: 1.4,
    byProblem: [],
  });
});
