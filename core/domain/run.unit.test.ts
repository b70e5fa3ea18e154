import fc from 'fast-check';
import { expect, test } from 'vitest';
import { zeroLineUse } from './line.ts';
import {
  countList,
  countPatient,
  countPending,
  countRemoved,
  isFlaggedRecorded,
  type PatientOutcome,
  progressOf,
  startRun,
} from './run.ts';

const outcomes: readonly PatientOutcome[] = ['done', 'not-insured', 'held', 'permanently-failed', 'exhausted', 'gone'];
const line = { state: 'open', busy: false } as const;

test('each patient is counted exactly once, independent of the outcome', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...outcomes), { maxLength: 60 }), fc.nat(20), (ended, left) => {
      let run = countPending(startRun('r', 0), ended.length + left);
      for (const [index, outcome] of ended.entries()) run = countPatient(run, outcome, zeroLineUse, index * 1_000);
      const { total, done, pending, failed, notInsured } = progressOf(run, line, 60_000).careRecords;
      expect(total).toBe(done + pending + failed + notInsured);
      expect(pending).toBe(left);
      expect(total).toBe(ended.filter((outcome) => outcome !== 'gone').length + left);
    }),
  );
});

test('after a new list, exhausted patients are pending again, and permanently failed patients are still failed', () => {
  let run = countPending(startRun('r', 0), 3);
  run = countPatient(run, 'exhausted', zeroLineUse, 1_000);
  run = countPatient(run, 'permanently-failed', zeroLineUse, 2_000);
  run = countPatient(run, 'done', zeroLineUse, 3_000);
  run = countPending(run, 2); // the exhausted one and a new one
  expect(progressOf(run, line, 4_000).careRecords).toEqual({ total: 4, done: 1, pending: 2, failed: 1, notInsured: 0 });
});

test('flagged care records are counted in the whole run, and the first 1 000 of them become issues', () => {
  let run = countPending(startRun('r', 0), 1_000);
  expect(progressOf(run, line, 0).careRecords).not.toHaveProperty('flagged');
  for (let patient = 1; patient <= 999; patient++) run = countPatient(run, 'done', zeroLineUse, patient, true);
  run = countPatient(run, 'done', zeroLineUse, 1_000);
  run = countPending(run, 1);
  expect(progressOf(run, line, 1_000).careRecords).toMatchObject({ done: 1_000, flagged: 999 });
  expect(isFlaggedRecorded(run)).toBe(true);
  run = countPatient(run, 'done', zeroLineUse, 1_001, true);
  expect(isFlaggedRecorded(run)).toBe(false);
  run = countPatient(run, 'done', zeroLineUse, 1_002, true);
  expect(progressOf(run, line, 1_002).careRecords).toMatchObject({ flagged: 1_001 });
});

test('new and changed patients of several lists add up, and the last list sets the listed patients', () => {
  let run = countList(
    startRun('r', 0),
    { listed: 10, new: 10, changed: 0, unchanged: 0 },
    { quarantined: 1, flagged: 2 },
    2,
  );
  run = countRemoved(run, 2);
  run = countList(run, { listed: 9, new: 1, changed: 2, unchanged: 6 }, { quarantined: 0 }, 1);
  expect(run.patients).toEqual({
    listed: 9,
    new: 11,
    changed: 2,
    unchanged: 6,
    removed: 2,
    quarantined: 0,
    flagged: 0,
    kvnrChanged: 1,
  });
});

test('the failure rate is per request, and an ended run has no time left', () => {
  const counted = countPatient(
    countPending(startRun('r', 0), 2),
    'done',
    { requests: 5, faults: { reset: 3, busy: 1 } },
    1_000,
  );
  const inCare = { ...counted, phase: 'care-records' as const };
  expect(progressOf(inCare, line, 60_000)).toMatchObject({
    line: { requests: 5, failures: 4, failureRate: 0.8 },
    etaSeconds: 60,
  });
  expect(progressOf({ ...inCare, state: 'cancelled', finishedAtMs: 60_000 }, line, 90_000)).not.toHaveProperty(
    'etaSeconds',
  );
});

test('only a cancelled run shows who cancelled it, and why', () => {
  const cancellation = { by: 'olga', reason: 'the wrong list' };
  const asked = { ...startRun('r', 0), cancellation };
  expect(progressOf(asked, line, 1_000)).not.toHaveProperty('cancellation');
  expect(progressOf({ ...asked, state: 'completed' }, line, 1_000)).not.toHaveProperty('cancellation');
  expect(progressOf({ ...asked, state: 'cancelled' }, line, 1_000)).toMatchObject({ cancellation });
});
