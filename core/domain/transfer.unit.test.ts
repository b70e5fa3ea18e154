import { expect, test } from 'vitest';
import type { Progress } from './progress.ts';
import { progressOf, startRun } from './run.ts';
import { type Transfer, withTransfers } from './transfer.ts';

const runId = '20261124T213000Z-1f3a9c0e';
const measuredAt = '2026-11-24T22:30:00.000Z';
const nowMs = Date.parse(measuredAt) + 1_000;
const use = { requests: 5, faults: { stalled: 3, reset: 1 } } as const;
const list: Transfer = {
  kind: 'list',
  listId: `${runId}-1`,
  since: '2026-11-24T21:30:01.000Z',
  receivedBytes: 400,
  totalBytes: 1_000,
  bytesPerSecond: 10,
  use,
};
const careRecords: Transfer = {
  kind: 'care-records',
  since: '2026-11-24T22:29:00.000Z',
  receivedBytes: 2_000_000,
  bytesPerSecond: 50_000,
  use: { requests: 1, faults: { 'cut-short': 1 } },
};
const progress: Progress = {
  ...progressOf(startRun(runId, 0), { state: 'open', busy: true }, 0),
  line: { state: 'open', busy: true, requests: 2, failures: 1, failureRate: 0.5, faults: { stalled: 1 } },
};

test('while the list is fetched, the progress has its bytes, the time left, and its requests added to those of the run', () => {
  expect(withTransfers(progress, { measuredAt, transfers: [list] }, nowMs)).toMatchObject({
    transfers: [
      {
        ...{ kind: 'list', since: list.since, measuredAt, receivedBytes: 400, totalBytes: 1_000, bytesPerSecond: 10 },
        ...{ secondsLeft: 60, requests: 5, failures: 4, faults: use.faults },
      },
    ],
    line: { state: 'open', busy: true, requests: 7, failures: 5, failureRate: 5 / 7, faults: { stalled: 4, reset: 1 } },
  });
});

test('without a total or a rate, no time left is shown', () => {
  const { totalBytes: _, ...withoutTotal } = list;
  for (const transfer of [withoutTotal, { ...list, bytesPerSecond: 0 }])
    expect(withTransfers(progress, { measuredAt, transfers: [transfer] }, nowMs).transfers?.[0]).not.toHaveProperty(
      'secondsLeft',
    );
});

test.each([
  ['of another run', { ...progress, runId: '20261125T213000Z-00000000' }],
  ['that the run has', { ...progress, phase: 'split' as const }],
  ['of a run that has ended', { ...progress, state: 'cancelled' as const }],
])('a list %s is not shown, and its requests are not counted twice', (_which, seen) => {
  expect(withTransfers(seen, { measuredAt, transfers: [list] }, nowMs)).toBe(seen);
});

test('the requests for care records are not added: the run counts them when the patient is done', () => {
  const seen = withTransfers({ ...progress, phase: 'care-records' }, { measuredAt, transfers: [careRecords] }, nowMs);
  expect(seen.transfers).toMatchObject([{ kind: 'care-records', receivedBytes: 2_000_000 }]);
  expect(seen.line).toEqual(progress.line);
});

test('of a measurement that is old, only the list is shown, without a rate', () => {
  const { transfers } = withTransfers(progress, { measuredAt, transfers: [list, careRecords] }, nowMs + 60_000);
  expect(transfers).toMatchObject([{ kind: 'list', receivedBytes: 400, bytesPerSecond: 0, measuredAt }]);
  expect(transfers?.[0]).not.toHaveProperty('secondsLeft');
});

test('requests for patients whose fetch has not ended are added to those of their run, also if the measurement is old', () => {
  const unfinished = { runId, use };
  const later = nowMs + 60_000;
  const { line, transfers } = withTransfers(progress, { measuredAt, transfers: [], unfinished }, later);
  expect(line).toMatchObject({ requests: 7, failures: 5, faults: { stalled: 4, reset: 1 } });
  expect(transfers).toBeUndefined();
  const other = { measuredAt, transfers: [], unfinished: { ...unfinished, runId: 'run-0' } };
  expect(withTransfers(progress, other, later)).toBe(progress);
});
