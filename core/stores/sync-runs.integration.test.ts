import { randomUUID } from 'node:crypto';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { expect, test } from 'vitest';
import type { Issue, KnownIssue } from '../domain/issue.ts';
import { progressOf, startRun } from '../domain/run.ts';
import { openEmulatedStores } from './emulated.fixture.ts';
import { defaultTables } from './tables.ts';

const { syncRuns, dynamo } = openEmulatedStores();
const progressFor = (runId: string, phase: 'list' | 'done' = 'list') =>
  progressOf({ ...startRun(runId, 0), phase }, { state: 'open', busy: false }, 0);

async function beginList(insurerId: string, listId: string): Promise<void> {
  const { epoch } = await syncRuns.readListState(insurerId);
  expect(await syncRuns.beginList(insurerId, listId, epoch)).toBe(true);
}
async function applyList(insurerId: string, listId: string, etag: string): Promise<void> {
  await beginList(insurerId, listId);
  await syncRuns.endEntries(insurerId, listId);
  await syncRuns.completeList(insurerId, listId, etag);
}

const appliedList = async (insurerId: string) => (await syncRuns.readListState(insurerId)).applied;

test('the last progress of a run is stored, and a late one changes nothing', async () => {
  const insurerId = randomUUID();
  await syncRuns.saveProgress(insurerId, progressFor('run-1', 'done'), 2);
  await syncRuns.saveProgress(insurerId, progressFor('run-1', 'list'), 1);
  expect(await syncRuns.readProgress(insurerId)).toEqual(progressFor('run-1', 'done'));
  expect(await syncRuns.readProgress(insurerId, 'run-1')).toEqual(progressFor('run-1', 'done'));
  expect(await syncRuns.readProgress(insurerId, 'run-2')).toBeUndefined();
});

test('before the first run there is no progress', async () => {
  expect(await syncRuns.readProgress(randomUUID())).toBeUndefined();
});

test('runs are listed newest first, page by page, without issues and lists among them', async () => {
  const insurerId = randomUUID();
  const runIds = ['run-1', 'run-2', 'run-3', 'run-4', 'run-5'];
  for (const runId of runIds) {
    await syncRuns.saveProgress(insurerId, progressFor(runId), 1);
    await syncRuns.addIssues(insurerId, runId, [{ kind: 'list', reason: 'ListUnusable' }]);
  }
  await applyList(insurerId, 'l', '"e"');
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await syncRuns.listRuns(insurerId, 2, after);
    seen.push(...page.entries.map(({ runId }) => runId));
    after = page.lastKey;
  } while (after !== undefined);
  expect(seen).toEqual(runIds.reverse());
});

const withoutHistory = ({ id: _, firstSeen: _first, lastSeen: _last, runs: _runs, ...issue }: KnownIssue): Issue =>
  issue;

test('each issue is stored once, and quarantined entries are in the order of the list', async () => {
  const insurerId = randomUUID();
  const issues: Issue[] = [
    { kind: 'care-records', reason: 'PatientUnknown', patientRef: 'p1' },
    ...Array.from(
      { length: 40 },
      (_, position): Issue => ({ kind: 'quarantined', reason: 'kvnr: missing', position }),
    ).reverse(),
  ];
  for (const _attempt of [1, 2]) await syncRuns.addIssues(insurerId, 'run-1', issues);
  const first = await syncRuns.listIssues(insurerId, 'run-1', 30);
  const rest = await syncRuns.listIssues(insurerId, 'run-1', 30, first.lastKey);
  expect([...first.entries, ...rest.entries].map(withoutHistory)).toEqual(issues.reverse());
  expect(rest.lastKey).toBeUndefined();
  expect((await syncRuns.listIssues(insurerId, 'run-2', 30)).entries).toEqual([]);
});

test('what is flagged comes after every other issue of a run', async () => {
  const insurerId = randomUUID();
  const issues: Issue[] = [
    { kind: 'quarantined', reason: 'kvnr: missing', position: 9 },
    { kind: 'kvnr-changed', reason: 'SamePerson', patientRef: 'p2', previousPatientRef: 'p1' },
    { kind: 'list', reason: 'ListUnusable' },
    { kind: 'care-records', reason: 'PatientUnknown', patientRef: 'p1' },
    { kind: 'flagged', reason: 'birthDate: missing', position: 2, patientRef: 'p3' },
    { kind: 'flagged', reason: 'careRecords[0].title: missing', patientRef: 'p3' },
  ];
  await syncRuns.addIssues(insurerId, 'run-1', issues);
  const { entries } = await syncRuns.listIssues(insurerId, 'run-1', 30);
  expect(entries.map(withoutHistory)).toEqual(issues);
});

