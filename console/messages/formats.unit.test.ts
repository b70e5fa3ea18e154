import { expect, test } from 'vitest';
import { createFormats } from './formats.ts';

const german = createFormats('de-DE');

test('a duration shows its two largest units', () => {
  expect([0, 59.6, 115, 3_600, 3_725].map((seconds) => german.duration(seconds).replaceAll('\u00a0', ' '))).toEqual([
    '0 Sek.',
    '1 Min.',
    '1 Min. 55 Sek.',
    '1 Std.',
    '1 Std. 2 Min.',
  ]);
});

test('numbers and days follow the locale', () => {
  expect(german.count(12_345)).toBe('12.345');
  expect(createFormats('en-GB').count(12_345)).toBe('12,345');
  expect(german.day('2026-11-24')).toBe('24.11.2026');
  expect(german.day('2024-02-29')).toBe('29.02.2024');
});

test.each([
  ...['1950-00-00', '00000000', '0000-00-00', '1950', '01.02.1950', '1950-02-01T00:00:00Z', '1950-02-30', ''],
  ...['1950-02', '2023-02-29', '2026-1-5', 'ca. 1950', '2026-01-01 ', '2026-01-01\n', ' 2026-01-01', '2026-13-01'],
  ...[
    '+002026-01-01',
    '-000001-01-01',
    '20260101',
    '2026-W01-1',
    '2026-001',
    '19500201',
    '0000-01-01',
    '0001-01-01',
    'someday',
  ],
])('%j is no calendar day, and is shown as it is', (text) => {
  expect(german.day(text)).toBe(text);
  expect(createFormats('en-GB').day(text)).toBe(text);
});

test('the separator of a CSV file is the one that spreadsheets of the locale expect', () => {
  expect(['de-DE', 'de-CH', 'en-GB'].map((locale) => createFormats(locale).csvSeparator)).toEqual([';', ',', ',']);
});
