import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { pauseEndOption, readPatient, readSearch } from './arguments.ts';

test('a KVNR may be in lower case and have blanks', async () => {
  for (const text of ['A123456780', 'a123456780', ' a 123 456 780 ', 'A\u00a0123\t456780'])
    expect(await readPatient(text)).toEqual({ kvnr: 'A123456780' });
  const patientRef = '5d41402abc4b2a76b9719d911017c592';
  expect(await readPatient(patientRef)).toEqual({ patientRef });
  for (const wrong of ['a123456789', 'a-123456780', '', ' ', patientRef.toUpperCase()])
    await expect(readPatient(wrong)).rejects.toMatchObject({ fault: 'usage' });
});

test('a pause ends after a time, or at a moment with an offset', () => {
  const { parseArg } = pauseEndOption(() => Date.parse('2026-11-25T08:00:00Z'));
  const endOf = (text: string): unknown => parseArg?.(text, undefined);
  expect(endOf('30min')).toBe('2026-11-25T08:30:00.000Z');
  expect(endOf('2h')).toBe('2026-11-25T10:00:00.000Z');
  expect(endOf('1d')).toBe('2026-11-26T08:00:00.000Z');
  expect(endOf('2026-11-25T18:00:00+01:00')).toBe('2026-11-25T17:00:00.000Z');
  for (const wrong of ['2', '2 h', '-2h', '18:00', '2026-11-25T18:00:00', ''])
    expect(() => endOf(wrong)).toThrow(/Use 30min, 2h, 1d, or ISO 8601/);
});

test('a search takes a partial birth date, and says what is missing', async () => {
  const searchIn = async (...lines: string[]) => {
    using _ = vi
      .spyOn(process, 'stdin', 'get')
      .mockReturnValue(Readable.from([lines.join('\n')]) as typeof process.stdin);
    return await readSearch();
  };
  expect(await searchIn('1985-03-07', 'Müll', 'Anna')).toEqual({
    birthDate: '1985-03-07',
    familyName: 'Müll',
    givenName: 'Anna',
  });
  expect(await searchIn('2016-00-00', '', 'Anna')).toEqual({ birthDate: '2016', givenName: 'Anna' });
  for (const wrong of ['', '07.03.1985', '1985-02-30'])
    await expect(searchIn(wrong, 'Müll')).rejects.toThrow(/^a birth date is needed: YYYY-MM-DD/);
  await expect(searchIn('1985-03-07')).rejects.toMatchObject({
    fault: 'usage',
    message: expect.stringContaining('a family name or a given name'),
  });
});
