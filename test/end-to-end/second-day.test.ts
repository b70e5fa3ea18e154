import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identityText } from '../../core/domain/identity.ts';
import { refsOfPerson } from '../../core/stores/linked-access-logs.ts';
import { compact, type Day, insurerId, startDay } from '../day.fixture.ts';

const quick = { hang: 0, stalled: 0, busy: 0 };
const mix = { 'reset-before-headers': 10, 'reset-in-body': 10, 'server-error': 20, 'cut-short': 10, ...quick };
const pure = {
  identicalDuplicates: 3,
  differingDuplicates: 0,
  malformedEntries: 0,
  notInsuredShare: 0,
  unknownShare: 0,
};

test('on the second day, care records are fetched for new patients only, gone patients are removed and changes are stored', async () => {
  await using day = await startDay({ patients: 80, rate: 0.5, mix, ...pure });
  await day.startWorker();
  await day.runToEnd();
  const before = new Set(day.insurer.patients().map(({ kvnr }) => kvnr));
  const versions = new Map<string, string | undefined>();
  for (const kvnr of before) versions.set(kvnr, (await day.stores.patients.get(day.refOf(kvnr)))?.careVersion);

  day.insurer.nextDay({ gone: 8, new: 12, changed: 20 });
  day.insurer.resetLog();
  const progress = await day.runToEnd();

  const today = day.insurer.patients();
  const fresh = today.filter(({ kvnr }) => !before.has(kvnr));
  expect(progress.patients).toMatchObject({
    listed: 84,
    new: 12,
    changed: 20,
    removed: 8,
    unchanged: 52,
    quarantined: 0,
  });
  expect(progress.careRecords).toEqual({ total: 12, done: 12, pending: 0, failed: 0, notInsured: 0 });
  const requested = new Set(day.insurer.log().flatMap(({ kvnr }) => kvnr ?? []));
  expect(requested).toEqual(new Set(fresh.map(({ kvnr }) => kvnr)));
  expect(new Set(await day.storedRefs())).toEqual(new Set(today.map(({ kvnr }) => day.refOf(kvnr))));
  for (const { kvnr, entries } of today) {
    const stored = await day.stores.patients.get(day.refOf(kvnr));
    expect(entries.map(compact)).toContain(stored?.body);
    if (before.has(kvnr)) expect(stored?.careVersion).toBe(versions.get(kvnr));
  }
  for (const kvnr of before) {
    if (today.some((patient) => patient.kvnr === kvnr)) continue;
    expect(await day.careRecordTexts(day.refOf(kvnr))).toEqual([]);
    expect(await day.keysUnder(`documents/${day.refOf(kvnr)}/`)).toEqual([]);
  }
  expect(day.insurer.summary().violations).toBe(0);
});

describe('fifteen patients, so few that the limit in percent alone would not ask', () => {
  let day: Day;
  beforeAll(async () => {
    day = await startDay({ patients: 15, rate: 0, ...pure, identicalDuplicates: 0 });
    await day.startWorker();
    await day.runToEnd();
  });
  afterAll(async () => await day?.[Symbol.asyncDispose]());

  test('an unchanged list costs one request', async () => {
    day.insurer.unchangedDay();
    day.insurer.resetLog();
    const progress = await day.runToEnd();
    expect(day.insurer.summary()).toMatchObject({ requests: 1, violations: 0 });
    expect(progress).toMatchObject({ state: 'completed', patients: { listed: 15, new: 0, removed: 0, unchanged: 15 } });
  });

  test('a patient whose entry is invalid today is still insured, and stays stored unchanged', async () => {
    day.insurer.nextDay({ spoiled: 3 });
    const progress = await day.runToEnd();
    expect(progress.patients).toMatchObject({ listed: 12, removed: 0, quarantined: 3, unchanged: 12 });
    expect(await day.storedRefs()).toHaveLength(15);
  });

  test('an empty list removes nobody and asks an operator, who can reject or approve', async () => {
    day.insurer.setList('empty');
    await day.sync.start();
    const asking = await day.until(({ awaitingDecision }) => awaitingDecision);
    expect(asking).toMatchObject({
      state: 'running',
      decision: { removals: 15, stored: 15, reasons: ['nobody-left'] },
    });
    expect(await day.storedRefs()).toHaveLength(15);
    const operator = 'olga';
    const rejected = asking.decision?.listId ?? '';
    await day.sync.decideRemovals({ decision: 'reject', listId: rejected, operator });
    expect(await day.ended()).toMatchObject({
      state: 'completed',
      awaitingDecision: false,
      patients: { removed: 0 },
      decisions: [{ decision: 'reject', listId: rejected, by: operator, removals: 15, stored: 15 }],
    });
    expect(await day.storedRefs()).toHaveLength(15);

    // a rejection is not remembered: the same list asks again
    await day.sync.start();
    const again = await day.until(({ awaitingDecision }) => awaitingDecision);
    const listId = again.decision?.listId ?? '';
    await expect(
      day.sync.decideRemovals({ decision: 'approve', listId: rejected, operator }), // about the list of before
    ).rejects.toMatchObject({ fault: 'decision-outdated' });
    await day.sync.decideRemovals({ decision: 'approve', listId, operator });
    expect(await day.ended()).toMatchObject({ state: 'completed', patients: { removed: 15 } });
    expect(await day.storedRefs()).toEqual([]);
    await expect(day.sync.decideRemovals({ decision: 'approve', listId, operator })).rejects.toMatchObject({
      fault: 'no-run',
    });
  });
});

