import { randomBytes, randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test, vi } from 'vitest';
import type { PatientListReference } from '../../core/contract/line-activities.ts';
import { hashedSearch } from '../../core/crypto/name-hashes.ts';
import { patientRefOf } from '../../core/crypto/pseudonyms.ts';
import type { ListCounts } from '../../core/domain/diff.ts';
import { isKvnr, type Kvnr } from '../../core/domain/kvnr.ts';
import type { PersonSearch } from '../../core/domain/name-search.ts';
import { shardOf } from '../../core/domain/shard.ts';
import { createAccessLogStore } from '../../core/stores/access-log.ts';
import { openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { findPeople } from '../../core/stores/find-people.ts';
import { createListsStore } from '../../core/stores/lists.ts';
import type { Shard } from '../../core/stores/patients.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import type { ChangedKvnrsDeps } from './changed-kvnrs.ts';
import { leftBefore } from './heartbeats.fixture.ts';
import type { HeartbeatDetails } from './heartbeats.ts';
import { createListActivities } from './list-activities.ts';

vi.setConfig({ testTimeout: 60_000 }); // each test processes 256 shards on an emulator that other tests use, too

const allShards = { fromShard: 0, toShard: 256 };
const insurerId = 'kk';

const unreachableLog = createAccessLogStore(
  DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint: 'http://127.0.0.1:1' })),
  defaultTables,
  openEmulatedStores().accessAnchors,
);

