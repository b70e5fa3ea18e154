import { expect, test } from 'vitest';
import { careRecordsAgeOf } from './freshness.ts';

const dayMs = 24 * 60 * 60_000;
const nowMs = Date.parse('2026-11-29T12:00:00Z');
const agesInDays = (...days: number[]): Float64Array => Float64Array.from(days, (each) => nowMs - each * dayMs);

test('the age of care records is that of the oldest ones, and the median', () => {
  expect(careRecordsAgeOf(agesInDays(0.2, 40.5, 3, 1.9, 7), 0, nowMs)).toEqual({
    oldestDays: 40,
    medianDays: 3,
    unknown: 0,
  });
});

test('care records without a date have no age, and are counted', () => {
  expect(careRecordsAgeOf(agesInDays(), 12, nowMs)).toEqual({ unknown: 12 });
  expect(careRecordsAgeOf(agesInDays(2), 12, nowMs)).toEqual({ oldestDays: 2, medianDays: 2, unknown: 12 });
});

test('care records that another clock has dated later are not younger than now', () => {
  expect(careRecordsAgeOf(agesInDays(-1), 0, nowMs)).toMatchObject({ oldestDays: 0, medianDays: 0 });
});