test('while removals wait, new patients are stored and fetched, and the next list decides again', async () => {
  await using day = await startDay({ patients: 40, rate: 0.3, mix, ...pure });
  await day.startWorker();
  await day.runToEnd();
  day.insurer.nextDay({ new: 5 });
  day.insurer.setList('truncated', 0.3);
  await day.sync.start();
  const asking = await day.until((progress) => progress.awaitingDecision && progress.careRecords.pending === 0, 300);
  expect(asking.patients.removed).toBe(0);
  expect((await day.storedRefs()).length).toBeGreaterThanOrEqual(40);

  day.insurer.setList('normal');
  const { joined } = await day.sync.start(); // a trigger during a run is a signal
  expect(joined).toBe(true);
  expect(await day.ended()).toMatchObject({
    state: 'completed',
    awaitingDecision: false,
    patients: { listed: 45, removed: 0 },
  });
  expect(await day.storedRefs()).toHaveLength(45);
  expect(day.insurer.summary().violations).toBe(0);
});

test('an interrupted transfer of the list is resumed where it broke', async () => {
  await using day = await startDay({
    patients: 1_000,
    rate: 0,
    framing: 'content-length',
    ...pure,
    notInsuredShare: 0,
  });
  day.insurer.script(
    { match: 'list', fault: 'reset-in-body', afterBytes: 200_000 },
    { match: 'list', fault: 'cut-short', afterBytes: 50_000 },
  );
  await day.startWorker();
  await day.sync.start();
  await day.until(({ phase }) => phase === 'care-records');
  const lists = day.insurer.log().filter(({ kind }) => kind === 'list');
  expect(lists).toHaveLength(3);
  expect(lists.map(({ range }) => range)).toEqual([
    undefined,
    expect.stringMatching(/^bytes=\d+-$/),
    expect.stringMatching(/^bytes=\d+-$/),
  ]);
  expect(lists[1]?.ifRange).toMatch(/^"/);
  expect(await day.storedRefs()).toHaveLength(1_000);
});

/** Returns patients whom a list can show to be the same person under another KVNR: with a complete address. */
const findable = (day: Day): string[] =>
  day.insurer
    .patients()
    .filter(({ entries: [entry = ''] }) => identityText(entry) !== undefined)
    .map(({ kvnr }) => kvnr);
/** Returns the issues about changed KVNRs of a run. */
const kvnrIssues = async (day: Day, runId: string) =>
  (await day.stores.syncRuns.listIssues(insurerId, runId, 1_000)).entries.filter(({ kind }) => kind === 'kvnr-changed');
/** Lets the insurer change the KVNR of some patients. Returns the pseudonyms of each: of before, and of now. */
function changeKvnrs(day: Day, kvnrs: readonly string[]): [string, string][] {
  const known = new Set(day.insurer.patients().map(({ kvnr }) => kvnr));
  const texts = new Map(day.insurer.patients().map(({ kvnr, entries: [entry = ''] }) => [identityText(entry), kvnr]));
  day.insurer.nextDay({ newKvnr: kvnrs });
  const fresh = day.insurer.patients().filter(({ kvnr }) => !known.has(kvnr));
  return fresh.map(({ kvnr, entries: [entry = ''] }) => [
    day.refOf(texts.get(identityText(entry)) ?? ''),
    day.refOf(kvnr),
  ]);
}

test('the same person under another KVNR is an issue, and their access logs are linked once the old patient is removed', async () => {
  await using day = await startDay({ patients: 30, rate: 0.3, mix, ...pure });
  await day.startWorker();
  await day.runToEnd();
  const [first = '', second = ''] = findable(day);
  const pairs = changeKvnrs(day, [first, second]);
  const { runId, patients, careRecords } = await day.runToEnd();
  expect(patients).toMatchObject({ listed: 30, new: 2, removed: 2, kvnrChanged: 2 });
  expect(careRecords).toMatchObject({ total: 2, done: 2 }); // fetched again under the new KVNR: nothing is copied
  const issues = await kvnrIssues(day, runId);
  expect(issues).toHaveLength(2);
  for (const [previousPatientRef, patientRef] of pairs) {
    const issue = { kind: 'kvnr-changed', reason: 'SamePerson', patientRef, previousPatientRef };
    expect(issues).toContainEqual(expect.objectContaining(issue));
    expect(await refsOfPerson(day.stores.accessLog, previousPatientRef)).toEqual([previousPatientRef, patientRef]);
    expect(await refsOfPerson(day.stores.accessLog, patientRef)).toEqual([patientRef, previousPatientRef]);
    for (const ref of [previousPatientRef, patientRef])
      expect(await day.stores.accessLog.verify(ref)).toMatchObject({ valid: true });
    expect(await day.stores.patients.get(previousPatientRef)).toBeUndefined();
  }

  // the insurer changes one of them again: the chain has three
  const third = day.insurer.patients().find(({ kvnr }) => day.refOf(kvnr) === pairs[0]?.[1])?.kvnr ?? '';
  const [[, last] = ['', '']] = changeKvnrs(day, [third]);
  expect((await day.runToEnd()).patients).toMatchObject({ kvnrChanged: 1, removed: 1 });
  expect(await refsOfPerson(day.stores.accessLog, last)).toEqual([last, pairs[0]?.[1], pairs[0]?.[0]]);
});

describe('forty patients, of whom a list may not remove half', () => {
  let day: Day;
  beforeAll(async () => {
    day = await startDay({ patients: 40, rate: 0, ...pure });
    await day.startWorker();
    await day.runToEnd();
  });
  afterAll(async () => await day?.[Symbol.asyncDispose]());

  test('a corrected list that arrives while removals wait withdraws them', async () => {
    day.insurer.setList('truncated', 0.3);
    await day.sync.start();
    await day.until(({ awaitingDecision }) => awaitingDecision);
    day.insurer.setList('normal'); // the list of the first day again
    await day.sync.start();
    expect(await day.ended()).toMatchObject({ state: 'completed', awaitingDecision: false, patients: { removed: 0 } });
    expect(await day.storedRefs()).toHaveLength(40);
  });

  test('while the removal of the old KVNR waits, the pair is an issue of each run; an approval links the logs', async () => {
    const [leaving = ''] = findable(day);
    const [[before, now] = ['', '']] = changeKvnrs(day, [leaving]);
    day.insurer.nextDay({ gone: 22 }); // so many that the run asks
    await day.sync.start();
    const asking = await day.until(({ awaitingDecision }) => awaitingDecision);
    expect(asking.patients).toMatchObject({ new: 1, removed: 0, kvnrChanged: 1 });
    await day.sync.decideRemovals({ decision: 'reject', listId: asking.decision?.listId ?? '', operator: 'olga' });
    await day.ended();
    expect(await refsOfPerson(day.stores.accessLog, now)).toEqual([now]); // the old one is still stored

    await day.sync.start();
    const again = await day.until(({ awaitingDecision }) => awaitingDecision);
    expect(await kvnrIssues(day, again.runId)).toMatchObject([{ patientRef: now, previousPatientRef: before }]);
    await day.sync.decideRemovals({ decision: 'approve', listId: again.decision?.listId ?? '', operator: 'olga' });
    expect((await day.ended()).patients.removed).toBe(23);
    expect(await refsOfPerson(day.stores.accessLog, now)).toEqual([now, before]);
    expect(await refsOfPerson(day.stores.accessLog, before)).toEqual([before, now]);
  });
});
