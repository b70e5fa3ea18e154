import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Kvnr } from '../domain/kvnr.ts';
import { shardOf } from '../domain/shard.ts';
import { newPatientRef, openEmulatedStores } from './emulated.fixture.ts';
import { createPatientsStore, type ListedPatient, PatientChanged, type SeenItem, type ShardItem } from './patients.ts';
import { defaultTables } from './tables.ts';
import type { WriteGuard } from './write-guard.ts';

const { patients, careRecords, documents, dynamo, keysUnder } = openEmulatedStores();
const kvnr = 'A123456780' as Kvnr;

/** Returns a shard that no other test uses. Real shards are hexadecimal. */
const shardsOfTests = [
  'ga',
  'gb',
  'gc',
  'gd',
  'ge',
  'gf',
  'gg',
  'gh',
  'gi',
  'gj',
  'gk',
  'gl',
  'gm',
  'gn',
  'go',
  'gp',
].values();
const newShard = () => shardsOfTests.next().value ?? '';

const listed = (patientRef: string, body = '{}', contentHash = 'hash'): ListedPatient => ({
  patientRef,
  kvnr,
  body,
  contentHash,
});
const large = (text: string) => JSON.stringify(text.repeat(400_000 / text.length));

async function newPatients(shard: string, count: number, body?: string): Promise<string[]> {
  const patientRefs = Array.from({ length: count }, () => newPatientRef(shard)).sort();
  await patients.storeNew(
    patientRefs.map((patientRef) => listed(patientRef, body)),
    'list-1',
  );
  return patientRefs;
}
const newPatient = async (body?: string) => (await newPatients('', 1, body))[0] ?? '';
const readShard = async (shard: string): Promise<ShardItem[]> => await [...(await patients.readShard(shard)).stored];

/** Counts the patients of a shard in a scan of the whole table. */
async function countShard(shard: string) {
  const counts = { stored: 0, pending: 0, reported: 0, removing: [] as { patientRef: string; revision: number }[] };
  for (const segment of [0, 1, 2])
    for await (const { patientRef, revision, careState, isBeingRemoved } of patients.scan(segment, 3)) {
      if (shardOf(patientRef) !== shard) continue;
      if (isBeingRemoved) counts.removing.push({ patientRef, revision });
      else counts.stored += 1;
      if (!isBeingRemoved && careState === 'pending') counts.pending += 1;
      if (!isBeingRemoved && careState === 'reported-not-insured') counts.reported += 1;
    }
  return counts;
}

/** What a list has read of a patient before it writes. */
async function seenOf(patientRef: string): Promise<ReadonlyMap<string, SeenItem>> {
  const { stored, unlisted, removed } = await patients.readShard(shardOf(patientRef));
  return new Map([...stored, ...unlisted, ...removed].map((item) => [item.patientRef, item]));
}

test('all new patients are stored as pending, and read in order of patientRef, over many pages', async () => {
  const shard = newShard();
  const patientRefs = await newPatients(shard, 60, JSON.stringify('x'.repeat(100_000)));
  const items = await readShard(shard);
  expect(items.map(({ patientRef }) => patientRef)).toEqual(patientRefs);
  expect(items[0]).toEqual({
    patientRef: patientRefs[0],
    revision: 1,
    contentHash: 'hash',
    careState: 'pending',
    listed: { listId: 'list-1', as: 'new' },
    imported: { listId: 'list-1', at: expect.any(String) },
    isUnsearchable: true, // stored without hashes
  });
});

test('the insurer’s text for a patient is returned unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json(), async (body) => {
      const patientRef = await newPatient(body);
      expect((await patients.get(patientRef))?.body).toBe(body);
    }),
    { numRuns: 30 },
  );
});

