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
  expect(german.day('someday')).toBe('someday');
});

test('the separator of a CSV file is the one that spreadsheets of the locale expect', () => {
  expect(['de-DE', 'de-CH', 'en-GB'].map((locale) => createFormats(locale).csvSeparator)).toEqual([';', ',', ',']);
});
