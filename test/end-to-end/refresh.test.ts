import { expect, test } from 'vitest';
import { type Day, insurerId, startDay } from '../day.fixture.ts';

const dayMs = 24 * 60 * 60_000;
const mix = { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10, hang: 0, stalled: 0, busy: 0 };
const pure = { malformedEntries: 0, differingDuplicates: 0, notInsuredShare: 0, unknownShare: 0 };
const monthly = { CARE_REFRESH_AFTER_DAYS: '30' };

/** Makes the care records of a patient look older. Returns their version. */
async function age(day: Day, kvnr: string, days: number, isEtagKept = true): Promise<string> {
  const patientRef = day.refOf(kvnr);
  const { careVersion = '', incarnation = 0, careEtag } = (await day.stores.patients.get(patientRef)) ?? {};
  const receivedAt = new Date(Date.now() - days * dayMs).toISOString();
  const answer = { receivedAt, etag: isEtagKept ? careEtag : undefined };
  await day.stores.patients.activateCareVersion(patientRef, careVersion, incarnation, answer);
  return careVersion;
}

/** Resolves with the progress of a run whose refresh has ended. */
const refreshed = async (day: Day, runId: string) =>
  await day.until(
    (progress) => progress.runId === runId && ['completed', 'stopped'].includes(progress.refresh?.state ?? ''),
  );

/** Starts a run, and resolves once its refresh has ended, too: it would ask for what a test makes stale. */
async function runWithRefresh(day: Day): Promise<void> {
  const { runId } = await day.runToEnd();
  await refreshed(day, runId);
}

/** Returns the KVNRs that were asked for, each once, in order. */
const askedFor = (day: Day): string[] => [...new Set(day.insurer.log().flatMap(({ kvnr }) => kvnr ?? []))];

test('after a run, the stalest care records are asked for again: a 304 renews their date and stores nothing', async () => {
  await using day = await startDay({ patients: 30, rate: 0.4, mix, ...pure }, monthly);
  await day.startWorker();
  const first = await day.runToEnd();
  const nothing = { done: 0, unchanged: 0, failed: 0, removed: 0 };
  expect((await refreshed(day, first.runId)).refresh).toEqual({ state: 'completed', ...nothing });

  const [fresh = '', old = '', oldest = '', untagged = '', leaving = ''] = day.insurer
    .patients()
    .map(({ kvnr }) => kvnr);
  await age(day, fresh, 29);
  const oldVersion = await age(day, old, 40);
  const oldestVersion = await age(day, oldest, 90);
  const untaggedVersion = await age(day, untagged, 60, false);
  await age(day, leaving, 31);
  const freshBefore = await day.stores.patients.get(day.refOf(fresh));
  const accesses = async (kvnr: string) =>
    (await day.stores.accessLog.read(day.refOf(kvnr), 100)).entries.map(({ operation }) => operation);
  const accessesBefore = await accesses(old);
  const startedAtMs = Date.now();
  day.insurer.unchangedDay();
  day.insurer.resetLog();
  day.insurer.setFaults({ rate: 0 });
  day.insurer.script({ match: leaving, fault: 'not-insured' });
  const run = await day.runToEnd();
  expect(run).toMatchObject({ state: 'completed', careRecords: { total: 0 } });
  expect(run.careRecordsAge).toEqual({ oldestDays: 90, medianDays: 0, unknown: 0 });

  const after = await refreshed(day, run.runId);
  expect(after.refresh).toEqual({ state: 'completed', pending: 0, done: 1, unchanged: 2, failed: 0, removed: 1 });
  expect(after).toMatchObject({ state: 'completed', careRecords: run.careRecords, unapprovedRemovals: 1 });
  expect(askedFor(day)).toEqual([oldest, untagged, old, leaving]);
  for (const [kvnr, version] of [
    [old, oldVersion],
    [oldest, oldestVersion],
  ] as const) {
    const patient = await day.stores.patients.get(day.refOf(kvnr));
    expect(patient).toMatchObject({ careVersion: version, careState: 'current' });
    expect(Date.parse(patient?.careRecordsAsOf ?? '')).toBeGreaterThanOrEqual(startedAtMs);
  }
  expect(await accesses(old)).toEqual(accessesBefore); // nothing was stored
  const stored = await day.stores.patients.get(day.refOf(untagged));
  expect(stored?.careVersion ?? '').not.toBe(untaggedVersion);
  expect(await day.careVersionsOf(day.refOf(untagged))).toEqual([stored?.careVersion]);
  expect(await day.stores.patients.get(day.refOf(fresh))).toEqual(freshBefore);
  expect(await day.stores.patients.get(day.refOf(leaving))).toBeUndefined();
  expect(await day.keysUnder('payloads/')).toEqual([]);
  expect(day.insurer.summary().violations).toBe(0);
});