test('an entry too large for an item is stored in parts, which are replaced in one transaction', async () => {
  const partsOf = async (patientRef: string) => (await careRecords.listAll(patientRef)).items;
  const patientRef = await newPatient(large('äx'));
  expect((await patients.get(patientRef))?.body).toBe(large('äx'));
  expect(await partsOf(patientRef)).toEqual(['entry/1/0', 'entry/1/1', 'entry/1/2']);
  await patients.storeChanged([listed(patientRef, large('öy'), 'new')], 'list-2', await seenOf(patientRef));
  expect((await patients.get(patientRef))?.body).toBe(large('öy'));
  expect(await partsOf(patientRef)).toEqual(['entry/2/0', 'entry/2/1', 'entry/2/2']);

  const seen = new Map([[patientRef, { revision: 1, bodyParts: { revision: 1, count: 3 } }]]);
  const late = patients.storeChanged([listed(patientRef, large('üz'), 'late')], 'list-1', seen);
  await expect(late).rejects.toThrow(PatientChanged);
  expect(await partsOf(patientRef)).toEqual(['entry/2/0', 'entry/2/1', 'entry/2/2']);
  await patients.storeChanged([listed(patientRef, '{"small":1.0}')], 'list-3', await seenOf(patientRef));
  expect((await patients.get(patientRef))?.body).toBe('{"small":1.0}');
  expect(await partsOf(patientRef)).toEqual([]);
});

/** Stores a patient whose entry is an object in the bucket, as 0.2.0 has stored large ones. */
async function newPatientOf020(body: string): Promise<string> {
  const patientRef = await newPatient();
  const bodyRef = await documents.put(patientRef, 'entry/list-1', body);
  const of020 = new UpdateCommand({
    TableName: defaultTables.patients,
    Key: { shard: shardOf(patientRef), patientRef },
    UpdateExpression: 'SET bodyRef = :bodyRef REMOVE #body, revision, incarnation',
    ExpressionAttributeNames: { '#body': 'body' },
    ExpressionAttributeValues: { ':bodyRef': bodyRef },
  });
  await dynamo.send(of020);
  return patientRef;
}

test('a large entry that 0.2.0 has put into the bucket can be read, and its object is deleted when it is replaced', async () => {
  const patientRef = await newPatientOf020(large('äx'));
  expect((await patients.get(patientRef))?.body).toBe(large('äx'));
  await patients.storeChanged([listed(patientRef, large('öy'))], 'list-2', await seenOf(patientRef));
  expect((await patients.get(patientRef))?.body).toBe(large('öy'));
  expect(await keysUnder(`documents/${patientRef}/`)).toEqual([]);
});

test.each([
  ['a large one', large('öy')],
  ['a small one', '{"small":1.0}'],
])('if a list replaces a large entry of 0.2.0 with %s while it is read, the new one is returned', async (_, body) => {
  const patientRef = await newPatientOf020(large('äx'));
  let reads = 0;
  const overtaken = createPatientsStore(
    dynamo,
    {
      ...documents,
      async get(reference) {
        reads += 1;
        await patients.storeChanged([listed(patientRef, body, 'new')], 'list-2', await seenOf(patientRef));
        return await documents.get(reference);
      },
    },
    defaultTables,
  );
  expect(await overtaken.get(patientRef)).toMatchObject({ body, contentHash: 'new' });
  expect(reads).toBe(1);
});

test('a large entry of 0.2.0 whose object is gone is missing, if no list has replaced it', async () => {
  const patientRef = await newPatientOf020(large('äx'));
  await documents.deleteKeys(await keysUnder(`documents/${patientRef}/`));
  await expect(patients.get(patientRef)).rejects.toMatchObject({ name: 'PayloadError', fault: 'missing' });
});

test('changed master data keeps the care records and their state, but a failed patient becomes pending', async () => {
  const shard = newShard();
  const [current = '', failed = ''] = await newPatients(shard, 2);
  await patients.activateCareVersion(current, '1-1', 1);
  await patients.setCareState(failed, 'failed');
  for (const attempt of [1, 2]) {
    const seen = new Map([current, failed].map((patientRef) => [patientRef, { revision: attempt }]));
    const changes = [listed(current, `{"try":${attempt}}`, 'new'), listed(failed, '{}', 'new')];
    await patients.storeChanged(changes, 'list-2', seen);
  }
  expect(await patients.get(current)).toMatchObject({ body: '{"try":2}', careState: 'current', careVersion: '1-1' });
  expect(await readShard(shard)).toMatchObject([
    { contentHash: 'new', careState: 'current', listed: { listId: 'list-2', as: 'changed' } },
    { contentHash: 'new', careState: 'pending', listed: { listId: 'list-2', as: 'changed' } },
  ]);
});

test('a change for an unknown patient, or one that is being removed, stores nothing', async () => {
  const shard = newShard();
  const [removing = ''] = await newPatients(shard, 1);
  await patients.markRemoving(removing, 1);
  await patients.storeChanged(
    [listed(removing), listed(newPatientRef(shard))],
    'list-2',
    new Map([[removing, { revision: 1 }]]),
  );
  expect(await readShard(shard)).toEqual([]);
  expect(await patients.get(removing)).toBeUndefined();
});

