import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Progress } from '../../core/domain/progress.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { compact, type Day, startDay } from '../day.fixture.ts';

const world = {
  patients: 50,
  rate: 0,
  identicalDuplicates: 0,
  differingDuplicates: 0,
  malformedEntries: 0,
  notInsuredShare: 0,
  unknownShare: 0,
};
const by = expect.stringContaining('operator');

/** Returns a day after its first run, in which a truncated list asks about about half of the patients. */
async function startAsking(day: Day): Promise<NonNullable<Progress['decision']>> {
  day.insurer.setList('truncated', 0.5);
  await day.sync.start();
  const { decision } = await day.until(
    ({ awaitingDecision, careRecords }) => awaitingDecision && careRecords.pending === 0,
  );
  if (decision === undefined) throw new Error('the run does not say what it asks about');
  return decision;
}

test('if the newer list proves unusable, the removals of the older one can be decided again', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  await day.runToEnd();
  const { listId, removals } = await startAsking(day);
  day.insurer.script({ match: 'list', fault: 'html-page', times: 120 }); // 40 answers for each of three fetches
  await day.sync.start();
  await day.until(({ phase, awaitingDecision }) => phase === 'list' && !awaitingDecision, 100);
  await day.until(({ awaitingDecision }) => awaitingDecision);
  await day.sync.decideRemovals({ decision: 'approve', listId, operator: 'olga' });
  expect(await day.ended().catch(async () => await day.sync.readProgress())).toMatchObject({
    state: 'failed', // because of the newer list
    patients: { removed: removals },
  });
  expect(await day.storedRefs()).toHaveLength(50 - removals);
});

/** Like startAsking, but pauses the line while care records are still pending. */
async function startAskingWithPending(day: Day): Promise<NonNullable<Progress['decision']>> {
  day.insurer.setList('truncated', 0.5);
  day.insurer.script({ match: 'care', fault: 'hang' });
  await day.sync.start();
  await day.until(({ awaitingDecision, phase }) => awaitingDecision && phase === 'care-records');
  await day.line.pause({ operator: 'olga', reason: 'a test' });
  const { decision } = await day.until(({ awaitingDecision }) => awaitingDecision);
  if (decision === undefined) throw new Error('the run does not say what it asks about');
  return decision;
}

/** Resolves once the run asks about answers 410 and all other patients are done. */
const burstAsked = async (day: Day): Promise<Progress> =>
  await day.until(({ decision, careRecords }) => decision?.kind === 'not-insured' && careRecords.pending === 0, 300);

