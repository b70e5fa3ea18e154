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

test('a value that is absent, past, zero or unreadable gives no cooldown', () => {
  const past = new Date(nowEpochMs - 1000).toUTCString();
  for (const header of [
    undefined,
    '',
    '0',
    '-5',
    '5s',
    '5,',
    '5, soon',
    '1.2.3',
    'soon',
    past,
    'Sun, 31 Feb 2027 00:00:00 GMT',
    '2027-01-01T00:00:00Z',
  ])
    expect(retryAfterMs(header, now), String(header)).toBeUndefined();
});

test.each([
  ['2.5', 3],
  ['0.2', 1],
  ['5, 5', 5],
  ['3 ,120,7.1', 120],
  ['0, 0', 0],
])('of numbers outside the standard, the largest counts, rounded up: %s', (header, seconds) => {
  expect(retryAfterMs(header, now)).toBe(seconds === 0 ? undefined : seconds * 1000);
});

test('an unreadable value gives the cooldown that the caller passes; a readable one is not affected', () => {
  for (const header of ['soon', '-5', 'Sun, 31 Feb 2027 00:00:00 GMT'])
    expect(retryAfterMs(header, now, 1_000)).toBe(1_000);
  for (const header of [undefined, ' ', '0', new Date(nowEpochMs - 1000).toUTCString()])
    expect(retryAfterMs(header, now, 1_000)).toBeUndefined();
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
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThanOrEqual(retryAfterMsMax);
    }),
  );
});