/** Creates a world on the shared emulator. Its own key gives its own pseudonyms, so it sees no patients of other tests. */
function newWorld(options: Pick<ChangedKvnrsDeps, 'formerInMemory'> = {}) {
  const stores = openEmulatedStores();
  const lists = createListsStore(stores.bucket);
  const pseudonymKey = randomBytes(32);
  const runId = randomUUID();
  const mine = new Set<string>();
  const refOf = (kvnr: string) => {
    const patientRef = patientRefOf(kvnr as Kvnr, pseudonymKey);
    mine.add(patientRef);
    return patientRef;
  };
  const removed: string[] = [];
  const faults: { storeNewDies: boolean; isLogDown: boolean; diesAfter?: 'append' | 'setSuccessor' } = {
    storeNewDies: false,
    isLogDown: false,
  };
  const dieAfter = (call: 'append' | 'setSuccessor') => {
    if (faults.diesAfter === call) throw new Error('died');
  };
  const log = () => (faults.isLogDown ? unreachableLog : stores.accessLog);
  const isMine = ({ patientRef }: { patientRef: string }) => mine.has(patientRef);
  const mineOf = ({ stored, unlisted, removed }: Shard): Shard => ({
    stored: stored.filter(isMine),
    unlisted: unlisted.filter(isMine),
    removed: removed.filter(isMine),
  });
  const activities = createListActivities({
    ...options,
    lists,
    syncRuns: { ...stores.syncRuns, isApplying: async () => true }, // tests apply lists in any order
    pseudonymKey,
    patients: {
      storeNew: async (patients, listId, seen) => {
        for (const { patientRef } of patients) mine.add(patientRef);
        if (faults.storeNewDies) throw new Error('died');
        await stores.patients.storeNew(patients, listId, seen);
      },
      storeChanged: stores.patients.storeChanged,
      get: stores.patients.get,
      setGoneIn: stores.patients.setGoneIn,
      setNameHashes: stores.patients.setNameHashes,
      setSuccessor: async (...of) => {
        await stores.patients.setSuccessor(...of);
        dieAfter('setSuccessor');
      },
      markRemoving: stores.patients.markRemoving,
      closeVersions: stores.patients.closeVersions,
      deleteRemoving: async (patientRef, revision) => {
        removed.push(patientRef);
        await stores.patients.deleteRemoving(patientRef, revision);
      },
      async readShard(shard) {
        if (![...mine].some((patientRef) => patientRef.startsWith(shard)))
          return { stored: [], unlisted: [], removed: [] };
        return mineOf(await stores.patients.readShard(shard));
      },
      async *readSegment(segment, segments) {
        for await (const page of stores.patients.readSegment(segment, segments)) yield mineOf(page);
      },
    },
    careRecords: stores.careRecords,
    accessLog: {
      append: async (...of) => {
        const entries = await log().append(...of);
        dieAfter('append');
        return entries;
      },
      appendFirst: async (...of) => await log().appendFirst(...of),
    },
  });
  let listNumber = 0;
  return {
    ...stores,
    lists,
    runId,
    refOf,
    removed,
    faults,
    activities,
    /** Stores a list as the line does: in segments that end anywhere. */
    async receive(text: string | Buffer): Promise<PatientListReference> {
      const bytes = Buffer.from(text as Buffer);
      listNumber += 1;
      const listId = `${runId}-${listNumber}`;
      const ends = [0, Math.ceil(bytes.length / 3), Math.ceil(bytes.length / 2) + 1, bytes.length];
      const segments = [];
      for (let index = 0; index < 3; index++)
        segments.push(await lists.putSegment(listId, index, bytes.subarray(ends[index], ends[index + 1])));
      return { listId, manifest: await lists.putManifest(listId, segments), sizeBytes: bytes.length };
    },
    /** Returns the given names of those whom a search finds. */
    async find(search: PersonSearch): Promise<string[] | undefined> {
      const found = await findPeople(stores.patients, search, pseudonymKey);
      return found?.map(({ givenName }) => givenName);
    },
    /** Returns the pseudonyms in the index of birth dates. */
    async bornOn(birthDate: string): Promise<string[]> {
      const { birthHash } = hashedSearch({ birthDate }, pseudonymKey);
      return (await Array.fromAsync(stores.patients.findBornOn(birthHash))).map(({ patientRef }) => patientRef);
    },
    split: async (list: PatientListReference) =>
      await run(async () => await activities.splitPatientList({ insurerId, runId, list })),
    /** Returns a patient's access log. */
    async accessesOf(kvnr: string): Promise<string[]> {
      const { entries } = await stores.accessLog.read(refOf(kvnr), 100);
      return entries.map(({ operation, entity }) => `${operation} ${entity?.id ?? ''}`.trimEnd());
    },
    findChangedKvnrs: async (listId: string) =>
      await run(async () => await activities.findChangedKvnrs({ insurerId, runId, listId })),
    removeGone: async (listId: string) =>
      await run(async () => await activities.removeGone({ insurerId, listId, ...allShards })),
    /** Returns the issues about changed KVNRs as texts, and empties nothing: the run keeps all. */
    async changedKvnrs(): Promise<string[]> {
      const { entries } = await stores.syncRuns.listIssues(insurerId, runId, 1_000);
      return entries
        .filter(({ kind }) => kind === 'kvnr-changed')
        .map(({ reason, previousPatientRef, patientRef }) => `${reason} ${previousPatientRef} ${patientRef}`)
        .sort();
    },
    /** Returns the links in a patient's access log. */
    async linksOf(kvnr: string): Promise<string[]> {
      const { entries } = await stores.accessLog.read(refOf(kvnr), 100);
      return entries.flatMap(({ previousPatientRef, nextPatientRef }) => [
        ...(previousPatientRef === undefined ? [] : [`previous ${previousPatientRef}`]),
        ...(nextPatientRef === undefined ? [] : [`next ${nextPatientRef}`]),
      ]);
    },
    async importList(text: string): Promise<ListCounts & { listId: string }> {
      const list = await this.receive(text);
      const { shardParts } = await this.split(list);
      const { listId } = list;
      return {
        listId,
        ...(await run(async () => await activities.applyList({ insurerId, listId, shardParts, ...allShards }))),
      };
    },
  };
}

/** Runs an activity in a mock environment. */
const run = async <Answer>(
  activity: () => Promise<Answer>,
  environment = new MockActivityEnvironment(),
): Promise<Answer> => await environment.run<[], Answer, () => Promise<Answer>>(activity);