test('pending patients are listed in order, up to a limit, and all patients are counted', async () => {
  const shard = newShard();
  const patientRefs = await newPatients(shard, 12, JSON.stringify('x'.repeat(250_000)));
  const [current = '', removing = '', failed = '', ...pending] = patientRefs;
  await patients.activateCareVersion(current, '1-1', 1);
  await patients.markRemoving(removing, 1);
  await patients.setCareState(failed, 'failed');
  expect(await patients.listPending(shard, undefined, 4)).toEqual(pending.slice(0, 4));
  expect(await patients.listPending(shard, pending[3], 100)).toEqual(pending.slice(4));
  expect(await patients.listPending(shard, pending.at(-1), 4)).toEqual([]);
  expect(await countShard(shard)).toEqual({
    stored: 11,
    pending: 9,
    reported: 0,
    removing: [{ patientRef: removing, revision: 1 }],
  });
});

test('a staged version becomes current if it is newer, even when repeated, and never replaces a newer one', async () => {
  const patientRef = await newPatient();
  expect(await patients.activateCareVersion(patientRef, '2', 1)).toBe(true);
  expect(await patients.activateCareVersion(patientRef, '2', 1)).toBe(true);
  expect(await patients.activateCareVersion(patientRef, '1', 1)).toBe(false);
  expect(await patients.activateCareVersion(patientRef, '3', 1)).toBe(true);
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'current', careVersion: '3' });
});

test('a version keeps when and with which ETag it was received, and the next one forgets both', async () => {
  const patientRef = await newPatient();
  const receivedAt = '2026-11-27T13:03:00.000Z';
  await patients.activateCareVersion(patientRef, '1', 1, { receivedAt, etag: '"a"' });
  await patients.activateCareVersion(patientRef, '1', 1, { receivedAt, etag: '"a"' });
  expect(await patients.get(patientRef)).toMatchObject({ careRecordsAsOf: receivedAt, careEtag: '"a"' });
  await patients.activateCareVersion(patientRef, '2', 1);
  const stored = await patients.get(patientRef);
  expect(stored).not.toHaveProperty('careRecordsAsOf');
  expect(stored).not.toHaveProperty('careEtag');
});

test('the date of a version is renewed, but never set back, and never that of another version', async () => {
  const patientRef = await newPatient();
  const asOf = async () => (await patients.get(patientRef))?.careRecordsAsOf;
  const [first, second, third] = ['2026-11-27T13:03:00.000Z', '2026-12-27T13:03:00.000Z', '2027-01-27T13:03:00.000Z'];
  await patients.activateCareVersion(patientRef, '1', 1); // as 0.2.0 has stored it
  await patients.renewCareVersion(patientRef, '1', second);
  await patients.renewCareVersion(patientRef, '1', first); // of an attempt that stood still
  expect(await asOf()).toBe(second);
  await patients.activateCareVersion(patientRef, '2', 1, { receivedAt: second });
  await patients.renewCareVersion(patientRef, '1', third);
  expect(await asOf()).toBe(second);
});

test('a discarded version never becomes current, but another one does; the current version cannot be discarded', async () => {
  const patientRef = await newPatient();
  expect(await patients.discardCareVersion(patientRef, '1')).toBe(true);
  expect(await patients.activateCareVersion(patientRef, '1', 1)).toBe(false);
  expect(await patients.activateCareVersion(patientRef, '2', 1)).toBe(true);
  expect(await patients.discardCareVersion(patientRef, '2')).toBe(false);
  expect(await patients.discardCareVersion(newPatientRef(), '1')).toBe(true);
});

test('a patient that is being removed is visible only to the removal', async () => {
  const shard = newShard();
  const [patientRef = '', other = ''] = await newPatients(shard, 2);
  for (const other of [0, 2]) expect(await patients.markRemoving(patientRef, other)).toBeUndefined();
  expect(await patients.markRemoving(patientRef, 1)).toEqual({ storedBy: 'list-1', revision: 1 });
  expect(await patients.markRemoving(patientRef, 1)).toEqual({ storedBy: 'list-1', revision: 1 });
  expect(await patients.activateCareVersion(patientRef, '1', 1)).toBe(false);
  const removing = [{ patientRef, revision: 1 }];
  expect(await countShard(shard)).toEqual({ stored: 1, pending: 1, reported: 0, removing });
  expect(await readShard(shard)).toMatchObject([{ patientRef: other }]);
  await patients.deleteRemoving(patientRef, 1);
  expect(await patients.markRemoving(patientRef, 1)).toBeUndefined();
  expect((await countShard(shard)).removing).toEqual([]);
});

