import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryAfterMsMax, retryAfterUntil } from './retry-after.ts';

const now = Date.UTC(2026, 10, 24, 23, 30, 0);

test('whole seconds hold the line for so long', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 }), (seconds) => {
      expect(retryAfterUntil(String(seconds), now)).toBe(now + seconds * 1000);
      expect(retryAfterUntil(` ${seconds} `, now)).toBe(now + seconds * 1000);
    }),
  );
});

test('an HTTP date holds the line until then, in each of its three forms', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400 }), (seconds) => {
      const moment = new Date(now + seconds * 1000);
      const [weekday, day, month, year, clock] = moment.toUTCString().replace(',', '').split(' ') as [
        string,
        string,
        string,
        string,
        string,
      ];
      const weekdayLong = moment.toLocaleDateString('en-US', { weekday: 'long', timeZone: 'UTC' });
      expect(retryAfterUntil(moment.toUTCString(), now)).toBe(moment.getTime());
      expect(retryAfterUntil(`${weekdayLong}, ${day}-${month}-${year.slice(2)} ${clock} GMT`, now)).toBe(
        moment.getTime(),
      );
      expect(retryAfterUntil(`${weekday} ${month} ${String(Number(day)).padStart(2)} ${clock} ${year}`, now)).toBe(
        moment.getTime(),
      );
    }),
  );
});

test('what is absent, past, zero or nonsense holds nothing', () => {
  const past = new Date(now - 1000).toUTCString();
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
    expect(retryAfterUntil(header, now), String(header)).toBeUndefined();
});

test.each([
  ['2.5', 3],
  ['0.2', 1],
  ['5, 5', 5],
  ['3 ,120,7.1', 120],
  ['0, 0', 0],
])('numbers that are not quite of the standard hold for the largest of them, rounded up: %s', (header, seconds) => {
  expect(retryAfterUntil(header, now)).toBe(seconds === 0 ? undefined : now + seconds * 1000);
});

test('what cannot be read holds as long as the caller says; what can, as long as it says itself', () => {
  for (const header of ['soon', '-5', 'Sun, 31 Feb 2027 00:00:00 GMT'])
    expect(retryAfterUntil(header, now, 1_000)).toBe(now + 1_000);
  for (const header of [undefined, ' ', '0', new Date(now - 1000).toUTCString()])
    expect(retryAfterUntil(header, now, 1_000)).toBeUndefined();
});

test('no header whatever holds the line for more than a day', () => {
  const header = fc.oneof(
    fc.string(),
    fc.bigInt({ min: 0n }).map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  );
  fc.assert(
    fc.property(header, (text) => {
      const until = retryAfterUntil(text, now);
      if (until === undefined) return;
      expect(until).toBeGreaterThan(now);
      expect(until).toBeLessThanOrEqual(now + retryAfterMsMax);
    }),
  );
});