const kvnrs = Array.from({ length: 400 }, (_, index) => `K${String(10_000_000 + index)}`).map((body) => {
  const digit = [...'0123456789'].find((last) => isKvnr(body + last)) ?? '';
  return body + digit;
});
const keyOf = (patientRef: string) => ({ shard: shardOf(patientRef), patientRef });
const kvnrAt = (index: number): string => kvnrs[index] ?? '';
const entry = (index: number, more = ''): string =>
  `{"kvnr":"${kvnrAt(index)}","familyName":"Müller 😀","givenName":"Änne","birthDate":"1970-01-01","gender":"female","bonus":1.0${more}}`;
const listOf = (...entries: string[]): string => `[${entries.join(',\n ')}]`;
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

test('a first list is stored completely: entries as sent, odd and unreadable ones as issues without a name', async () => {
  const world = newWorld();
  const list = await world.receive(
    listOf(
      ...range(0, 30).map((index) => entry(index)),
      entry(3),
      '{"kvnr":"K000000000","familyName":"Secret"}',
      `{"kvnr":"${kvnrAt(99)}","familyName":"Secret","bonus":NaN}`,
      `{"KVNR":"${kvnrAt(98)}"}`,
      entry(30, ',"note":"\ufffd"'),
      `{"kvnr":"${kvnrAt(31)}","familyName":"Secret"}`,
    ),
  );
  const split = await world.split(list);
  expect(split).toMatchObject({ entries: 36, flagged: 1, quarantined: 3, unreadable: 2 });
  const { listId } = list;
  const apply = async () =>
    await run(
      async () => await world.activities.applyList({ insurerId, listId, shardParts: split.shardParts, ...allShards }),
    );
  const counts = { listed: 32, new: 32, changed: 0, unchanged: 0, gone: 0, stored: 0, goneProvisional: 0 };
  expect(await apply()).toEqual(counts);
  expect(await apply()).toEqual(counts); // like an attempt after one whose result was lost
  for (const index of range(0, 30))
    expect((await world.patients.get(world.refOf(kvnrAt(index))))?.body).toBe(entry(index));
  for (const index of [0, 3, 30]) expect(await world.accessesOf(kvnrAt(index))).toEqual([`import ${listId}`]);
  const { entries: issues } = await world.syncRuns.listIssues(insurerId, world.runId, 100);
  expect(issues.map(({ position, reason }) => [position, reason])).toEqual([
    [31, 'kvnr: check digit'],
    [32, 'entry: not JSON'],
    [33, 'kvnr: missing'],
    [35, 'givenName: missing; birthDate: missing; gender: missing'],
  ]);
  expect(issues[1]?.patientRef).toBe(world.refOf(kvnrAt(99)));
  expect(issues[2]?.patientRef).toBe(world.refOf(kvnrAt(98)));
  expect(issues[3]).toMatchObject({ kind: 'flagged', patientRef: world.refOf(kvnrAt(31)) });
  expect(JSON.stringify(issues)).not.toMatch(/Secret|K\d{9}/);
});

test('splitting a list again writes the same objects and adds no issue twice', async () => {
  const world = newWorld();
  const list = await world.receive(listOf(...range(0, 20).map((index) => entry(index)), '7'));
  const first = await world.split(list);
  const keys = await world.keysUnder(`lists/${list.listId}/shards/`);
  expect(await world.split(list)).toEqual(first);
  expect(await world.keysUnder(`lists/${list.listId}/shards/`)).toEqual(keys);
  expect((await world.syncRuns.listIssues(insurerId, world.runId, 100)).entries).toHaveLength(1);
});