test('a patient who fails twice in one run is one issue, with the last reason', async () => {
  const insurerId = randomUUID();
  for (const reason of ['reset', 'stalled']) {
    await syncRuns.addIssues(insurerId, 'run-1', [{ kind: 'care-records', reason, patientRef: 'p1' }]);
  }
  const { entries } = await syncRuns.listIssues(insurerId, 'run-1', 30);
  expect(entries.map(withoutHistory)).toEqual([{ kind: 'care-records', reason: 'stalled', patientRef: 'p1' }]);
});

test('an issue has its history over the runs, and each run counts once', async () => {
  const insurerId = randomUUID();
  const issue: Issue = { kind: 'flagged', reason: 'careRecords[0].start: not a date', patientRef: 'p1' };
  for (const runId of ['run-1', 'run-1', 'run-2']) await syncRuns.addIssues(insurerId, runId, [issue]);
  const [first] = (await syncRuns.listIssues(insurerId, 'run-1', 30)).entries;
  expect(first).toMatchObject({ runs: 2, firstSeen: expect.any(String), lastSeen: expect.any(String) });
  expect(first?.acknowledged).toBeUndefined();
  const [second] = (await syncRuns.listIssues(insurerId, 'run-2', 30)).entries;
  expect(second).toEqual(first);
});

test('an acknowledgement is kept until the paths of the issue change', async () => {
  const insurerId = randomUUID();
  const issue: Issue = { kind: 'flagged', reason: 'careRecords[0].start: not a date', patientRef: 'p1' };
  const by = { by: 'olga', at: '2026-11-29T10:00:00.000Z', note: 'ticket 4711' };
  expect(await syncRuns.addIssues(insurerId, 'run-1', [issue])).toEqual([]);
  const [{ id = '' } = {}] = (await syncRuns.listIssues(insurerId, 'run-1', 30)).entries;
  expect(await syncRuns.acknowledgeIssues(insurerId, [id, '0'.repeat(32)], by)).toBe(false);
  expect(await syncRuns.acknowledgeIssues(insurerId, [id], by)).toBe(true);

  const elsewhere = { ...issue, reason: 'careRecords[5].start: not a date' };
  expect(await syncRuns.addIssues(insurerId, 'run-2', [elsewhere])).toEqual([elsewhere]);
  expect((await syncRuns.listIssues(insurerId, 'run-2', 30)).entries).toMatchObject([{ runs: 2, acknowledged: by }]);

  const worse = { ...issue, reason: 'careRecords[0].start: not a date; careRecords[0].end: missing' };
  expect(await syncRuns.addIssues(insurerId, 'run-3', [worse])).toEqual([]);
  const [changed] = (await syncRuns.listIssues(insurerId, 'run-3', 30)).entries;
  expect(changed).toMatchObject({ runs: 1 });
  expect(changed?.acknowledged).toBeUndefined();
});

test('the list that was applied last is stored', async () => {
  const insurerId = randomUUID();
  expect(await appliedList(insurerId)).toBeUndefined();
  await applyList(insurerId, 'l1', '"e1"');
  await applyList(insurerId, 'l2', 'W/"e2"');
  expect(await appliedList(insurerId)).toEqual({ listId: 'l2', etag: 'W/"e2"' });
});

test('from the first write of another list on, no list is applied until that one is complete', async () => {
  const insurerId = randomUUID();
  await applyList(insurerId, 'l1', '"e1"');
  await beginList(insurerId, 'l2');
  expect(await appliedList(insurerId)).toBeUndefined();
  await syncRuns.completeList(insurerId, 'l1', '"e1"'); // late: another list has begun since
  expect(await appliedList(insurerId)).toBeUndefined();
  await syncRuns.completeList(insurerId, 'l2', undefined);
  expect(await appliedList(insurerId)).toBeUndefined();
});

test('of two lists that begin at the same time one is refused, and a late attempt of an earlier one changes nothing', async () => {
  const insurerId = randomUUID();
  const { epoch } = await syncRuns.readListState(insurerId);
  expect(await syncRuns.beginList(insurerId, 'l1', epoch)).toBe(true);
  expect(await syncRuns.beginList(insurerId, 'l1', epoch)).toBe(true); // its answer was lost
  expect(await syncRuns.beginList(insurerId, 'other', epoch)).toBe(false);
  expect(await syncRuns.isApplying(insurerId, 'l1', 'entries')).toBe(true);
  await applyList(insurerId, 'l2', '"e2"');
  expect(await syncRuns.beginList(insurerId, 'l1', epoch)).toBe(false);
  expect(await syncRuns.isApplying(insurerId, 'l1', 'entries')).toBe(false);
  expect(await appliedList(insurerId)).toEqual({ listId: 'l2', etag: '"e2"' });
});

