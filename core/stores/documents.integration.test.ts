import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { contentDisposition } from '../domain/file-headers.ts';
import { newPatientRef, openEmulatedStores } from './emulated.fixture.ts';

const { documents, keysUnder } = openEmulatedStores();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('the key of a file confirms neither its content nor a guessed title, and each name is an object of its own', async () => {
  const patientRef = newPatientRef();
  const bytes = Buffer.from('%PDF-1.7');
  const put = async (name: string) =>
    await documents.putFile(patientRef, '1', { bytes, mediaType: 'application/pdf', name });
  const letter = await put('Arztbrief Erika Mustermann.pdf');
  expect(await put('Arztbrief Erika Mustermann.pdf')).toEqual(letter);
  const report = await put('Befund.pdf');
  expect((await keysUnder(`documents/${patientRef}/`)).toSorted()).toEqual([letter.key, report.key].toSorted());
  for (const { key } of [letter, report]) expect(key).toMatch(new RegExp(`^documents/${patientRef}/1/[0-9a-f]{64}$`));
  // what somebody can compute who knows the title, but not the content
  const guessed = contentDisposition('Arztbrief Erika Mustermann.pdf');
  const headers = { contentType: 'application/pdf', contentDisposition: guessed };
  expect(letter.key).not.toContain(sha256(JSON.stringify(headers)).slice(0, 16));
  expect(letter.key).not.toContain(letter.sha256);
});