test('an answer removes a patient only if the table agrees, and only with a revision', async () => {
  const [patientRef = ''] = await newPatients(newShard(), 1);
  for (const answer of [{}, { unknownIn: 'run-1' }])
    expect(await patients.markRemoving(patientRef, 1, undefined, answer)).toBeUndefined();
  await patients.markNotInsured(patientRef, 'run-1', { revision: 1 });
  expect(await patients.markRemoving(patientRef, 1, undefined, { unknownIn: 'run-1' })).toBeUndefined(); // it is listed
  expect(await patients.markRemoving(patientRef, undefined, undefined, {})).toBeUndefined();
  expect(await patients.markRemoving(patientRef, 1, undefined, {})).toMatchObject({ cause: { id: 'run-1' } });
});

const inList = (listId: string) => ({ listId, isRemoved: false });

test('a successor is kept from the list that lacks the patient to the tombstone, and a late attempt cannot name one', async () => {
  const [shard, successor] = [newShard(), newPatientRef()];
  const patientRef = newPatientRef(shard);
  const identity = 'ab'.repeat(16);
  await patients.storeNew([{ ...listed(patientRef), identity }], 'list-1');
  await expect(patients.setSuccessor(patientRef, successor, inList('list-2'))).rejects.toThrow(PatientChanged); // not gone
  await patients.setGoneIn({ patientRef, revision: 1 }, 'list-2');
  await patients.setGoneIn({ patientRef, revision: 2 }, undefined); // listed again
  await expect(patients.setSuccessor(patientRef, successor, inList('list-2'))).rejects.toThrow(PatientChanged);
  await patients.setGoneIn({ patientRef, revision: 3 }, 'list-3');
  await patients.setSuccessor(patientRef, successor, inList('list-3'));
  await expect(patients.setSuccessor(patientRef, newPatientRef(), inList('list-3'))).rejects.toThrow(PatientChanged);
  expect(await patients.markRemoving(patientRef, 4)).toMatchObject({ successor });
  await patients.deleteRemoving(patientRef, 4);
  const { removed } = await patients.readShard(shard);
  expect(removed).toMatchObject([{ patientRef, isTombstone: true, identity, successor }]);
  await patients.storeNew([listed(patientRef, '{}', 'other')], 'list-4', await seenOf(patientRef));
  const [again] = await readShard(shard);
  expect(again).not.toHaveProperty('successor');
  expect(again).not.toHaveProperty('identity'); // the new entry lacks some of it
});

test('a patient reported as not insured is held or removed; reopened, the patient is pending, and late writes do nothing', async () => {
  const shard = newShard();
  const [held = '', removed = ''] = await newPatients(shard, 2);
  const reported = async () => (await countShard(shard)).reported;
  const heldFor = async (question: string) => await Array.fromAsync(patients.listHeld(shard, question));
  for (const patientRef of [held, held, removed])
    expect(await patients.markNotInsured(patientRef, 'run-1', { revision: 1 })).toBe('run-1');
  expect(await patients.markNotInsured(held, 'sync-on-demand', { revision: 1 })).toBe('run-1'); // only the first one counts
  expect(await patients.get(held)).toMatchObject({ careState: 'reported-not-insured' });
  expect(await patients.listPending(shard, undefined, 4)).toEqual([]);
  expect(await patients.activateCareVersion(held, '1', 1)).toBe(false); // fetched before the 410
  await patients.hold(held, 1, 'question-1');
  expect(await heldFor('question-1')).toEqual([{ patientRef: held, revision: 1 }]);
  expect(await heldFor('question-2')).toEqual([]);
  await patients.markRemoving(removed, 1);
  expect(await patients.readNotInsured(removed)).toEqual({ revision: 1 });
  expect(await reported()).toBe(1);

  await patients.reopenReported(shard, 'question-2');
  await patients.reopenReported(shard, 'question-2');
  expect(await patients.get(held)).toMatchObject({ careState: 'pending', revision: 2 });
  expect(await patients.readNotInsured(removed)).toEqual({ revision: 1 }); // its removal goes on
  expect(await patients.markNotInsured(held, 'run-1', { revision: 1 })).toBeUndefined();
  expect(await patients.markNotInsured(held, 'run-2', { revision: 2 })).toBe('run-2');
  await patients.hold(held, 1, 'question-1');
  expect(await heldFor('question-1')).toEqual([]);
  expect(await patients.markRemoving(held, 1)).toBeUndefined();
  await patients.storeNew([listed(removed)], 'list-2', new Map([[removed, { revision: 1 }]]));
  expect(await patients.readNotInsured(removed)).toBeUndefined();
});