test('the second day removes exactly the patients who are gone, not those with an unreadable entry or listed again', async () => {
  const world = newWorld();
  await world.importList(listOf(...range(0, 30).map((index) => entry(index))));
  const second = await world.importList(
    listOf(
      ...range(0, 19).map((index) => entry(index)),
      `{"kvnr":["${kvnrAt(19)}"],"mother":{"kvnr":"${kvnrAt(0)}"}}`,
      ...range(20, 23).map((index) => entry(index, ',"moved":true')),
      `{"kvnr":"${kvnrAt(23)}","bonus":NaN}`,
      entry(40),
    ),
  );
  expect(second).toMatchObject({ listed: 23, new: 1, changed: 3, unchanged: 19, gone: 6, stored: 30 });
  expect((await world.patients.get(world.refOf(kvnrAt(20))))?.body).toBe(entry(20, ',"moved":true'));

  const back = world.refOf(kvnrAt(24)); // a newer list contains one of the gone
  await world.patients.storeChanged(
    [{ patientRef: back, kvnr: kvnrAt(24) as Kvnr, body: '{}', contentHash: 'h' }],
    'newer',
    new Map([[back, { revision: 2 }]]), // stored, and marked as gone
  );
  await world.patients.markRemoving(world.refOf(kvnrAt(25)), 2); // an attempt died here
  const remove = async () =>
    await run(async () => await world.activities.removeGone({ insurerId, listId: second.listId, ...allShards }));
  expect(await remove()).toEqual({ removed: 5 });
  expect(await remove()).toEqual({ removed: 5 });
  const gone = range(25, 30).map((index) => world.refOf(kvnrAt(index)));
  expect(new Set(world.removed)).toEqual(new Set(gone));
  for (const patientRef of gone) expect(await world.patients.get(patientRef)).toBeUndefined();
  for (const index of [0, 19, 20, 23, 24, 40])
    expect(await world.patients.get(world.refOf(kvnrAt(index)))).toBeDefined();

  const first = `${world.runId}-1`;
  expect(await world.accessesOf(kvnrAt(0))).toEqual([`import ${first}`]);
  expect(await world.accessesOf(kvnrAt(20))).toEqual([`import ${first}`, `change ${second.listId}`]);
  expect(await world.accessesOf(kvnrAt(25))).toEqual([`import ${first}`, `removal ${second.listId}`]);
  expect(await world.accessesOf(kvnrAt(26))).toEqual([`import ${first}`, `removal ${second.listId}`]);
  expect(await world.accessesOf(kvnrAt(40))).toEqual([`import ${second.listId}`]);

  await run(async () => await world.activities.deleteList({ listId: second.listId }));
  expect(await world.keysUnder(`lists/${second.listId}/`)).toEqual([]);
  expect(await world.keysUnder(`lists/${world.runId}-1/`)).not.toEqual([]);
});

test.each([
  ['[{"kvnr":', 'truncated'],
  ['', 'truncated'],
  ['<html>', 'not-an-array'],
  ['{"patients":[]}', 'not-an-array'],
  ['[1 2]', 'syntax'],
  ['[] []', 'trailing-bytes'],
])(
  'a body that is not a list fails without retry, and the failure contains only the kind of fault: %s',
  async (text, fault) => {
    const world = newWorld();
    const failure = await world.split(await world.receive(text)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: 'ListUnusable',
      nonRetryable: true,
      message: 'list unusable',
      details: [fault],
    });
    expect((await world.syncRuns.listIssues(insurerId, world.runId, 1)).entries).toEqual([]);
  },
);

test('a missing or corrupted segment makes the list unusable', async () => {
  const world = newWorld();
  const list = await world.receive(listOf(entry(1), entry(2)));
  const [first, second] = await world.lists.readManifest(list.manifest);
  await world.overwrite(second?.key ?? '', Buffer.alloc(second?.sizeBytes ?? 0, 'x'));
  await expect(world.split(list)).rejects.toMatchObject({ type: 'ListUnusable', details: ['segment-corrupt'] });
  await run(async () => await world.activities.deleteList({ listId: list.listId }));
  expect(first).toBeDefined();
  await expect(world.split(list)).rejects.toMatchObject({ type: 'ListUnusable', details: ['segment-missing'] });
});

