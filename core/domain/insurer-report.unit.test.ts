import { expect, test } from 'vitest';
import { collectInsurerProblems, dayInGermany } from './insurer-report.ts';
import type { Issue } from './issue.ts';
import type { Progress } from './progress.ts';
import { progressOf, startRun } from './run.ts';

const runId = '20261124T213000Z-1f3a9c0e';
const run: Progress = {
  ...progressOf(startRun(runId, 0), { state: 'open', busy: false }, 0),
  startedAt: '2026-11-24T21:30:00.000Z',
  finishedAt: '2026-11-24T23:00:00.000Z',
};
const when = { runId, startedAt: run.startedAt, finishedAt: run.finishedAt };
const ref = (digit: number): string => String(digit).repeat(32);

function problemsOf(issues: readonly Issue[], progress: Progress = run) {
  const problems = collectInsurerProblems(progress);
  for (const issue of issues) problems.add([issue]);
  return problems.list();
}

test('equal problems of entries are one row, with how often and the first five places', () => {
  const issues = Array.from(
    { length: 7 },
    (_, position): Issue => ({
      kind: 'quarantined',
      reason: 'kvnr: check digit; birthDate: missing',
      position,
    }),
  );
  const facts = { ...when, request: 'list', effect: 'not-stored', count: 7, positions: [0, 1, 2, 3, 4] };
  expect(problemsOf(issues)).toEqual([
    { ...facts, problem: 'check digit', where: '$[*].kvnr' },
    { ...facts, problem: 'missing', where: '$[*].birthDate' },
  ]);
});

test('positions within care records do not matter, and the patients are named by pseudonym', () => {
  const flagged = (digit: number): Issue => ({
    kind: 'flagged',
    reason: `careRecords[${digit}].diagnoses[0].code: not of type string; and 3 more`,
    patientRef: ref(digit),
  });
  expect(problemsOf([flagged(1), flagged(2)])).toEqual([
    {
      ...{ ...when, request: 'care-records', effect: 'stored-as-sent', problem: 'not of type string' },
      ...{ where: '$.careRecords[*].diagnoses[*].code', count: 2, patientRefs: [ref(1), ref(2)] },
    },
  ]);
});

test('a flagged entry is named by its place: the insurer does not know the pseudonym', () => {
  const [problem] = problemsOf([{ kind: 'flagged', reason: 'gender: missing', position: 3, patientRef: ref(1) }]);
  expect(problem).toMatchObject({ request: 'list', effect: 'stored-as-sent', where: '$[*].gender', positions: [3] });
  expect(problem).not.toHaveProperty('patientRefs');
});

test("an unusable list, an unknown patient and exhausted requests are the insurer's; what is ours is left out", () => {
  const failed = (reason: string): Issue => ({ kind: 'care-records', reason, patientRef: ref(1) });
  const problems = problemsOf([
    { kind: 'list', reason: 'list: not an array' },
    { kind: 'list', reason: 'ListUnusable' },
    ...['PatientUnknown', 'stalled', 'answer: not UTF-8', 'PayloadLost', 'PatientChanged', 'unknown'].map(failed),
    { kind: 'kvnr-changed', reason: 'SamePerson', patientRef: ref(1), previousPatientRef: ref(2) },
  ]);
  expect(problems.map(({ request, effect, problem, where }) => [request, effect, problem, where])).toEqual([
    ['list', 'list-unusable', 'not an array', '$'],
    ['list', 'list-unusable', 'ListUnusable', undefined],
    ['care-records', 'not-fetched', 'PatientUnknown', undefined],
    ['care-records', 'not-fetched', 'stalled', undefined],
    ['care-records', 'not-fetched', 'not UTF-8', '$'],
  ]);
});

test('failed requests are counted by fault, of all requests of the run', () => {
  const line = { ...run.line, requests: 100, failures: 80, faults: { stalled: 60, 'server-error': 20 } };
  const facts = { ...when, request: 'any', effect: 'request-failed', of: 100 };
  expect(problemsOf([], { ...run, line })).toEqual([
    { ...facts, problem: 'stalled', count: 60 },
    { ...facts, problem: 'server-error', count: 20 },
  ]);
});

test('what the run has counted without an issue is a row of its own', () => {
  const issue: Issue = { kind: 'quarantined', reason: 'kvnr: missing', position: 0 };
  const progress = { ...run, patients: { ...run.patients, quarantined: 12_001 } };
  expect(problemsOf([issue], progress)).toMatchObject([
    { effect: 'not-stored', problem: 'further ones, which are only counted', count: 12_000 },
    { effect: 'not-stored', problem: 'missing', count: 1 },
  ]);
});

test.each([
  ['2026-11-24', '2026-11-23T23:00:00Z', '2026-11-24T23:00:00Z'],
  ['2026-03-29', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
  ['2026-10-25', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
])('the day %s lasts from %s to %s', (day, start, end) => {
  expect(dayInGermany(day)).toEqual({ startMs: Date.parse(start), endMs: Date.parse(end) });
});
