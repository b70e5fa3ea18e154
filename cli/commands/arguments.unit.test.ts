import { expect, test } from 'vitest';
import { readPatient } from './arguments.ts';

test('a KVNR may be in lower case and have blanks', async () => {
  for (const text of ['A123456780', 'a123456780', ' a 123 456 780 ', 'A\u00a0123\t456780'])
    expect(await readPatient(text)).toEqual({ kvnr: 'A123456780' });
  const patientRef = '5d41402abc4b2a76b9719d911017c592';
  expect(await readPatient(patientRef)).toEqual({ patientRef });
  for (const wrong of ['a123456789', 'a-123456780', '', ' ', patientRef.toUpperCase()])
    await expect(readPatient(wrong)).rejects.toMatchObject({ fault: 'usage' });
});