test('the next start stops the refresh and begins a run of its own, and an operator can stop it with a reason', async () => {
  await using day = await startDay({ patients: 40, rate: 0, latencyMs: 5, ...pure }, monthly);
  await day.startWorker();
  await runWithRefresh(day);
  for (const { kvnr } of day.insurer.patients()) await age(day, kvnr, 40);
  day.insurer.setFaults({ latencyMs: 300 });
  const { runId } = await day.runToEnd();
  await day.until(({ refresh }) => (refresh?.unchanged ?? 0) >= 2);

  day.insurer.resetLog();
  const next = await day.sync.start();
  expect(next).toMatchObject({ joined: false });
  expect(next.runId).not.toBe(runId);
  const run = await day.ended();
  expect(run).toMatchObject({ runId: next.runId, state: 'completed', careRecords: { total: 0 } });
  const stopped = await day.stores.syncRuns.readProgress(insurerId, runId);
  expect(stopped).toMatchObject({ state: 'completed', refresh: { state: 'stopped' } });
  expect(stopped?.refresh?.pending).toBeGreaterThan(0);
  expect(day.insurer.log().findIndex(({ kind }) => kind === 'list')).toBeLessThanOrEqual(1); // at most the one in flight

  // the new run's refresh goes on with those that are left, until an operator stops it
  await day.until(({ runId, refresh }) => runId === next.runId && (refresh?.unchanged ?? 0) >= 2);
  await day.sync.cancel({ operator: 'olga', reason: 'the insurer called' });
  const after = await refreshed(day, next.runId);
  expect(after).toMatchObject({
    state: 'completed',
    refresh: { state: 'stopped', cancellation: { by: 'olga', reason: 'the insurer called' } },
  });
  expect(after.refresh?.pending).toBeLessThan(stopped?.refresh?.pending ?? 0);
  await expect(day.sync.cancel({ operator: 'olga', reason: 'again' })).rejects.toMatchObject({ fault: 'no-run' });
  expect(day.insurer.summary().violations).toBe(0);
});

test('if the insurer answers 410 for many in a refresh, the refresh keeps them and stops, and the next run asks again', async () => {
  await using day = await startDay({ patients: 40, rate: 0, ...pure }, monthly);
  await day.startWorker();
  await runWithRefresh(day);
  for (const { kvnr } of day.insurer.patients()) await age(day, kvnr, 40);
  day.insurer.script({ match: 'care', fault: 'not-insured', times: 1_000 });
  const { runId } = await day.runToEnd();
  const { refresh, unapprovedRemovals } = await refreshed(day, runId);
  expect(refresh).toMatchObject({ state: 'stopped', removed: 20, held: 1, done: 0 });
  expect(unapprovedRemovals).toBe(20);
  expect(await day.storedRefs()).toHaveLength(20);
  day.insurer.clearScript();
  expect((await day.runToEnd()).careRecords).toMatchObject({ total: 1, done: 1, notInsured: 0 });
});