test('a late 410 says nothing about a patient whose care records were stored since', async () => {
  const patientRef = await newPatient();
  await patients.activateCareVersion(patientRef, '1', 1);
  expect(await patients.markNotInsured(patientRef, 'run-1', { revision: 1 })).toBeUndefined();
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'current' });
  expect(await patients.markNotInsured(patientRef, 'run-1', { revision: 1, careVersion: '1' })).toBe('run-1');
  expect(await patients.activateCareVersion(patientRef, '2', 1)).toBe(false);
  await patients.markCareFailed(patientRef, { revision: 1, careVersion: '1' });
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'reported-not-insured' });
  await patients.setCareState(patientRef, 'pending'); // as after a restored backup
  expect(await patients.activateCareVersion(patientRef, '3', 1)).toBe(true);
});

test('a late removal does not delete a patient who has been stored again', async () => {
  const patientRef = await newPatient();
  await patients.deleteRemoving(patientRef, 1);
  expect(await patients.get(patientRef)).toBeDefined();
});

test('nothing is written or retried for an attempt that another one has replaced', async () => {
  const shard = newShard();
  const [known = ''] = await newPatients(shard, 1);
  const stoodStill = new Error('stood still');
  let checks = 0;
  const writeGuard: WriteGuard = {
    signal: new AbortController().signal,
    check() {
      checks += 1;
      if (checks > 1) throw stoodStill;
    },
  };
  const fresh = Array.from({ length: 26 }, () => listed(newPatientRef(shard)));
  await expect(patients.storeNew(fresh, 'list-2', new Map(), writeGuard)).rejects.toBe(stoodStill);
  await expect(
    patients.storeChanged([listed(known, '{"new":1}')], 'list-2', new Map([[known, { revision: 1 }]]), writeGuard),
  ).rejects.toBe(stoodStill);
  await expect(patients.markRemoving(known, 1, writeGuard)).rejects.toBe(stoodStill);
  expect((await patients.get(known))?.body).toBe('{}');
  expect([1, 2]).toContain((await readShard(shard)).length);
  const late = { signal: AbortSignal.abort(), check() {} };
  await expect(patients.storeNew([listed(newPatientRef(shard))], 'list-2', new Map(), late)).rejects.toThrow('aborted');
});

test('no operation on an unknown patient creates that patient', async () => {
  const patientRef = newPatientRef();
  await patients.setCareState(patientRef, 'failed');
  await patients.discardCareVersion(patientRef, '1');
  await patients.markNotInsured(patientRef, 'run-1', { revision: 1 });
  expect(await patients.readNotInsured(patientRef)).toBeUndefined();
  expect(await patients.activateCareVersion(patientRef, '1', 1)).toBe(false);
  expect(await patients.markRemoving(patientRef, 1)).toBeUndefined();
  expect(await patients.get(patientRef)).toBeUndefined();
});

const syncRequest = (syncId: string, requestedAt = '2026-11-24T10:00:00.000Z') => ({
  syncId,
  requestedBy: 'clara',
  requestedAt,
});