describe('on the days of one insurer', () => {
  // the first test needs a first list that nothing else has followed
  let day: Day;
  let call: CallWithPermittedRole;
  beforeAll(async () => {
    day = await startDay(world, {}, { api: true });
    ({ call } = await openApi(day.stack));
    await day.startWorker();
    await day.runToEnd();
  });
  afterAll(async () => await day?.[Symbol.asyncDispose]());

  test('a rejected list leaves nobody behind once the insurer is back at the list before it', async () => {
    const before = new Map(day.insurer.patients().map(({ kvnr, entries }) => [day.refOf(kvnr), entries.map(compact)]));

    day.insurer.nextDay({ new: 6, changed: 12 });
    const { listId } = await startAsking(day);
    await day.sync.decideRemovals({ decision: 'reject', listId, operator: 'olga' });
    expect(await day.ended()).toMatchObject({ state: 'completed', patients: { removed: 0 } });
    expect((await day.storedRefs()).length).toBeGreaterThan(50);

    day.insurer.firstDay(); // the first list, with the same ETag
    expect(await day.runToEnd()).toMatchObject({ state: 'completed', patients: { listed: 50 } });
    expect(new Set(await day.storedRefs())).toEqual(new Set(before.keys()));
    for (const [patientRef, entries] of before)
      expect(entries).toContain((await day.stores.patients.get(patientRef))?.body);
    day.insurer.unchangedDay();
    day.insurer.resetLog();
    await day.runToEnd();
    expect(day.insurer.summary().requests).toBe(1); // the list is applied again, so this one is a 304
  });

  test('a late approval removes nobody who is on the newer list', async () => {
    const { listId, removals } = await startAsking(day);
    expect(removals).toBeGreaterThan(20);

    await day.line.pause({ operator: 'olga', reason: 'the newer list is still to come' });
    day.insurer.setList('normal');
    day.insurer.resetLog();
    await day.sync.start();
    await day.until(({ phase, awaitingDecision }) => phase === 'list' && !awaitingDecision);
    const late = await call('decideRemovals', { body: { decision: 'approve', listId } });
    expect(late).toMatchObject({ status: 409, json: { type: 'urn:epa-sync:problem:decision-outdated' } });
    expect((await call('readProgress')).json).toMatchObject({ awaitingDecision: false });

    await day.line.resume({ operator: 'olga', reason: 'all is well' });
    expect(await day.ended()).toMatchObject({ state: 'completed', patients: { listed: 50, removed: 0 } });
    expect(await day.storedRefs()).toHaveLength(50);
    expect(day.insurer.summary().requests).toBe(1); // nothing was fetched again
    expect(await day.keysUnder('lists/')).toEqual([]);
  });

  test('an approval is carried out on a paused line, once, and the run tells who made it', async () => {
    day.insurer.nextDay({ new: 3 });
    const { listId, removals, stored } = await startAskingWithPending(day);

    const wrong = await call('decideRemovals', { body: { decision: 'approve', listId: 'yesterday' } });
    expect(wrong).toMatchObject({ status: 400, json: { errors: [{ pointer: '/listId' }] } });
    expect(wrong.text).toContain('decision.listId of GET /sync');
    const unknown = await call('decideRemovals', { body: { decision: 'approve', listId: `${listId}9` } });
    expect(unknown).toMatchObject({ status: 404, json: { type: 'urn:epa-sync:problem:decision-unknown' } });

    const answers = await Promise.all([
      call('decideRemovals', { body: { decision: 'approve', listId } }),
      call('decideRemovals', { body: { decision: 'reject', listId } }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const second = answers.find(({ status }) => status === 409);
    expect(second?.json).toMatchObject({ type: 'urn:epa-sync:problem:decision-made', made: { by } });
    if (answers[0]?.status === 200) {
      await day.until(({ patients }) => patients.removed === removals);
      expect((await call('readProgress')).json).toMatchObject({ state: 'running', line: { state: 'paused' } });
    }
    await day.line.resume({ operator: 'olga', reason: 'all is well' });
    await day.ended();
    const { json } = await call('listRuns');
    expect(json.runs[0].decisions).toEqual([
      expect.objectContaining({ listId, kind: 'list', removals, stored, by, decidedAt: expect.any(String) }),
    ]);
  });
});

describe('answers 410', () => {
  let day: Day;
  let call: CallWithPermittedRole;
  beforeAll(async () => {
    day = await startDay({ ...world, patients: 30 }, {}, { api: true });
    ({ call } = await openApi(day.stack));
    await day.startWorker();
  });
  afterAll(async () => await day?.[Symbol.asyncDispose]());

  test('if the insurer answers 410 for everyone, the run keeps them above the limit and asks', async () => {
    day.insurer.script({ match: 'care', fault: 'not-insured', times: 30 });
    await day.sync.start();
    const asking = await burstAsked(day);
    expect(asking).toMatchObject({
      decision: { kind: 'not-insured', removals: 10, stored: 30, reasons: ['not-insured-answers'] },
      careRecords: { total: 30, notInsured: 30, held: 10 },
    });
    expect(await day.storedRefs()).toHaveLength(10);
    const body = { decision: 'reject', listId: asking.decision?.listId };
    expect(await call('decideRemovals', { body })).toMatchObject({ status: 200 });
    expect(await day.ended()).toMatchObject({ state: 'completed', decisions: [{ decision: 'reject', by }] });
    expect(await day.storedRefs()).toHaveLength(10);

    // the next day, the insurer answers as it should: those held are fetched, and those removed are new
    day.insurer.nextDay();
    expect(await day.runToEnd()).toMatchObject({ careRecords: { total: 30, done: 30, notInsured: 0 } });
    expect(await day.storedRefs()).toHaveLength(30);
    expect(day.insurer.summary().violations).toBe(0);
  });

  test('an approval removes exactly the patients that were held', async () => {
    day.insurer.nextDay({ new: 40 }); // as well as the 30 of the test before
    day.insurer.script({ match: 'care', fault: 'not-insured', times: 30 });
    await day.sync.start();
    const { decision } = await burstAsked(day);
    expect(decision).toMatchObject({ removals: 10 });
    await day.sync.decideRemovals({ decision: 'approve', listId: decision?.listId ?? '', operator: 'olga' });
    expect(await day.ended()).toMatchObject({ state: 'completed', careRecords: { done: 10, notInsured: 30 } });
    expect(await day.storedRefs()).toHaveLength(30 + 10);
  });
});
