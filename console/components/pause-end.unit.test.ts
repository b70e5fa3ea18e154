import { expect, test } from 'vitest';
import { type PauseEnd, pauseEndLimits, pauseUntil } from './pause-end.ts';

test('a pause ends after the chosen time, tomorrow at six, or at a moment of the operator, in the local time of the browser', () => {
  const now = new Date(2026, 11, 31, 17, 30);
  const until = (end: PauseEnd): Date | undefined => {
    const moment = pauseUntil(end, now);
    return moment === undefined ? undefined : new Date(moment);
  };
  expect(until({ kind: 'none' })).toBeUndefined();
  expect(until({ kind: 'minutes30' })).toEqual(new Date(2026, 11, 31, 18));
  expect(until({ kind: 'hour' })).toEqual(new Date(2026, 11, 31, 18, 30));
  expect(until({ kind: 'hours2' })).toEqual(new Date(2026, 11, 31, 19, 30));
  expect(until({ kind: 'tomorrow' })).toEqual(new Date(2027, 0, 1, 6));
  expect(until({ kind: 'own', at: '2027-01-02T08:15' })).toEqual(new Date(2027, 0, 2, 8, 15));
});

test('an operator can enter an end from the next minute on, up to 30 days', () => {
  expect(pauseEndLimits(new Date(2026, 10, 1, 17, 30))).toEqual({ min: '2026-11-01T17:31', max: '2026-12-01T17:30' });
});
