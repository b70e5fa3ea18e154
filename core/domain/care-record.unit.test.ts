import { expect, test } from 'vitest';
import { problemsOfCareRecords } from './care-record.ts';

const record = { id: 'r1', programme: 'DMP', title: 'Diabetes', status: 'active', start: '2024-02-29' };
const answer = (...careRecords: unknown[]) => ({ kvnr: 'A123456780', careRecords });

test('an answer without care records is valid', () => {
  expect(problemsOfCareRecords(answer())).toEqual({});
});

test('unknown fields are allowed everywhere', () => {
  const document = { id: 'd', mediaType: 'text/plain', contentBase64: 'QUJD', sha: 1 };
  const full = {
    ...record,
    extra: { deep: [null] },
    provider: { city: 'X' },
    diagnoses: [{ code: 'E11', x: 1 }],
    documents: [document],
  };
  expect(problemsOfCareRecords({ ...answer(full), page: 1 })).toEqual({});
});

test('a title is measured in characters, as in the contract, not in UTF-16 units', () => {
  expect(problemsOfCareRecords(answer({ ...record, title: '𝛂'.repeat(500) }))).toEqual({});
  expect(problemsOfCareRecords(answer({ ...record, title: '𝛂'.repeat(501) }))).toEqual({
    flags: 'careRecords[0].title: too long',
  });
});

test.each([
  ['a text', 'answer: not of type object'],
  [null, 'answer: not of type object'],
  [{ careRecords: [] }, 'kvnr: missing'],
  [{ kvnr: 'A123456780' }, 'careRecords: missing'],
  [{ kvnr: 'A123456780', careRecords: {} }, 'careRecords: not of type array'],
  [answer(record, { ...record, id: '' }), 'careRecords[1].id: empty'],
  [answer(record, { ...record, id: undefined, start: 7 }), 'careRecords[1].id: missing'],
  [answer(record, null), 'careRecords[1]: not of type object'],
  [answer(record, record), 'careRecords[1].id: not unique'],
  [answer({ ...record, id: 'x'.repeat(999) }), 'careRecords[0].id: too long'],
  [answer({ ...record, id: '😀'.repeat(400) }), 'careRecords[0].id: too long'],
  [answer({ ...record, id: '\0'.repeat(167) }), 'careRecords[0].id: too long'], // \u0000 each
])('an answer that cannot be stored: %j', (value, hard) => {
  expect(problemsOfCareRecords(value)).toEqual({ hard });
});

test.each([
  [{ id: 'x'.repeat(65) }, 'id: too long'],
  [{ programme: 'secret' }, 'programme: not one of the allowed'],
  [{ status: undefined }, 'status: missing'],
  [{ status: null }, 'status: not one of the allowed'],
  [{ start: '2023-02-29' }, 'start: not a date'],
  [{ start: '2023-00-00' }, 'start: not a date'],
  [{ end: null }, 'end: not of type string'],
  [{ provider: null }, 'provider: not of type object'],
  [{ provider: { name: 7 } }, 'provider.name: not of type string'],
  [{ diagnoses: [{}] }, 'diagnoses[0].code: missing'],
  [{ documents: null }, 'documents: not of type array'],
  [{ documents: [7] }, 'documents[0]: not of type object'],
  [{ documents: [{ id: 'd', mediaType: 'x' }] }, 'documents[0].contentBase64: missing'],
  [{ documents: [{ id: 'd', mediaType: 'x', contentBase64: '***' }] }, 'documents[0].contentBase64: not base64'],
])('an answer that is stored as it was sent, and flagged with the path and never the value: %j', (change, flag) => {
  expect(problemsOfCareRecords(answer({ ...record, ...change }))).toEqual({ flags: `careRecords[0].${flag}` });
});

test('only the first problems of an answer are named', () => {
  expect(problemsOfCareRecords(answer(...Array.from({ length: 25 }, () => 1))).hard).toMatch(
    /careRecords\[19\]: not of type object; and more$/,
  );
  const flagged = answer(...Array.from({ length: 25 }, (_, id) => ({ ...record, id: `${id}`, start: '' })));
  expect(problemsOfCareRecords(flagged).flags).toMatch(/careRecords\[19\].start: not a date; and more$/);
});