test('an attempt that dies between access entry and store is repeated, and appends no second entry', async () => {
  const world = newWorld();
  const list = await world.receive(listOf(...range(0, 5).map((index) => entry(index))));
  const { shardParts } = await world.split(list);
  const apply = async () =>
    await run(
      async () => await world.activities.applyList({ insurerId, listId: list.listId, shardParts, ...allShards }),
    );
  world.faults.storeNewDies = true;
  await expect(apply()).rejects.toThrow('died');
  world.faults.storeNewDies = false;
  await apply();
  for (const index of range(0, 5)) {
    expect(await world.patients.get(world.refOf(kvnrAt(index)))).toBeDefined();
    expect(await world.accessesOf(kvnrAt(index))).toEqual([`import ${list.listId}`]);
  }
});

test('no patient is stored or changed if the access log cannot be written', async () => {
  const world = newWorld();
  const { listId } = await world.importList(listOf(entry(1)));
  world.faults.isLogDown = true;
  const importing = world.importList(listOf(entry(1, ',"moved":true'), entry(2)));
  await expect(importing).rejects.toMatchObject({ name: 'AccessLogError' });
  expect((await world.patients.get(world.refOf(kvnrAt(1))))?.body).toBe(entry(1));
  expect(await world.patients.get(world.refOf(kvnrAt(2)))).toBeUndefined();
  expect(await world.accessesOf(kvnrAt(1))).toEqual([`import ${listId}`]);
});

test('an empty list removes nobody until an operator decides', async () => {
  const world = newWorld();
  await world.importList(listOf(entry(1), entry(2)));
  expect(await world.importList('[]')).toMatchObject({ listed: 0, gone: 2, stored: 2 });
  expect(await world.patients.get(world.refOf(kvnrAt(1)))).toBeDefined();
});

test('however many entries are flagged, each quarantined one is an issue', async () => {
  const world = newWorld();
  const flagged = range(2_000, 3_001).map((index) => `{"kvnr":"${kvnrAt(index % 400)}"}`);
  const split = await world.split(await world.receive(listOf(...flagged, 'null')));
  expect(split).toMatchObject({ flagged: 1_001, quarantined: 1 });
  const { entries: issues } = await world.syncRuns.listIssues(insurerId, world.runId, 2_000);
  expect(issues[0]).toMatchObject({ kind: 'quarantined', position: 1_001 });
  expect(issues.filter(({ kind }) => kind === 'flagged')).toHaveLength(1_000);
});

test('a list with several parts per shard and large entries is stored completely', async () => {
  const world = newWorld();
  const entries = range(0, 12).map((index) => entry(index, `,"note":"${'é'.repeat(150_000)}"`));
  const counts = await world.importList(listOf(...entries, ...entries));
  expect(counts).toMatchObject({ listed: 12, new: 12 });
  for (const index of range(0, 12))
    expect((await world.patients.get(world.refOf(kvnrAt(index))))?.body).toBe(entries[index]);
});

test('an attempt continues at the first shard that the previous attempt had not finished', async () => {
  const world = newWorld();
  const { listId } = await world.receive('[]');
  const counts = { listed: 7, new: 7, changed: 0, unchanged: 0, gone: 0, stored: 0, goneProvisional: 0 };
  const environment = new MockActivityEnvironment(leftBefore({ nextShard: 254, counts }));
  const heartbeats: unknown[] = [];
  environment.on('heartbeat', ({ execution: _, ...left }: HeartbeatDetails) => heartbeats.push(left));
  const apply = async () =>
    await world.activities.applyList({ insurerId, listId, shardParts: Array<number>(256).fill(0), ...allShards });
  expect(await run(apply, environment)).toEqual(counts);
  expect(heartbeats).toEqual([255, 256].map((nextShard) => ({ nextShard, counts })));
});

test('a cancelled activity ends before its next shard', async () => {
  const world = newWorld();
  const { listId } = await world.receive('[]');
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', ({ nextShard }: { nextShard: number }) => {
    if (nextShard === 2) environment.cancel();
  });
  const apply = async () =>
    await world.activities.applyList({ insurerId, listId, shardParts: Array<number>(256).fill(0), ...allShards });
  await expect(run(apply, environment)).rejects.toBeInstanceOf(CancelledFailure);
});

