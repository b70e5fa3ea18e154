import { expect, test } from 'vitest';
import { quietStatusOfPeople } from './line-status.ts';
import { quietHoursOf, quietHoursProblem, quietUntilMs } from './quiet-hours.ts';

/** Returns when it is quiet no more, in UTC; undefined outside of quiet hours. */
function quietUntil(text: string, at: string): string | undefined {
  const untilMs = quietUntilMs(quietHoursOf(text), Date.parse(at));
  return untilMs === undefined ? undefined : new Date(untilMs).toISOString().slice(0, 16);
}

test('it is quiet on the days and at the times of a window, in German time of winter and summer', () => {
  const office = 'Mon-Fri 08:00-18:00';
  expect(quietUntil(office, '2026-11-25T06:59:59+00:00')).toBeUndefined(); // a Wednesday
  expect(quietUntil(office, '2026-11-25T08:00:00+01:00')).toBe('2026-11-25T17:00');
  expect(quietUntil(office, '2026-11-25T17:59:59.999+01:00')).toBe('2026-11-25T17:00');
  expect(quietUntil(office, '2026-11-25T18:00:00+01:00')).toBeUndefined();
  expect(quietUntil(office, '2026-11-28T12:00:00+01:00')).toBeUndefined(); // a Saturday
  expect(quietUntil(office, '2026-07-01T12:00:00+02:00')).toBe('2026-07-01T16:00');
});

test('a window may go over midnight, over Sunday, and into the next one', () => {
  expect(quietUntil('Fri 22:00-06:00', '2026-11-28T01:00:00+01:00')).toBe('2026-11-28T05:00');
  expect(quietUntil('Fri 22:00-06:00', '2026-11-27T01:00:00+01:00')).toBeUndefined();
  expect(quietUntil('Sun 22:00-06:00', '2026-11-30T01:00:00+01:00')).toBe('2026-11-30T05:00');
  expect(quietUntil('Sat-Mon 20:00-24:00', '2026-11-29T21:00:00+01:00')).toBe('2026-11-29T23:00');
  expect(quietUntil('Sat 00:00-24:00, Sun 00:00-12:00', '2026-11-28T09:00:00+01:00')).toBe('2026-11-29T11:00');
  expect(quietUntil('22:00-06:00; 6:00-7:00', '2026-11-25T23:00:00+01:00')).toBe('2026-11-26T06:00');
});

test('on the day in spring, a skipped hour is not waited for', () => {
  expect(quietUntil('Sun 01:30-02:30', '2026-03-29T00:45:00Z')).toBe('2026-03-29T01:00'); // 01:45; then it is 03:00
  expect(quietUntil('Sun 01:30-05:00', '2026-03-29T00:45:00Z')).toBe('2026-03-29T03:00');
  expect(quietUntil('Sat 22:00-06:00', '2026-03-28T22:00:00Z')).toBe('2026-03-29T04:00');
  expect(quietUntil('Sun 08:00-18:00', '2026-03-29T06:00:00Z')).toBe('2026-03-29T16:00');
  expect(quietUntil('Sun 02:00-03:00', '2026-03-29T01:00:00Z')).toBeUndefined();
});

test('on the day in autumn, an hour that comes twice is quiet twice', () => {
  expect(quietUntil('Sun 01:30-02:30', '2026-10-24T23:45:00Z')).toBe('2026-10-25T00:30'); // 02:30 for the first time
  expect(quietUntil('Sun 01:30-02:30', '2026-10-25T00:45:00Z')).toBeUndefined();
  expect(quietUntil('Sun 01:30-02:30', '2026-10-25T01:15:00Z')).toBe('2026-10-25T01:30'); // and for the second
  expect(quietUntil('Sun 01:30-03:00', '2026-10-24T23:45:00Z')).toBe('2026-10-25T02:00');
  expect(quietUntil('Sat 22:00-06:00', '2026-10-24T21:00:00Z')).toBe('2026-10-25T05:00');
});

test('without quiet hours it is never quiet', () => {
  for (const text of ['', '  ']) expect(quietUntil(text, '2026-11-25T12:00:00Z')).toBeUndefined();
});

test.each([
  ['Mon-Fry 08:00-18:00', 'window 1: has other days than Mon, Tue, Wed, Thu, Fri, Sat, Sun, or a range of them'],
  ['Mon-Tue-Wed 08:00-18:00', 'window 1: has other days than'],
  ['mon 08:00-18:00', 'window 1: has other days than'],
  ['Mon 08:00-18:00,', 'window 2: is not days and two times'],
  ['Mon 08:00-18:00; 8-18', 'window 2: is not days and two times'],
  ['Mon, Tue 08:00-18:00', 'window 1: is not days and two times'],
  ['Mon-Fri', 'window 1: is not days and two times'],
  ['Mon 08:00-18:60', 'window 1: has a time that does not exist'],
  ['Mon 24:00-08:00', 'window 1: has a time that does not exist'],
  ['Mon 08:00-24:01', 'window 1: has a time that does not exist'],
  ['Mon 08:00-08:00', 'window 1: is empty. A whole day is 00:00-24:00'],
  ['00:00-24:00', 'the windows cover the whole week'],
  ['06:00-22:00, 22:00-06:00', 'the windows cover the whole week'],
])('%j is rejected', (text, problem) => {
  expect(quietHoursProblem(text)).toContain(problem);
  expect(() => quietHoursOf(text)).toThrow(problem);
});

test('a sync says until when it waits for quiet hours, unless people pass them', () => {
  const nowMs = Date.parse('2026-11-25T12:00:00+01:00');
  const settings = { LINE_QUIET_HOURS: 'Mon-Fri 08:00-18:00', LINE_QUIET_HOURS_PEOPLE: 'wait' } as const;
  expect(quietStatusOfPeople(settings, nowMs)).toEqual({ quietHours: { until: '2026-11-25T17:00:00.000Z' } });
  expect(quietStatusOfPeople(settings, nowMs + 8 * 3_600_000)).toEqual({});
  expect(quietStatusOfPeople({ ...settings, LINE_QUIET_HOURS_PEOPLE: 'go' }, nowMs)).toEqual({});
});