test('a requested sync is marked, runs and ends; repeating a step changes nothing', async () => {
  const patientRef = await newPatient();
  expect(await patients.readLastSync(patientRef)).toEqual({ standing: 'listed' });
  const marker = { ...syncRequest('a'), state: 'requested' };
  for (const _ of [1, 2]) expect(await patients.requestSync(patientRef, syncRequest('a'))).toEqual(marker);
  for (const _ of [1, 2]) expect(await patients.beginSync(patientRef, 'a')).toBe(true);
  expect(await patients.requestSync(patientRef, syncRequest('a'))).toEqual({ ...marker, state: 'running' });
  const failed = { state: 'failed', error: 'stalled', finishedAt: '2026-11-24T10:01:00.000Z' } as const;
  expect(await patients.endSync(patientRef, 'a', failed)).toEqual({ ...marker, state: 'running' });
  const late = { state: 'completed', finishedAt: '2026-11-24T10:02:00.000Z' } as const;
  expect(await patients.endSync(patientRef, 'a', late)).toBeUndefined();
  const ended = { ...marker, state: 'failed', error: 'stalled', finishedAt: '2026-11-24T10:01:00.000Z' };
  expect(await patients.beginSync(patientRef, 'a')).toBe(false);
  expect(await patients.requestSync(patientRef, syncRequest('a'))).toEqual(ended);
  expect((await patients.get(patientRef))?.lastSync).toEqual(ended);
  expect(await patients.readLastSync(patientRef)).toEqual({ standing: 'listed', lastSync: ended });
});

test('a request during a sync joins it, even if it arrives after the end; a later request is a new sync', async () => {
  const patientRef = await newPatient();
  const [first, ...others] = await Promise.all(
    ['a', 'b', 'c', 'd'].map((syncId) => patients.requestSync(patientRef, syncRequest(syncId))),
  );
  for (const other of others) expect(other).toEqual(first);
  const syncId = first?.syncId ?? '';
  await patients.beginSync(patientRef, syncId);
  expect(await patients.requestSync(patientRef, syncRequest('e'))).toEqual({ ...first, state: 'running' });
  await patients.endSync(patientRef, syncId, { state: 'completed', finishedAt: '2026-11-24T10:01:00.000Z' });
  const late = syncRequest('e', '2026-11-24T10:00:59.999Z');
  expect(await patients.requestSync(patientRef, late)).toMatchObject({ syncId, state: 'completed' });
  const next = syncRequest('f', '2026-11-24T10:01:00.001Z');
  expect(await patients.requestSync(patientRef, next)).toEqual({ ...next, state: 'requested' });
  expect(await patients.beginSync(patientRef, syncId)).toBe(false);
  await patients.endSync(patientRef, syncId, { state: 'completed', finishedAt: '2026-11-24T10:03:00.000Z' });
  expect(await patients.readLastSync(patientRef)).toMatchObject({ lastSync: { ...next, state: 'requested' } });
});

test('no sync is promised for an unknown patient, or one that is being removed', async () => {
  const unknown = newPatientRef();
  expect(await patients.requestSync(unknown, syncRequest('a'))).toBeUndefined();
  expect(await patients.readLastSync(unknown)).toBeUndefined();
  const removing = await newPatient();
  await patients.requestSync(removing, syncRequest('a'));
  await patients.markRemoving(removing, 1);
  expect(await patients.requestSync(removing, syncRequest('b'))).toBeUndefined();
  expect(await patients.readLastSync(removing)).toBeUndefined();
  expect(await patients.beginSync(removing, 'a')).toBe(false);
  await patients.endSync(removing, 'a', { state: 'completed', finishedAt: '2026-11-24T10:01:00.000Z' });
  await patients.deleteRemoving(removing, 1);
  await patients.endSync(removing, 'a', { state: 'completed', finishedAt: '2026-11-24T10:01:00.000Z' });
  expect(await patients.get(removing)).toBeUndefined();
});

/** Stores an inquiry, and what `readShard` returns of it. */
async function newInquiry(patientRef = newPatientRef(newShard())) {
  expect(await patients.inquire(patientRef, kvnr)).toBe(true);
  await patients.requestSync(patientRef, syncRequest('a'));
  return { patientRef, seen: await seenOf(patientRef), revision: (await patients.get(patientRef))?.revision ?? 0 };
}
const provisionalPatient = async () => {
  const inquiry = await newInquiry();
  const { patientRef, revision: incarnation } = inquiry;
  expect(await patients.activateCareVersion(patientRef, '5', incarnation)).toBe(true);
  const revision = (await patients.get(patientRef))?.revision ?? 0;
  return { patientRef, incarnation, revision, seenInquiry: inquiry.seen };
};

