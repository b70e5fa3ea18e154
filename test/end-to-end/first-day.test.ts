import { expect, test } from 'vitest';
import { parseLossless, printLossless } from '../../core/json/lossless.ts';
import { compact, insurerId, startDay } from '../day.fixture.ts';

test('after a run at 80 % failure exactly the listed patients are stored, with the data that the insurer sent', async () => {
  await using day = await startDay({ patients: 200, rate: 0.8, notInsuredShare: 0.03, largeDocumentBytes: 2_000_000 });
  await day.startWorker();
  const progress = await day.runToEnd();

  const patients = day.insurer.patients();
  const insured = patients.filter(({ kind }) => kind !== '410');
  const notInsured = patients.filter(({ kind }) => kind === '410');
  expect(notInsured.length).toBeGreaterThan(0);
  const sound = patients.filter(({ isSpoiled }) => !isSpoiled);
  expect(progress).toMatchObject({
    state: 'completed',
    phase: 'done',
    stale: false,
    awaitingDecision: false,
    patients: { listed: sound.length, new: sound.length, changed: 0, removed: 0, unchanged: 0 },
    careRecords: { total: sound.length, pending: 0, notInsured: notInsured.length },
  });

  expect(new Set(await day.storedRefs())).toEqual(new Set(insured.map(({ kvnr }) => day.refOf(kvnr))));
  for (const { kvnr, entries, kind, careRecords } of insured) {
    const stored = await day.stores.patients.get(day.refOf(kvnr));
    expect(entries.map(compact)).toContain(stored?.body);
    expect(stored?.kvnr).toBe(kvnr);
    if (kind === '404') expect(stored?.careState).toBe('failed');
    if (careRecords === null || stored?.careState !== 'current') continue;
    const sent = parseLossless(careRecords) as { careRecords: unknown[] };
    expect(await day.careRecordTexts(day.refOf(kvnr))).toEqual(sent.careRecords.map((record) => printLossless(record)));
  }

  // 410: the patient is removed completely
  for (const { kvnr } of notInsured) {
    expect(await day.stores.patients.get(day.refOf(kvnr))).toBeUndefined();
    expect(await day.keysUnder(`documents/${day.refOf(kvnr)}/`)).toEqual([]);
  }
  expect(await day.keysUnder('payloads/')).toEqual([]);
  expect(await day.keysUnder('lists/')).toEqual([]);

  const { issues } = await allIssues(day, progress.runId);
  const quarantined = issues.filter(({ kind }) => kind === 'quarantined');
  expect(quarantined).toHaveLength(progress.patients.quarantined);
  expect(quarantined.length).toBe(day.insurer.malformed().length);
  const flagged = issues.filter(({ kind }) => kind === 'flagged');
  expect(flagged).toHaveLength((progress.patients.flagged ?? 0) + (progress.careRecords.flagged ?? 0));
  expect(flagged.length).toBeGreaterThan(0);
  const issueTexts = JSON.stringify(issues);
  for (const { kvnr, entries } of patients) {
    expect(issueTexts).not.toContain(kvnr);
    const { familyName } = JSON.parse(entries[0] ?? '{}') as { familyName?: string };
    if (familyName !== undefined && familyName.length > 3) expect(issueTexts).not.toContain(familyName);
  }
  const failed = issues.filter(({ kind }) => kind === 'care-records').map(({ patientRef }) => patientRef);
  expect(failed).toHaveLength(progress.careRecords.failed);
  for (const { kvnr } of insured.filter(({ kind }) => kind === '404')) expect(failed).toContain(day.refOf(kvnr));

  expect(day.insurer.summary()).toMatchObject({
    overlaps: 0,
    beforeRetryAfter: 0,
    after410: 0,
    servedAgain: 0,
    violations: 0,
  });
  expect(progress.line.failureRate).toBeGreaterThan(0.6);
});

async function allIssues(day: Awaited<ReturnType<typeof startDay>>, runId: string) {
  const issues = [];
  let next: string | undefined;
  do {
    const page = await day.stores.syncRuns.listIssues(insurerId, runId, 100, next);
    issues.push(...page.entries);
    next = page.lastKey;
  } while (next !== undefined);
  return { issues };
}
