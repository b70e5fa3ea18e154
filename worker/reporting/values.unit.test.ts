import { expect, test } from 'vitest';
import type { CareRecordsAge } from '../../core/domain/freshness.ts';
import { newGate } from '../../core/domain/gate.ts';
import {
  countAge,
  countList,
  countPatient,
  countPending,
  countProvisional,
  progressOf,
  startRun,
} from '../../core/domain/run.ts';
import { faultValues, gateValues, lineValues, runValues } from './values.ts';

const hours = { startHour: 3, dueHour: 8 };
const startedAtMs = Date.parse('2026-11-25T02:00:00Z'); // three o'clock in Germany
const line = { state: 'open', busy: true } as const;
const listCounts = { listed: 10, new: 10, changed: 0, unchanged: 0 };
const started = startRun('run-2', startedAtMs);
const counted = countProvisional(countList(started, listCounts, { quarantined: 2, flagged: 3 }, 4), 2);
const run = countPending(counted, 10);

test('the metrics of a current run contain its progress and the remaining time', () => {
  const fault = { requests: 4, faults: { stalled: 3 } };
  const later = countPatient(
    countPatient(run, 'done', fault, startedAtMs + 30_000, true),
    'exhausted',
    fault,
    startedAtMs + 60_000,
  );
  const progress = progressOf({ ...later, phase: 'care-records' }, line, startedAtMs + 60_000);
  expect(runValues([progress], hours, startedAtMs + 60_000)).toEqual({
    RunOverdueMinutes: 19 * 60 + 1, // no run of the day before exists
    RunInProgress: 1,
    RunFailed: 0,
    RunHasProblems: 0,
    RunAwaitsDecision: 0,
    RunPatientsDone: 1,
    RunPatientsPending: 8,
    RunPatientsFailed: 1,
    RunEntriesQuarantined: 2,
    RunEntriesFlagged: 3,
    RunCareRecordsFlagged: 1,
    RunUnreadablePercent: 50, // one of two patients asked
    RunPatientsProvisional: 2,
    RunKvnrsChanged: 4,
    RunPatientsPerMinute: 2,
    RunSecondsLeft: 240,
  });
});

test('the age of the stored care records is that of the last count, and missing if none is known', () => {
  const of = (age: CareRecordsAge) =>
    runValues([progressOf(countAge(run, age), line, startedAtMs)], hours, startedAtMs);
  expect(of({ oldestDays: 40, medianDays: 3, unknown: 2 })).toMatchObject({
    CareRecordsOldestDays: 40,
    CareRecordsMedianDays: 3,
  });
  expect(of({ unknown: 2 })).not.toHaveProperty('CareRecordsOldestDays');
});

test('a failed run is reported while it is the newest, and the run is overdue until one is completed', () => {
  const failed = progressOf({ ...run, state: 'failed', finishedAtMs: startedAtMs + 60_000 }, line, startedAtMs);
  const completed = progressOf({ ...run, state: 'completed', finishedAtMs: startedAtMs + 90_000 }, line, startedAtMs);
  const atNineMs = Date.parse('2026-11-25T08:00:00Z');
  expect(runValues([failed], hours, atNineMs)).toMatchObject({ RunFailed: 1, RunInProgress: 0, RunOverdueMinutes: 60 });
  expect(runValues([completed, failed], hours, atNineMs)).toMatchObject({ RunFailed: 0, RunOverdueMinutes: 0 });
  expect(runValues([failed], hours, atNineMs)).not.toHaveProperty('RunSecondsLeft');
  expect(runValues([], hours, atNineMs)).toEqual({
    RunOverdueMinutes: 60,
    RunInProgress: 0,
    RunFailed: 0,
    RunHasProblems: 0,
    RunAwaitsDecision: 0,
  });
});

test('a run that is completed with problems is reported as such, and is not overdue', () => {
  const ended = { ...run, state: 'completed-with-problems', finishedAtMs: startedAtMs + 90_000 } as const;
  const values = runValues([progressOf(ended, line, startedAtMs)], hours, Date.parse('2026-11-25T08:00:00Z'));
  expect(values).toMatchObject({ RunHasProblems: 1, RunFailed: 0, RunOverdueMinutes: 0, RunUnreadablePercent: 16.7 });
});

test('the metrics of the gate say how long the line has been paused, and whether it has paused itself', () => {
  const nowMs = Date.parse('2026-11-25T10:00:00Z');
  const open = newGate('kk', 1);
  const paused = { ...open, state: 'paused', by: 'olga', reason: 'r', changeNumber: 1 } as const;
  expect(gateValues({ ...open, since: '2026-11-25T09:00:00Z' }, nowMs)).toEqual({
    LinePaused: 0,
    LinePausedBySystem: 0,
    LinePausedSeconds: 0,
    LineCooldownSeconds: 0,
  });
  expect(gateValues({ ...open, cooldownMs: 5_400_001, defaultPace: 30 }, nowMs)).toMatchObject({
    LineCooldownSeconds: 5_401,
    LinePace: 30,
  });
  expect(gateValues({ ...paused, since: '2026-11-25T09:30:00Z' }, nowMs)).toMatchObject({
    LinePaused: 1,
    LinePausedBySystem: 0,
    LinePausedSeconds: 1_800,
  });
  const itself = { ...paused, since: '2026-11-25T09:30:00Z', by: 'system' };
  const second = { number: 2, by: 'system', since: '2026-11-25T09:40:00Z', reason: 'unauthorized' };
  const first = { ...second, number: 1, by: 'olga', since: '2026-11-25T09:30:00Z' };
  const both = { ...paused, since: first.since, openReasons: [first, second] };
  expect(gateValues(both, nowMs)).toMatchObject({ LinePausedBySystem: 1 });
  expect(gateValues(itself, nowMs)).toMatchObject({ LinePausedBySystem: 1 });
  expect(gateValues({ ...itself, state: 'open' }, nowMs)).toMatchObject({ LinePausedBySystem: 0 });
  expect(gateValues({ ...paused, since: '2026-11-25T10:00:05Z' }, nowMs)).toMatchObject({ LinePausedSeconds: 0 });
});

test('the metrics of the line contain its utilisation and its failures by kind', () => {
  const measured = {
    requests: 5,
    faults: { stalled: 3, busy: 1 },
    receivedBytes: 4_096,
    busyMs: 29_012,
    elapsedMs: 30_000,
    sinceSuccessMs: 4_700,
  };
  expect(lineValues(measured)).toEqual({
    LineRequests: 5,
    LineFailures: 4,
    LineUtilisationPercent: 96.7,
    LineBytesReceived: 4_096,
    LineSecondsSinceSuccess: 4,
  });
  expect(faultValues(measured)).toEqual([
    ['stalled', { LineFailuresByFault: 3 }],
    ['busy', { LineFailuresByFault: 1 }],
  ]);
});