/** A person who can be found again under another KVNR: the number chooses the name. */
const person = (index: number, kvnr: string, more = ''): string =>
  `{"kvnr":"${kvnr}","familyName":"Nr. ${index}","givenName":"Änne","birthDate":"1970-01-01","gender":"female","address":{"street":"Weg 1","postalCode":"04109","city":"Leipzig"}${more}}`;
const samePerson = (world: ReturnType<typeof newWorld>, previous: number, next: number): string =>
  `SamePerson ${world.refOf(kvnrAt(previous))} ${world.refOf(kvnrAt(next))}`;

test('a changed KVNR is an issue of the run that finds it, and links both access logs when the old patient is removed', async () => {
  const world = newWorld();
  const [before, after] = [kvnrAt(200), kvnrAt(201)];
  await world.importList(listOf(person(1, before), person(2, kvnrAt(202)), entry(203)));
  const { listId } = await world.importList(listOf(person(1, after, ',"x":1'), person(2, kvnrAt(202)), entry(204)));
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 });
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 }); // like an attempt after one whose result was lost
  expect(await world.changedKvnrs()).toEqual([samePerson(world, 200, 201)]);
  expect(await world.linksOf(after)).toEqual([]); // an operator may reject the removal
  for (let attempt = 0; attempt < 2; attempt++) await world.removeGone(listId);
  expect(await world.linksOf(after)).toEqual([`previous ${world.refOf(before)}`]);
  expect(await world.linksOf(before)).toEqual([`next ${world.refOf(after)}`]);
  for (const kvnr of [before, after])
    expect(await world.accessLog.verify(world.refOf(kvnr))).toMatchObject({ valid: true });
  expect((await world.patients.get(world.refOf(after)))?.careState).toBe('pending'); // no care records are copied
});

test('a pair whose removal waits is an issue of each day, and is forgotten if the old KVNR is listed again', async () => {
  const world = newWorld();
  const [before, after] = [kvnrAt(210), kvnrAt(211)];
  await world.importList(listOf(person(1, before)));
  const second = await world.importList(listOf(person(1, after)));
  await world.findChangedKvnrs(second.listId);
  const third = await world.importList(listOf(person(1, after), entry(212)));
  expect(await world.findChangedKvnrs(third.listId)).toEqual({ found: 1 });

  const back = await world.importList(listOf(person(1, before), person(1, after)));
  expect(await world.findChangedKvnrs(back.listId)).toEqual({ found: 0 });
  const changed = person(1, before, ',"x":1').replace('Leipzig', 'Halle');
  await world.importList(listOf(changed, person(1, after)));
  const last = await world.importList(listOf(person(1, after)));
  expect(await world.findChangedKvnrs(last.listId)).toEqual({ found: 0 }); // the address was another one at last
  await world.removeGone(last.listId);
  expect(await world.linksOf(after)).toEqual([]);
});

test('the lists of a week may name both KVNRs, or neither', async () => {
  const world = newWorld();
  const kvnr = (index: number) => kvnrAt(220 + index);
  await world.importList(listOf(person(1, kvnr(1)), person(2, kvnr(2)), entry(229)));
  await world.importList(listOf(person(1, kvnr(1)), person(1, kvnr(3)), entry(229))); // 1 and 3 are one; 2 is gone
  const { listId: gone } = await world.importList(listOf(person(1, kvnr(3)), entry(229)));
  expect(await world.findChangedKvnrs(gone)).toEqual({ found: 1 });
  await world.removeGone(gone);
  const { listId } = await world.importList(listOf(person(1, kvnr(3)), person(2, kvnr(4)), entry(229)));
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 });
  expect(await world.linksOf(kvnr(4))).toEqual([`previous ${world.refOf(kvnr(2))}`]); // 2 was removed days ago
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 }); // like an attempt after one whose result was lost
  const { listId: later } = await world.importList(listOf(person(1, kvnr(3)), person(2, kvnr(4)), entry(229)));
  expect(await world.findChangedKvnrs(later)).toEqual({ found: 0 }); // linked before
  expect(await world.linksOf(kvnr(4))).toHaveLength(1);
  expect(await world.linksOf(kvnr(3))).toEqual([`previous ${world.refOf(kvnr(1))}`]);
});

