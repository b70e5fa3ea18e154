import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryAfterMs, retryAfterMsMax } from './retry-after.ts';

const nowEpochMs = Date.UTC(2026, 10, 24, 23, 30, 0);
const now = { nowEpochMs };

test('whole seconds give a cooldown of that length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 }), (seconds) => {
      expect(retryAfterMs(String(seconds), now)).toBe(seconds * 1000);
      expect(retryAfterMs(` ${seconds} `, now)).toBe(seconds * 1000);
    }),
  );
});

test('an HTTP date gives a cooldown until then, in each of its three forms', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 }), (seconds) => {
      const moment = new Date(nowEpochMs + seconds * 1000);
      const [weekday, day, month, year, clock] = moment.toUTCString().replace(',', '').split(' ') as [
        string,
        string,
        string,
        string,
        string,
      ];
      const weekdayLong = moment.toLocaleDateString('en-US', { weekday: 'long', timeZone: 'UTC' });
      expect(retryAfterMs(moment.toUTCString(), now)).toBe(seconds * 1000);
      expect(retryAfterMs(`${weekdayLong}, ${day}-${month}-${year.slice(2)} ${clock} GMT`, now)).toBe(seconds * 1000);
      expect(retryAfterMs(`${weekday} ${month} ${String(Number(day)).padStart(2)} ${clock} ${year}`, now)).toBe(
        seconds * 1000,
      );
    }),
  );
});

test("a date is counted from the answer's own Date, and from our clock only without one", () => {
  const hourMs = 3_600_000;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 }), fc.integer({ min: -48, max: 48 }), (seconds, hoursOff) => {
      const date = new Date(nowEpochMs + hoursOff * hourMs).toUTCString();
      const retryAfter = new Date(nowEpochMs + hoursOff * hourMs + seconds * 1000).toUTCString();
      expect(retryAfterMs(retryAfter, { date, nowEpochMs })).toBe(seconds * 1000);
    }),
  );
  const inAMinute = new Date(nowEpochMs + 60_000).toUTCString();
  for (const date of [undefined, '', 'now', `${inAMinute}, ${inAMinute}`])
    expect(retryAfterMs(inAMinute, { date, nowEpochMs })).toBe(60_000);
  expect(retryAfterMs('7', { date: inAMinute, nowEpochMs })).toBe(7_000);
});

test.each([
  ['2.5', 3],
  ['0.2', 1],
  ['5, 5', 5],
  ['3 ,120,7.1', 120],
  ['0, 0', 0],
])('of numbers outside the standard, the largest counts, rounded up: %s', (header, seconds) => {
  expect(retryAfterMs(header, now)).toBe(seconds * 1000);
});

test('a moment in the past, and zero, ask for nothing', () => {
  for (const header of ['0', new Date(nowEpochMs - 1000).toUTCString()]) expect(retryAfterMs(header, now)).toBe(0);
});

test.each([
  undefined,
  '',
  ' ',
  'soon',
  '3s',
  '-5',
  '5,',
  '5, soon',
  '1.2.3',
  'Mo, 30. Nov 2026 12:00:00',
  'Sun, 31 Feb 2027 00:00:00 GMT',
  '2027-01-01T00:00:00Z',
])('an absent or unreadable value says nothing: %j', (header) => expect(retryAfterMs(header, now)).toBeUndefined());

test.each([
  ['seconds', (ms: number) => String(ms / 1000)],
  ['seconds with fractions', (ms: number) => (ms / 1000).toFixed(3)],
  ['milliseconds', String],
])('a number of %s since 1970 is a moment, on the clock of the Date header', (_, textOf) => {
  expect(retryAfterMs(textOf(nowEpochMs + 90_000), now)).toBe(90_000);
  expect(retryAfterMs(textOf(nowEpochMs - 90_000), now)).toBe(0);
  const date = new Date(nowEpochMs + 60_000).toUTCString();
  expect(retryAfterMs(textOf(nowEpochMs + 90_000), { ...now, date })).toBe(30_000);
  expect(retryAfterMs(textOf(nowEpochMs + 9 * retryAfterMsMax), now)).toBe(retryAfterMsMax);
});

test('no header gives a cooldown of more than a day', () => {
  const header = fc.oneof(
    fc.string(),
    fc.bigInt({ min: 0n }).map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  );
  fc.assert(
    fc.property(header, (text) => {
      const ms = retryAfterMs(text, now);
      if (ms === undefined) return;
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(retryAfterMsMax);
    }),
  );
});
