import { expect, test } from 'vitest';
import { lastHourMs, overdueMinutes } from './run-schedule.ts';

const hours = { startHour: 3, dueHour: 8 };
/** Returns the minutes overdue at a moment, given completed runs. All in German time of November, UTC+1. */
const overdueAt = (now: string, ...completed: string[]): number =>
  overdueMinutes(
    hours,
    completed.map((at) => Date.parse(`${at}+01:00`)),
    Date.parse(`${now}+01:00`),
  );

test('no run is overdue if one was completed by the due hour, or before that hour', () => {
  expect(overdueAt('2026-11-25T12:00:00', '2026-11-25T04:10:00')).toBe(0);
  expect(overdueAt('2026-11-25T07:59:59', '2026-11-24T04:10:00')).toBe(0);
});

test('without a completed run, it is overdue from the due hour until one is completed', () => {
  expect(overdueAt('2026-11-25T08:00:00', '2026-11-24T04:10:00')).toBe(0);
  expect(overdueAt('2026-11-25T08:07:30', '2026-11-24T04:10:00')).toBe(7);
  expect(overdueAt('2026-11-26T07:00:00', '2026-11-24T04:10:00')).toBe(23 * 60);
  expect(overdueAt('2026-11-25T09:31:00', '2026-11-24T04:10:00', '2026-11-25T09:30:00')).toBe(0);
  expect(overdueAt('2026-11-25T09:00:00')).toBe(60);
});

test('a run of yesterday that ended before the start of today does not count', () => {
  expect(overdueAt('2026-11-25T08:10:00', '2026-11-24T22:00:00')).toBe(10);
});

test('a run over several days that today’s start joined counts once it has ended', () => {
  expect(overdueAt('2026-11-25T08:10:00', '2026-11-25T06:00:00')).toBe(0);
});

test('the hour is German local time, in summer and winter', () => {
  expect(lastHourMs(8, Date.parse('2026-07-01T06:30:00Z'))).toBe(Date.parse('2026-07-01T06:00:00Z'));
  expect(lastHourMs(8, Date.parse('2026-12-01T07:30:00Z'))).toBe(Date.parse('2026-12-01T07:00:00Z'));
  expect(lastHourMs(8, Date.parse('2026-12-01T06:59:59Z'))).toBe(Date.parse('2026-11-30T07:00:00Z'));
  // the hour from two to three occurs twice in the night in which summer time ends
  expect(lastHourMs(2, Date.parse('2026-10-25T01:30:00Z'))).toBe(Date.parse('2026-10-25T01:00:00Z'));
});

test('on the days when the clocks change, a day without a run is overdue for every hour that is allowed', () => {
  for (const day of ['2026-03-29', '2026-10-25'])
    for (const startHour of [0, 1, 3, 4, 8, 12]) {
      const dueHour = startHour + 5;
      const offset = (date: string): string => (date < '2026-03-29' || date >= '2026-10-25' ? '+01:00' : '+02:00');
      const yesterday = new Date(Date.parse(`${day}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);
      const completedMs = Date.parse(`${yesterday}T${String(startHour).padStart(2, '0')}:10:00${offset(yesterday)}`);
      const dueMs = Date.parse(`${day}T${String(dueHour).padStart(2, '0')}:00:00${offset(day)}`);
      const overdue = (completed: number, nowMs: number) => overdueMinutes({ startHour, dueHour }, [completed], nowMs);
      expect([day, startHour, overdue(completedMs, dueMs - 60_000)]).toEqual([day, startHour, 0]);
      expect([day, startHour, overdue(completedMs, dueMs + 60_000)]).toEqual([day, startHour, 1]);
      expect([day, startHour, overdue(dueMs - 60_000, dueMs + 60_000)]).toEqual([day, startHour, 0]);
    }
});