test('an inquiry is no patient: nothing counts, lists or removes it, and a sync can be about it', async () => {
  const { patientRef } = await newInquiry();
  const shard = shardOf(patientRef);
  expect(await countShard(shard)).toMatchObject({ stored: 0, pending: 0, removing: [] });
  expect(await patients.listPending(shard, undefined, 9)).toEqual([]);
  expect(await patients.readShard(shard)).toMatchObject({
    stored: [],
    unlisted: [{ patientRef, standing: 'inquiry' }],
    removed: [],
  });
  expect(await patients.get(patientRef)).toMatchObject({ kvnr, standing: 'inquiry', lastSync: { syncId: 'a' } });
  expect(await patients.beginSync(patientRef, 'a')).toBe(true);
  expect(await patients.inquire(patientRef, kvnr)).toBe(true);
  expect(await patients.readLastSync(patientRef)).toMatchObject({
    standing: 'inquiry',
    lastSync: { state: 'running' },
  });
});

test('care records make a provisional patient of an inquiry, and a list that names the person keeps them', async () => {
  const { patientRef, seenInquiry } = await provisionalPatient();
  expect(await patients.readShard(shardOf(patientRef))).toMatchObject({
    stored: [],
    unlisted: [{ patientRef, standing: 'provisional', careVersion: '5' }],
  });
  expect(await patients.get(patientRef)).toMatchObject({ standing: 'provisional', careState: 'current' });
  expect((await patients.get(patientRef))?.body).toBeUndefined();
  const tooEarly = patients.storeNew([listed(patientRef)], 'list-1', seenInquiry); // read before the records came
  await expect(tooEarly).rejects.toThrow(PatientChanged);
  const seen = await seenOf(patientRef);
  for (const _ of [1, 2]) await patients.storeNew([listed(patientRef)], 'list-1', seen);
  const named = { standing: 'listed', body: '{}', careState: 'current', careVersion: '5', lastSync: { syncId: 'a' } };
  expect(await patients.get(patientRef)).toMatchObject(named);
  expect(await readShard(shardOf(patientRef))).toMatchObject([{ listed: { listId: 'list-1', as: 'new' } }]);
});

test('a list that names somebody during their inquiry keeps the sync, whose records become current', async () => {
  const { patientRef, seen, revision } = await newInquiry();
  await patients.storeNew([listed(patientRef)], 'list-1', seen);
  expect(await patients.get(patientRef)).toMatchObject({ standing: 'listed', careState: 'pending' });
  expect(await patients.activateCareVersion(patientRef, '5', revision)).toBe(true);
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'current', lastSync: { state: 'requested' } });
  expect(await patients.markRemoving(patientRef, revision)).toBeUndefined(); // after a 404 that came before the list
});

test('care records of a listed patient become current with one write, also if the list names them only now', async () => {
  const { patients: writer, dynamo: client } = openEmulatedStores();
  let writes = 0;
  let namePerson = async (): Promise<void> => {};
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (input) => {
        if (commandName !== 'UpdateItemCommand') return await next(input);
        writes += 1;
        const isFirst = writes === 1;
        try {
          return await next(input);
        } finally {
          if (isFirst) await namePerson();
        }
      },
    { step: 'initialize' },
  );
  expect(await writer.activateCareVersion(await newPatient(), '5', 1)).toBe(true);
  expect(writes).toBe(1);

  const { patientRef, seen, revision } = await newInquiry();
  writes = 0;
  namePerson = async () => await patients.storeNew([listed(patientRef)], 'list-1', seen);
  expect(await writer.activateCareVersion(patientRef, '5', revision)).toBe(true);
  expect(await patients.get(patientRef)).toMatchObject({ standing: 'listed', careState: 'current', careVersion: '5' });
});

test('an inquiry ends in a tombstone, over which the next one begins', async () => {
  const { patientRef, seen, revision } = await newInquiry();
  expect(await patients.markNotInsured(patientRef, 'a', { revision })).toBe('a');
  for (const _ of [1, 2])
    expect(await patients.markRemoving(patientRef, revision)).toEqual({
      storedBy: 'a',
      revision,
      cause: { kind: 'sync', id: 'a' },
    });
  expect(await patients.inquire(patientRef, kvnr)).toBe(false);
  expect(await patients.closeVersions(patientRef, revision, '7')).toBe(true);
  await patients.deleteRemoving(patientRef, revision);
  expect(await patients.get(patientRef)).toBeUndefined();
  await expect(patients.storeNew([listed(patientRef)], 'list-1', seen)).rejects.toThrow(PatientChanged);
  const next = await newInquiry(patientRef);
  expect(next.revision).toBeGreaterThan(revision);
  expect(await patients.activateCareVersion(patientRef, '8', revision)).toBe(false); // fetched for the first inquiry
  expect(await patients.activateCareVersion(patientRef, '7', next.revision)).toBe(false);
  expect(await patients.activateCareVersion(patientRef, '8', next.revision)).toBe(true);
  expect(await patients.get(patientRef)).toMatchObject({ standing: 'provisional' });
});