test('completing a list twice changes nothing', async () => {
  const insurerId = randomUUID();
  await applyList(insurerId, 'l1', '"e1"');
  await syncRuns.completeList(insurerId, 'l1', '"e1"');
  expect(await appliedList(insurerId)).toEqual({ listId: 'l1', etag: '"e1"' });
});

test('a run has one sample for each change', async () => {
  const insurerId = randomUUID();
  expect(await syncRuns.readSamples(insurerId)).toBeUndefined();
  for (const [revision, done] of [0, 3, 3, 7].entries()) {
    const progress = progressFor('run-1');
    await syncRuns.saveProgress(insurerId, { ...progress, careRecords: { ...progress.careRecords, done } }, revision);
  }
  const kept = await syncRuns.readSamples(insurerId);
  expect(kept?.runId).toBe('run-1');
  expect(kept?.samples.map(({ done }) => done)).toEqual([0, 3, 7]);
});

test('the first pseudonym key is recognised, and any other key is rejected', async () => {
  const insurerId = randomUUID();
  expect(await syncRuns.isPseudonymKey(insurerId, 'mark')).toBe(true);
  expect(await syncRuns.isPseudonymKey(insurerId, 'mark')).toBe(true);
  expect(await syncRuns.isPseudonymKey(insurerId, 'another')).toBe(false);
  expect(await syncRuns.isPseudonymKey(randomUUID(), 'another')).toBe(true);
  expect(await syncRuns.readProgress(insurerId)).toBeUndefined(); // the mark is not a run
});

test('an applied list can be forgotten', async () => {
  const insurerId = randomUUID();
  await applyList(insurerId, 'l', '"e"');
  await syncRuns.forgetAppliedList(insurerId);
  await syncRuns.forgetAppliedList(insurerId);
  expect(await appliedList(insurerId)).toBeUndefined();
});

test.each([
  ['0.2.0', {}],
  ['a version with other name hashes', { nameHashFormat: 1 }],
])('a list that %s has applied is fetched again, so that its patients can be found', async (_, facts) => {
  const insurerId = randomUUID();
  await applyList(insurerId, 'l', '"e"');
  await dynamo.send(
    new UpdateCommand({
      TableName: defaultTables.syncRuns,
      Key: { insurerId: `${insurerId}#list`, runId: 'applied' },
      UpdateExpression: 'SET #list = :list',
      ExpressionAttributeNames: { '#list': 'list' },
      ExpressionAttributeValues: { ':list': { listId: 'l', etag: '"e"', ...facts } },
    }),
  );
  expect(await syncRuns.readListState(insurerId)).toEqual({ epoch: 1 });
  await applyList(insurerId, 'l2', '"e"');
  expect(await appliedList(insurerId)).toEqual({ listId: 'l2', etag: '"e"' });
});

test('a list that is being applied is fetched again if it is forgotten meanwhile, and its removals are carried out', async () => {
  const insurerId = randomUUID();
  await beginList(insurerId, 'l1');
  await syncRuns.forgetAppliedList(insurerId);
  expect(await syncRuns.isApplying(insurerId, 'l1', 'entries')).toBe(true);
  await syncRuns.endEntries(insurerId, 'l1');
  await syncRuns.completeList(insurerId, 'l1', '"e1"');
  expect(await appliedList(insurerId)).toBeUndefined();
  await applyList(insurerId, 'l2', '"e2"');
  expect(await appliedList(insurerId)).toEqual({ listId: 'l2', etag: '"e2"' });
});

test('first the entries of a list may be written, then its removals, and nothing once its run has ended', async () => {
  const insurerId = randomUUID();
  const written = async () => ({
    entries: await syncRuns.isApplying(insurerId, 'run-1', 'entries'),
    removals: await syncRuns.isApplying(insurerId, 'run-1', 'removals'),
  });
  await beginList(insurerId, 'run-1');
  expect(await written()).toEqual({ entries: true, removals: false });
  await syncRuns.endEntries(insurerId, 'run-1');
  await syncRuns.endEntries(insurerId, 'run-1');
  expect(await written()).toEqual({ entries: false, removals: true });
  await syncRuns.abandonLists(insurerId, ['run-2', 'run-12']);
  expect(await written()).toEqual({ entries: false, removals: true });
  await syncRuns.abandonLists(insurerId, ['run-2', 'run-1']);
  expect(await written()).toEqual({ entries: false, removals: false });
  await syncRuns.endEntries(insurerId, 'run-1'); // late
  await syncRuns.completeList(insurerId, 'run-1', '"e1"'); // late
  expect(await appliedList(insurerId)).toBeUndefined();
});