test('a removed patient is found, although somebody has asked about the old KVNR since', async () => {
  const world = newWorld();
  const [before, after] = [kvnrAt(230), kvnrAt(231)];
  await world.importList(listOf(person(1, before), entry(239)));
  await world.removeGone((await world.importList(listOf(entry(239)))).listId);
  await world.patients.inquire(world.refOf(before), before as Kvnr);
  const { revision = 0 } = (await world.patients.get(world.refOf(before))) ?? {};
  await world.patients.markRemoving(world.refOf(before), revision);
  await world.patients.deleteRemoving(world.refOf(before), revision);
  const { listId } = await world.importList(listOf(person(1, after), entry(239)));
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 });
  expect(await world.linksOf(after)).toEqual([`previous ${world.refOf(before)}`]);
});

test.each(['append', 'setSuccessor'] as const)(
  'an attempt that dies after %s of a pair loses neither its issue nor its count',
  async (call) => {
    const world = newWorld();
    const [before, after] = [kvnrAt(240), kvnrAt(241)];
    await world.importList(listOf(person(1, before), entry(249)));
    await world.removeGone((await world.importList(listOf(entry(249)))).listId);
    const { listId } = await world.importList(listOf(person(1, after), entry(249)));
    world.faults.diesAfter = call;
    await expect(world.findChangedKvnrs(listId)).rejects.toThrow('died');
    delete world.faults.diesAfter;
    expect(await world.changedKvnrs()).toEqual([samePerson(world, 240, 241)]);
    expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 });
    expect(await world.changedKvnrs()).toEqual([samePerson(world, 240, 241)]);
    expect(await world.linksOf(after)).toEqual([`previous ${world.refOf(before)}`]);
  },
);

test('several candidates are named and not linked, also if there are more than memory holds', async () => {
  const world = newWorld({ formerInMemory: 2 });
  await world.importList(listOf(...range(300, 312).map((index) => person(index, kvnrAt(index))), entry(399)));
  const news = range(320, 332).map((index) => person(index - 20, kvnrAt(index)));
  const { listId } = await world.importList(listOf(...news, person(300, kvnrAt(340)), entry(399)));
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 13 });
  await world.removeGone(listId);
  const several = [320, 340].map(
    (next) => `SeveralCandidates ${world.refOf(kvnrAt(300))} ${world.refOf(kvnrAt(next))}`,
  );
  const certain = range(301, 312).map((index) => samePerson(world, index, index + 20));
  expect(await world.changedKvnrs()).toEqual([...certain, ...several].sort());
  for (const [index, links] of [
    [320, 0],
    [340, 0],
    [321, 1],
    [331, 1],
  ] as const)
    expect(await world.linksOf(kvnrAt(index))).toHaveLength(links);
});

test('a patient whom 0.2.0 has stored is found, and a patient without an address never is', async () => {
  const world = newWorld();
  const old = { kvnr: kvnrAt(350) as Kvnr, patientRef: world.refOf(kvnrAt(350)), contentHash: 'h' };
  await world.patients.storeNew([{ ...old, body: person(1, old.kvnr) }], 'list-1'); // without its identity
  await world.importList(listOf(person(1, old.kvnr), entry(351), entry(359)));
  const { listId } = await world.importList(listOf(person(1, kvnrAt(352)), entry(353), entry(359)));
  expect(await world.findChangedKvnrs(listId)).toEqual({ found: 1 });
  await world.removeGone(listId);
  expect(await world.linksOf(kvnrAt(352))).toHaveLength(1);
});