test('an inquiry about a removed patient keeps what a list finds them by, for as long as their tombstone would have', async () => {
  const shard = newShard();
  const [patientRef, identity, successor] = [newPatientRef(shard), 'cd'.repeat(16), newPatientRef()];
  await patients.storeNew([{ ...listed(patientRef), identity }], 'list-1');
  await patients.markRemoving(patientRef, 1);
  await patients.deleteRemoving(patientRef, 1);
  const removed = async () => (await patients.readShard(shard)).removed;
  const [tombstone] = await removed();
  expect(tombstone).toMatchObject({ identity, imported: { listId: 'list-1' } });
  for (const _ of [1, 2]) {
    const { revision } = await newInquiry(patientRef);
    const { unlisted, ...others } = await patients.readShard(shard);
    expect(others).toEqual({ stored: [], removed: [] });
    expect(unlisted[0]).not.toHaveProperty('identity'); // an inquiry matches nobody
    await patients.markRemoving(patientRef, revision);
    await patients.deleteRemoving(patientRef, revision);
    expect(await removed()).toMatchObject([{ identity, imported: { listId: 'list-1' }, isTombstone: true }]);
  }
  await patients.setSuccessor(patientRef, successor, { listId: 'list-2', isRemoved: true });
  await newInquiry(patientRef);
  const expire = new UpdateCommand({
    TableName: defaultTables.patients,
    Key: { shard, patientRef },
    UpdateExpression: 'SET marksExpireAt = :past',
    ConditionExpression: 'marksExpireAt > :past',
    ExpressionAttributeValues: { ':past': Math.floor(Date.now() / 1000) },
  });
  await dynamo.send(expire);
  const { revision = 0 } = (await patients.get(patientRef)) ?? {};
  await patients.markRemoving(patientRef, revision);
  await patients.deleteRemoving(patientRef, revision);
  expect((await removed())[0]).not.toHaveProperty('identity');
  expect((await removed())[0]).not.toHaveProperty('successor');
});

test('a provisional patient whom a 410 has reported stays so: the sync removes them, not the run', async () => {
  const { patientRef, revision } = await provisionalPatient();
  expect(await patients.markNotInsured(patientRef, 'a', { revision, careVersion: '5' })).toBe('a');
  await patients.reopenReported(shardOf(patientRef), 'question');
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'reported-not-insured', revision });
  const cause = { kind: 'sync', id: 'a' };
  expect(await patients.markRemoving(patientRef, revision)).toEqual({ storedBy: '5', revision, cause });
});

test('care records that arrive after a decision about a provisional patient keep them', async () => {
  const { patientRef, incarnation, revision } = await provisionalPatient();
  await patients.setGoneIn({ patientRef, revision }, 'list-1');
  expect(await patients.activateCareVersion(patientRef, '6', incarnation)).toBe(true);
  const [unlisted] = (await patients.readShard(shardOf(patientRef))).unlisted;
  expect(unlisted).not.toHaveProperty('goneIn');
  expect(await patients.markRemoving(patientRef, revision + 1)).toBeUndefined(); // an attempt that has read them before
  const { revision: now = 0 } = unlisted ?? {};
  await patients.setGoneIn({ patientRef, revision: now }, 'list-2');
  for (const version of ['6', '5'])
    expect(await patients.activateCareVersion(patientRef, version, incarnation)).toBe(version === '6');
  const cause = { kind: 'list', id: 'list-2' };
  expect(await patients.markRemoving(patientRef, now + 1)).toEqual({ storedBy: '6', revision: now + 1, cause });
});

test('the cause of a removal is kept for the attempt that ends it', async () => {
  const { patientRef, revision } = await newInquiry();
  const mark = { storedBy: 'a', revision, cause: { kind: 'sync', id: 'a' }, unknownIn: 'a' };
  expect(await patients.markRemoving(patientRef, revision, undefined, { unknownIn: 'a' })).toEqual(mark);
  expect(await patients.markRemoving(patientRef, revision)).toEqual(mark);
});
