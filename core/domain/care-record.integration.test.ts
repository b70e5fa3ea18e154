import { expect, test } from 'vitest';
import { problemsOfCareRecords } from './care-record.ts';

const record = { id: 'r1', programme: 'DMP', title: 'Diabetes', status: 'active', start: '2024-02-29' };
const answer = (...careRecords: unknown[]) => ({ kvnr: 'A123456780', careRecords });

/** Runs in its own process, because V8 keeps more garbage of this test next to that of other tests. */
test.each([
  ['records', answer(...Array(60_000).fill(0))],
  ['documents', answer({ ...record, documents: Array(300_000).fill(0) })],
  ['diagnoses', answer({ ...record, diagnoses: Array(300_000).fill(0) })],
])('an answer with very many wrong %s is described without checking all of them', (_what, value) => {
  const bytesBefore = process.memoryUsage().heapUsed;
  const { hard, flags } = problemsOfCareRecords(value);
  expect(hard ?? flags).toMatch(/; and more$/);
  expect(process.memoryUsage().heapUsed - bytesBefore).toBeLessThan(16 * 1024 * 1024);
});