test('people are found by name and birth date from their import to their removal, and nothing is left behind', async () => {
  const world = newWorld();
  const birthDate = '1985-03-07';
  const person = (index: number, familyName: string, givenName: string) =>
    JSON.stringify({ kvnr: kvnrAt(index), familyName, givenName, birthDate, gender: 'female' });
  await world.importList(listOf(person(380, 'Müller', 'Änne'), person(381, 'Meier', 'Bea'), entry(382)));
  expect(await world.find({ birthDate, familyName: 'MUELL' })).toEqual(['Änne']);
  expect(await world.find({ birthDate, familyName: 'm' })).toEqual(['Bea', 'Änne']);
  expect(await world.find({ birthDate, familyName: 'm', givenName: 'anne' })).toEqual(['Änne']);
  expect(await world.find({ birthDate: '1970-01-01', familyName: 'Müller' })).toEqual(['Änne']);

  const married = await world.importList(listOf(person(380, 'Groß-Möller', 'Änne'), entry(382)));
  expect(await world.find({ birthDate, familyName: 'Müller' })).toEqual([]);
  expect(await world.find({ birthDate, familyName: 'Moeller' })).toEqual(['Änne']);

  await world.removeGone(married.listId);
  expect(await world.find({ birthDate, givenName: 'Bea' })).toEqual([]);
  expect(await world.bornOn(birthDate)).toEqual([world.refOf(kvnrAt(380))]);
  const item = { TableName: defaultTables.patients, Key: keyOf(world.refOf(kvnrAt(381))) };
  const { Item: tombstone } = await world.dynamo.send(new GetCommand(item));
  expect(tombstone).toMatchObject({ expiresAt: expect.any(Number) });
  expect(tombstone).not.toHaveProperty('nameHashes');
});

test('the next list makes those findable whom an earlier version has stored or changed', async () => {
  const world = newWorld();
  const birthDate = '1970-01-01';
  const list = listOf(...range(385, 388).map((index) => entry(index)));
  await world.importList(list);
  const change = async (index: number, UpdateExpression: string, values?: Record<string, unknown>) =>
    await world.dynamo.send(
      new UpdateCommand({
        TableName: defaultTables.patients,
        Key: keyOf(world.refOf(kvnrAt(index))),
        UpdateExpression,
        ...(values && { ExpressionAttributeValues: values }),
      }),
    );
  await change(385, 'REMOVE birthHash, nameHashes, hashesOf');
  await change(386, 'SET hashesOf = :of, nameHashes = :before', { ':of': '1:another entry', ':before': 'abcd/abcd' });
  expect(await world.find({ birthDate, familyName: 'Müller' })).toHaveLength(1);
  const { bodies } = await storedBodies(world, range(385, 388));
  await world.importList(list);
  expect(await world.find({ birthDate, familyName: 'Müller' })).toHaveLength(3);
  expect((await storedBodies(world, range(385, 388))).bodies).toEqual(bodies);
});

test('a patient of an earlier version whom the list before has not named is findable once a list names them again', async () => {
  const world = newWorld();
  const list = listOf(entry(389));
  await world.importList(list);
  await world.dynamo.send(
    new UpdateCommand({
      TableName: defaultTables.patients,
      Key: keyOf(world.refOf(kvnrAt(389))),
      UpdateExpression: 'SET goneIn = :list REMOVE birthHash, nameHashes, hashesOf',
      ExpressionAttributeValues: { ':list': 'the list before' },
    }),
  );
  await world.importList(list);
  expect(await world.find({ birthDate: '1970-01-01', familyName: 'Müller' })).toHaveLength(1);
});

/** Returns the entries and revisions of stored patients, which new hashes must not change. */
async function storedBodies(world: ReturnType<typeof newWorld>, indexes: readonly number[]) {
  const read = await Promise.all(indexes.map(async (index) => await world.patients.get(world.refOf(kvnrAt(index)))));
  return { bodies: read.map((patient) => [patient?.body, patient?.revision]) };
}
