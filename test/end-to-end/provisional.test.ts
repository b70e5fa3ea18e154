import { afterAll, beforeAll, expect, test } from 'vitest';
import { patientRecordId } from '../../core/contract/names.ts';
import { isInProgress } from '../../core/domain/patient.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { compact, type Day, type RunningWorker, startDay } from '../day.fixture.ts';
import { historiesOf, replay, textsOf } from '../histories.fixture.ts';

const patients = 12;
const pure = { identicalDuplicates: 0, differingDuplicates: 0, malformedEntries: 0 };
const everyoneIsInsured = { notInsuredShare: 0, unknownShare: 0, newlyInsured: 3 };

let day: Day;
let worker: RunningWorker;
let call: CallWithPermittedRole;
beforeAll(async () => {
  day = await startDay({ patients, rate: 0, ...pure, ...everyoneIsInsured }, {}, { api: true });
  ({ call } = await openApi(day.stack));
  worker = await day.startWorker();
  await day.runToEnd();
}, 180_000);
afterAll(async () => await day?.[Symbol.asyncDispose]());

const request = async (kvnr: string) => await call('requestPatientSync', { body: { kvnr } });
const read = async (patientRef: string) => await call('readPatient', { params: { patientRef } });
const lookUp = async (kvnr: string) => (await call('lookUpPatient', { body: { kvnr } })).status;

/** Requests a sync. Resolves with its last state once it has ended. */
async function syncToEnd(kvnr: string) {
  const { status, json } = await request(kvnr);
  expect([status, json?.patientRef]).toEqual([202, day.refOf(kvnr)]);
  const sync = await endOf(json);
  expect(sync).toMatchObject({ syncId: json.syncId, finishedAt: expect.any(String) });
  return sync;
}

/** Resolves with the last sync of a person once it has ended. */
async function endOf({ patientRef }: { readonly patientRef: string }) {
  const readSync = async () => await call('readLastSync', { params: { patientRef } });
  await expect
    .poll(
      async () => {
        const { status, json } = await readSync(); // 404 while the inquiry is being removed
        return status === 200 && !isInProgress(json) ? 'ended' : JSON.stringify(json);
      },
      { timeout: 20_000 },
    )
    .toBe('ended');
  return (await readSync()).json;
}

async function logOf(kvnr: string) {
  const { json } = await call('readAccessLog', { params: { patientRef: day.refOf(kvnr) } });
  const written = ['request-sync', 'import', 'change', 'removal'];
  return (json.entries as { operation: string; outcome: string }[])
    .filter(({ operation }) => written.includes(operation))
    .map(({ operation, outcome }) => `${operation} ${outcome}`);
}

/** Returns everything that is stored of a person, except the access log and the tombstone. */
async function remainsOf(kvnr: string) {
  const patientRef = day.refOf(kvnr);
  return [
    await day.stores.patients.get(patientRef),
    ...(await day.careVersionsOf(patientRef)),
    ...(await day.keysUnder(`documents/${patientRef}/`)),
    ...(await day.keysUnder('payloads/')),
  ].filter((remains) => remains !== undefined);
}

test('somebody whom the insurer does not know leaves nothing but the access log', async () => {
  const kvnr = day.insurer.world.kvnrAt(5_000);
  expect(await syncToEnd(kvnr)).toMatchObject({ state: 'unknown' });
  expect(await remainsOf(kvnr)).toEqual([]);
  expect((await read(day.refOf(kvnr))).status).toBe(404);
  expect(await lookUp(kvnr)).toBe(404);
  expect(await logOf(kvnr)).toEqual(['request-sync success', 'import failed', 'removal success']);
  const verified = await call('verifyAccessLog', { params: { patientRef: day.refOf(kvnr) } });
  expect(verified.json).toMatchObject({ valid: true });
  expect(await syncToEnd(kvnr)).toMatchObject({ state: 'unknown' }); // over the tombstone
});

test('somebody who was never listed and is not insured leaves nothing but the access log', async () => {
  const kvnr = day.insurer.world.kvnrAt(5_001);
  day.insurer.script({ match: kvnr, fault: 'not-insured' });
  expect(await syncToEnd(kvnr)).toMatchObject({ state: 'not-insured' });
  expect(await remainsOf(kvnr)).toEqual([]);
  expect(await logOf(kvnr)).toEqual(['request-sync success', 'removal success']);
});

test('a KVNR with a wrong check digit is refused, and a pseudonym that is not stored is unknown', async () => {
  const kvnr = day.insurer.world.kvnrAt(5_002);
  const wrong = `${kvnr.slice(0, -1)}${(Number(kvnr.at(-1)) + 1) % 10}`;
  expect(await request(wrong)).toMatchObject({ status: 400, json: { errors: [{ pointer: '/kvnr' }] } });
  const byRef = await call('requestPatientSync', { body: { patientRef: day.refOf(kvnr) } });
  expect(byRef.status).toBe(404);
  expect(await remainsOf(kvnr)).toEqual([]);
});

