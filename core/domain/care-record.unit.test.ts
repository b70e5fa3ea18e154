import { expect, test } from 'vitest';
import { careRecordsAnswerProblem } from './care-record.ts';

const record = { id: 'r1', programme: 'DMP', title: 'Diabetes', status: 'active', start: '2024-02-29' };
const answer = (...careRecords: unknown[]) => ({ kvnr: 'A123456780', careRecords });

test('an answer without care records is valid', () => {
  expect(careRecordsAnswerProblem(answer())).toBeUndefined();
});

test('unknown fields are allowed everywhere', () => {
  const document = { id: 'd', mediaType: 'text/plain', contentBase64: '***not base64', sha: 1 };
  const full = {
    ...record,
    extra: { deep: [null] },
    provider: { city: 'X' },
    diagnoses: [{ code: 'E11', x: 1 }],
    documents: [document],
  };
  expect(careRecordsAnswerProblem({ ...answer(full), page: 1 })).toBeUndefined();
});

test('a title is measured in characters, as in the contract, not in UTF-16 units', () => {
  expect(careRecordsAnswerProblem(answer({ ...record, title: '𝛂'.repeat(500) }))).toBeUndefined();
  expect(careRecordsAnswerProblem(answer({ ...record, title: '𝛂'.repeat(501) }))).toBe(
    'careRecords[0].title: too long',
  );
});

test.each([
  ['a text', 'answer: not of type object'],
  [null, 'answer: not of type object'],
  [{ careRecords: [] }, 'kvnr: missing'],
  [{ kvnr: 'A12345678', careRecords: [] }, 'kvnr: wrong form'],
  [{ kvnr: 'A123456780', careRecords: {} }, 'careRecords: not of type array'],
  [answer(record, { ...record, id: '' }), 'careRecords[1].id: empty'],
  [answer({ ...record, programme: 'secret' }), 'careRecords[0].programme: not one of the allowed'],
  [answer({ ...record, status: undefined }), 'careRecords[0].status: missing'],
  [answer({ ...record, start: '2023-02-29' }), 'careRecords[0].start: not a date'],
  [answer({ ...record, end: null }), 'careRecords[0].end: not of type string'],
  [answer({ ...record, provider: { name: 7 } }), 'careRecords[0].provider.name: not of type string'],
  [answer({ ...record, diagnoses: [{}] }), 'careRecords[0].diagnoses[0].code: missing'],
  [
    answer({ ...record, documents: [{ id: 'd', mediaType: 'x' }] }),
    'careRecords[0].documents[0].contentBase64: missing',
  ],
  [answer(record, record), 'careRecords[1].id: not unique'],
])('a problem names the path and never the value: %j', (value, problem) => {
  expect(careRecordsAnswerProblem(value)).toBe(problem);
});

test('only the first problems of an answer are named', () => {
  expect(careRecordsAnswerProblem(answer(...Array.from({ length: 9 }, () => 1)))).toMatch(
    /careRecords\[4\]: not of type object; and more$/,
  );
});