test('newly insured people are provisional until the next list, which brings master data and asks for nothing again', async () => {
  const [kvnr, other] = [day.insurer.world.kvnrAt(patients), day.insurer.world.kvnrAt(patients + 1)];
  expect(await syncToEnd(kvnr)).toMatchObject({ state: 'completed', provisional: true });
  expect(await syncToEnd(other)).toMatchObject({ state: 'completed', provisional: true });
  const patientRef = day.refOf(kvnr);
  expect(await lookUp(kvnr)).toBe(200);
  const before = (await read(patientRef)).json;
  expect(before).toMatchObject({ patient: { kvnr }, provisional: true, lastSync: { state: 'completed' } });
  expect(Object.keys(before.patient)).toEqual(['kvnr']);
  expect(before.careRecords.length).toBeGreaterThan(0);

  day.insurer.nextDay({ new: 2 });
  day.insurer.resetLog();
  const progress = await day.runToEnd();
  expect(progress.patients).toMatchObject({ listed: patients + 2, new: 2, changed: 0, removed: 0 });
  expect(progress.careRecords).toMatchObject({ total: 0 });
  expect(day.insurer.summary()).toMatchObject({ requests: 1, violations: 0 });
  const stored = await day.stores.patients.get(patientRef);
  const [entry = ''] = day.insurer.patients().find((each) => each.kvnr === kvnr)?.entries ?? [];
  expect(stored?.body).toBe(compact(entry));
  const after = (await read(patientRef)).json;
  expect(after.provisional).toBeUndefined();
  expect(after.careRecords.map(({ id }: { id: string }) => id)).toEqual(
    before.careRecords.map(({ id }: { id: string }) => id),
  );
  expect(await logOf(kvnr)).toEqual(['request-sync success', 'import success', 'import success']);
});

test('the next list that lacks a provisional patient removes them without a question, even if it has not changed', async () => {
  const kvnr = day.insurer.world.kvnrAt(patients + 2);
  expect(await syncToEnd(kvnr)).toMatchObject({ state: 'completed', provisional: true });
  day.insurer.unchangedDay();
  day.insurer.resetLog();
  const progress = await day.runToEnd();
  expect(progress).toMatchObject({
    state: 'completed',
    patients: { listed: patients + 2, new: 0, unchanged: patients + 2, removed: 1 },
    unapprovedRemovals: 0,
  });
  expect(day.insurer.log().map(({ status }) => status)).toEqual([304, 200]);
  expect(await remainsOf(kvnr)).toEqual([]);
  expect((await read(day.refOf(kvnr))).status).toBe(404);
  expect(await logOf(kvnr)).toEqual(['request-sync success', 'import success', 'removal success']);

  day.insurer.unchangedDay();
  day.insurer.resetLog();
  await day.runToEnd();
  expect(day.insurer.log().map(({ status }) => status)).toEqual([304]);
});

test('a list that was requested before the sync leaves a provisional patient alone', async () => {
  const kvnr = day.insurer.world.kvnrAt(patients + 2);
  day.insurer.nextDay({ changed: 1 });
  day.insurer.setFaults({ latencyMs: 1_000 });
  day.insurer.resetLog();
  const started = day.sync.start();
  await day.insurer.requestArrives(1); // the list request, which may be over before `start` has its answer
  const asked = await request(kvnr);
  await started;
  expect(asked.status).toBe(202);
  day.insurer.setFaults({ latencyMs: 2 });
  await day.ended();
  expect(await endOf(asked.json)).toMatchObject({ state: 'completed', provisional: true });
  expect((await read(asked.json.patientRef)).json).toMatchObject({ provisional: true });
  const progress = await day.runToEnd(); // the list has not changed
  expect(progress.patients).toMatchObject({ removed: 1 });
  expect(await remainsOf(kvnr)).toEqual([]);
});

test('a promise about somebody who is not stored outlives a worker, and Temporal never receives the KVNR', async () => {
  const kvnr = day.insurer.world.kvnrAt(patients + 2);
  await day.line.pause({ operator: 'olga', reason: 'so that the sync waits' });
  const { json, status } = await request(kvnr);
  expect(status).toBe(202);
  await worker.kill();
  worker = await day.startWorker();
  await day.line.resume({ operator: 'olga', reason: 'the worker is another one' });
  expect(await endOf(json)).toMatchObject({ syncId: json.syncId, state: 'completed', provisional: true });
  const histories = await historiesOf(day.client, patientRecordId(json.patientRef));
  const payloadKeys = process.env['PAYLOAD_KEYS'] ?? '';
  const texts = await Promise.all(histories.map(async ({ history }) => await textsOf(history, payloadKeys)));
  expect(texts.flat().some((text) => text.includes(json.syncId))).toBe(true); // they are decrypted
  for (const text of texts.flat()) expect(text.includes(kvnr)).toBe(false);
  for (const { history } of histories) await replay(history, payloadKeys);
});

test('somebody who has left comes back at the desk', async () => {
  const [left] = day.insurer.patients();
  const kvnr = left?.kvnr ?? '';
  day.insurer.nextDay({ gone: [kvnr] });
  await day.runToEnd();
  expect(await lookUp(kvnr)).toBe(404);
  expect(await syncToEnd(kvnr)).toMatchObject({ state: 'not-insured' });
  day.insurer.firstDay();
  await day.line.pause({ operator: 'olga', reason: 'so that all three come during the sync' });
  const states = await Promise.all([request(kvnr), request(kvnr), request(kvnr)]);
  expect(new Set(states.map(({ json }) => json.syncId)).size).toBe(1);
  await day.line.resume({ operator: 'olga', reason: 'they have come' });
  expect(await endOf({ patientRef: day.refOf(kvnr) })).toMatchObject({ state: 'completed', provisional: true });
  await day.runToEnd();
  expect((await read(day.refOf(kvnr))).json.patient).toMatchObject({ kvnr, familyName: expect.any(String) });
  expect(await remainsOf(day.insurer.world.kvnrAt(5_000))).toEqual([]);
});
