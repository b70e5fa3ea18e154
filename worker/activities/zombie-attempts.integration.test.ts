import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import type { ListActivities } from '../../core/contract/list-activities.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { shards } from '../../core/domain/shard.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { createListsStore, shardLineText } from '../../core/stores/lists.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { createApplyList } from './apply-list.ts';
import { createDiscardStaged } from './discard-staged.ts';
import { endSyncIn } from './end-sync.fixture.ts';
import { createRemovePatient } from './remove-patient.ts';
import { createStoreCareRecords } from './store-care-records.ts';

// Each test lets an attempt stand still at one store call, runs its successors to their end, and lets it continue.

const emulated = openEmulatedStores();
const stores = { ...emulated, endSync: endSyncIn(emulated.patients) };
const { patients, careRecords, payloads } = stores;
const lists = createListsStore(stores.bucket);
const kvnr = 'A123456780' as Kvnr;
const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

const run = async <Answer>(activity: () => Promise<Answer>): Promise<Answer> =>
  await new MockActivityEnvironment({}, { logger: silent }).run<[], Answer, () => Promise<Answer>>(activity);

/** Returns a store whose first call of one method stands still, before or after its effect, until `goOn` is called. */
function standStill<Store extends object>(store: Store, method: keyof Store, when: 'before' | 'after' = 'before') {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const call = store[method] as (...input: unknown[]) => Promise<unknown>;
  let calls = 0;
  const stopping = async (...input: unknown[]): Promise<unknown> => {
    calls += 1;
    const isFirst = calls === 1;
    const answer = isFirst && when === 'after' ? await call(...input) : undefined;
    if (isFirst) {
      reached.resolve();
      await released.promise;
    }
    return isFirst && when === 'after' ? answer : await call(...input);
  };
  return { store: { ...store, [method]: stopping } as Store, reached: reached.promise, goOn: () => released.resolve() };
}

/** Runs an attempt until it stands still, then its successors, then the rest of the attempt. */
async function standsStill(
  { reached, goOn }: { reached: Promise<void>; goOn: () => void },
  attempt: () => Promise<unknown>,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  const ended = run(attempt).then(
    () => {},
    () => {}, // nobody receives the result of a zombie attempt
  );
  await reached;
  await meanwhile();
  goOn();
  await ended;
}

const versionOf = (order: number) => `000001764028800-${String(order).padStart(9, '0')}`;
const answer = JSON.stringify({ kvnr, careRecords: [{ id: 'r', documents: [{ contentBase64: 'QQ' }] }] });

async function listedPatient(): Promise<string> {
  const patientRef = newPatientRef();
  await patients.storeNew([{ patientRef, kvnr, body: '{}', contentHash: 'h' }], 'list');
  return patientRef;
}
async function fetched(patientRef: string, order: number) {
  const syncId = randomUUID();
  return {
    patientRef,
    syncId,
    payload: await payloads.put({ syncId, patientRef }, Buffer.from(answer)),
    fetchOrder: versionOf(order),
  };
}
const store = async (input: Awaited<ReturnType<typeof fetched>>) =>
  await run(async () => await createStoreCareRecords(stores).storeCareRecords(input));
const report = async (patientRef: string, revision: number) => {
  const { careVersion } = (await patients.get(patientRef)) ?? {};
  await patients.markNotInsured(patientRef, 'run', { revision, ...(careVersion !== undefined && { careVersion }) });
};
/** Removes a patient as after a 410. */
const remove = async (patientRef: string, revision: number) => {
  await report(patientRef, revision);
  await run(async () => await createRemovePatient(stores).removePatient({ patientRef, revision }));
};
const currentRecords = async (patientRef: string): Promise<number | undefined> => {
  const careVersion = (await patients.get(patientRef))?.careVersion;
  return careVersion === undefined ? undefined : (await careRecords.read(patientRef, careVersion))?.total;
};

/** Applies a list with these people, or with nobody, to the shard of one patient. */
async function listOf(patientRef: string, hash?: string): Promise<Parameters<ListActivities['applyList']>[0]> {
  const listId = randomUUID();
  const shard = patientRef.slice(0, 2);
  const line = hash === undefined ? '' : shardLineText({ patientRef, kvnr, body: `"${hash}"`, contentHash: hash });
  await lists.putShardPart(listId, shard, 1, Buffer.from(line));
  const index = shards.indexOf(shard);
  return { insurerId: patientRef, listId, shardParts: shards.map(() => 1), fromShard: index, toShard: index + 1 };
}
const pseudonymKey = Buffer.alloc(32);
/** The conditions of the writes hold without the fence, too. The fence has tests of its own. */
const syncRuns = { isApplying: async () => true };
/** Applies a list. The store shows only one patient, because the shard has patients of other tests. */
async function applyList(
  input: Parameters<ListActivities['applyList']>[0],
  patientRef: string,
  stopped: PatientsStore = patients,
  fence: Pick<SyncRunsStore, 'isApplying'> = syncRuns,
) {
  const only: PatientsStore = {
    ...stopped,
    async readShard(shard) {
      const { stored, unlisted, removed } = await stopped.readShard(shard);
      const isMine = (item: { readonly patientRef: string }): boolean => item.patientRef === patientRef;
      return { stored: stored.filter(isMine), unlisted: unlisted.filter(isMine), removed: removed.filter(isMine) };
    },
  };
  return await createApplyList({ ...stores, lists, pseudonymKey, patients: only, syncRuns: fence }).applyList(input);
}
const revisionOf = async (patientRef: string): Promise<number> => (await patients.get(patientRef))?.revision ?? -1;

test('an attempt that finds the payload missing, because its successor has stored it, keeps the current version', async () => {
  const input = await fetched(await listedPatient(), 1);
  const stopped = standStill(payloads, 'get');
  const zombie = createStoreCareRecords({ ...stores, payloads: stopped.store });
  await standsStill(
    stopped,
    async () => await zombie.storeCareRecords(input),
    async () => await store(input),
  );
  expect(await currentRecords(input.patientRef)).toBe(1);
});

test('a version that was discarded before another one cannot become current through a late attempt', async () => {
  const patientRef = await listedPatient();
  const [first, second] = [await fetched(patientRef, 1), await fetched(patientRef, 2)];
  const stopped = standStill(patients, 'activateCareVersion');
  const zombie = createStoreCareRecords({ ...stores, patients: stopped.store });
  const { discardStaged } = createDiscardStaged(stores);
  await standsStill(
    stopped,
    async () => await zombie.storeCareRecords(first),
    async () => {
      for (const staged of [first, second]) await discardStaged(staged);
    },
  );
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'pending' });
  expect((await patients.get(patientRef))?.careVersion).toBeUndefined();
});

test('of more discarded versions than an item remembers, none becomes current', async () => {
  const patientRef = await listedPatient();
  const orders = Array.from({ length: 60 }, (_, index) => index + 1);
  for (const order of orders) await patients.discardCareVersion(patientRef, versionOf(order));
  for (const order of [1, 9, 10, 11, 59, 60])
    expect(await patients.activateCareVersion(patientRef, versionOf(order), 1)).toBe(false);
  expect(await patients.activateCareVersion(patientRef, versionOf(61), 1)).toBe(true);
});

test.each([
  ['careRecords', 'stage'],
  ['patients', 'activateCareVersion'],
] as const)(
  'care records of a removed patient, whose attempt stands still at %s.%s, do not become current after a new import',
  async (part, method) => {
    const patientRef = await listedPatient();
    const input = await fetched(patientRef, 1);
    const stopped = standStill<Record<string, unknown>>({ ...stores[part] }, method);
    const zombie = createStoreCareRecords({ ...stores, [part]: stopped.store });
    await standsStill(
      stopped,
      async () => await zombie.storeCareRecords(input),
      async () => {
        await remove(patientRef, 1);
        await run(async () => await applyList(await listOf(patientRef, 'back'), patientRef));
      },
    );
    expect(await patients.get(patientRef)).toMatchObject({ careState: 'pending' });
    expect(await stores.careRecordKeys(patientRef)).toEqual([]);
  },
);

test.each([
  ['patients', 'markRemoving', 'before'],
  ['patients', 'markRemoving', 'after'],
  ['careRecords', 'listAll', 'before'],
  ['patients', 'closeVersions', 'before'],
  ['careRecords', 'deleteListed', 'before'],
  ['patients', 'deleteRemoving', 'before'],
] as const)(
  'a removal that stands still at %s.%s (%s) keeps a patient who has been listed and fetched again',
  async (part, method, when) => {
    const patientRef = await listedPatient();
    await store(await fetched(patientRef, 1));
    await report(patientRef, 1);
    const stopped = standStill<Record<string, unknown>>({ ...stores[part] }, method, when);
    const zombie = createRemovePatient({ ...stores, [part]: stopped.store });
    await standsStill(
      stopped,
      async () => await zombie.removePatient({ patientRef, revision: 1 }),
      async () => {
        await remove(patientRef, 1);
        await run(async () => await applyList(await listOf(patientRef, 'back'), patientRef));
        await store(await fetched(patientRef, 2));
      },
    );
    expect(await patients.get(patientRef)).toMatchObject({ body: '"back"', careState: 'current' });
    expect(await currentRecords(patientRef)).toBe(1);
  },
);

test('the removal after a 410 leaves a patient whom a newer list has changed meanwhile', async () => {
  const patientRef = await listedPatient();
  await run(async () => await applyList(await listOf(patientRef, 'newer'), patientRef));
  const before = { revision: 1 }; // the request was sent before the newer list
  expect(await patients.markNotInsured(patientRef, 'sync-1', before)).toBeUndefined();
  await remove(patientRef, 1);
  expect(await patients.get(patientRef)).toMatchObject({ body: '"newer"' });
});

test('a patient who was removed is not stored again by a late attempt of an earlier list', async () => {
  const patientRef = newPatientRef();
  const list = await listOf(patientRef, 'a');
  const stopped = standStill(patients, 'storeNew');
  await standsStill(
    stopped,
    async () => await applyList(list, patientRef, stopped.store),
    async () => {
      await run(async () => await applyList(list, patientRef));
      await remove(patientRef, await revisionOf(patientRef));
    },
  );
  expect(await patients.get(patientRef)).toBeUndefined();
  const { removed } = await patients.readShard(patientRef.slice(0, 2));
  expect(removed.find((item) => item.patientRef === patientRef)).toMatchObject({ isTombstone: true });
});

test('master data of a newer list is not replaced by a late attempt of an earlier list', async () => {
  const patientRef = await listedPatient();
  const stopped = standStill(patients, 'storeChanged');
  const earlier = await listOf(patientRef, 'earlier');
  await standsStill(
    stopped,
    async () => await applyList(earlier, patientRef, stopped.store),
    async () => await run(async () => await applyList(await listOf(patientRef, 'newer'), patientRef)),
  );
  expect(await patients.get(patientRef)).toMatchObject({ body: '"newer"' });
});

test('a patient whom a newer list contains is not removed by the removals of an earlier list', async () => {
  const patientRef = await listedPatient();
  const without = await listOf(patientRef);
  const stopped = standStill(patients, 'setGoneIn');
  await standsStill(
    stopped,
    async () => await applyList(without, patientRef, stopped.store),
    async () => {
      await run(async () => await applyList(without, patientRef));
      await run(async () => await applyList(await listOf(patientRef, 'h'), patientRef)); // unchanged
    },
  );
  const removals = createApplyList({ ...stores, lists, pseudonymKey, syncRuns });
  expect(await run(async () => await removals.removeGone(without))).toEqual({ removed: 0 });
  expect(await patients.get(patientRef)).toBeDefined();
});

/** Begins a list as the workflow does. */
async function begin({ insurerId, listId }: { readonly insurerId: string; readonly listId: string }): Promise<void> {
  const { epoch } = await stores.syncRuns.readListState(insurerId);
  expect(await stores.syncRuns.beginList(insurerId, listId, epoch)).toBe(true);
}

test('an attempt that has missed a newer list writes nothing, even if it reads only after that one was applied', async () => {
  const patientRef = await listedPatient();
  const earlier = await listOf(patientRef, 'earlier');
  await begin(earlier);
  const stopped = standStill(patients, 'readShard');
  await standsStill(
    stopped,
    async () => await applyList(earlier, patientRef, stopped.store, stores.syncRuns),
    async () => {
      const newer = await listOf(patientRef, 'h'); // unchanged: nothing is written, so no revision shows it
      await begin(newer);
      await run(async () => await applyList(newer, patientRef, patients, stores.syncRuns));
    },
  );
  expect(await patients.get(patientRef)).toMatchObject({ contentHash: 'h' });
});

test('a patient whom a 410 has removed is not stored again by an attempt that reads the shard only afterwards', async () => {
  const patientRef = await listedPatient();
  const list = await listOf(patientRef, 'h');
  await begin(list);
  const stopped = standStill(patients, 'readShard');
  await standsStill(
    stopped,
    async () => await applyList(list, patientRef, stopped.store, stores.syncRuns),
    async () => {
      await run(async () => await applyList(list, patientRef, patients, stores.syncRuns));
      await stores.syncRuns.endEntries(patientRef, list.listId);
      await remove(patientRef, await revisionOf(patientRef));
    },
  );
  expect(await patients.get(patientRef)).toBeUndefined();
  const { entries } = await stores.accessLog.read(patientRef, 10);
  expect(entries.map(({ operation }) => operation)).not.toContain('import');
});

test('a list that does not contain a patient removes nobody once a newer one has begun', async () => {
  const patientRef = await listedPatient();
  const without = await listOf(patientRef);
  await begin(without);
  await run(async () => await applyList(without, patientRef, patients, stores.syncRuns));
  await stores.syncRuns.endEntries(patientRef, without.listId);
  await begin(await listOf(patientRef, 'h'));
  const removals = createApplyList({ ...stores, lists, pseudonymKey });
  await expect(run(async () => await removals.removeGone(without))).rejects.toMatchObject({ type: 'ListSuperseded' });
  expect(await patients.get(patientRef)).toBeDefined();
});

test('a late 404 does not undo care records that were stored since, nor a newer list entry', async () => {
  const { markCareFailed } = createDiscardStaged(stores);
  const stored = await listedPatient();
  await store(await fetched(stored, 1));
  await markCareFailed({ patientRef: stored, seen: { revision: 1 } });
  expect(await patients.get(stored)).toMatchObject({ careState: 'current' });
  const changed = await listedPatient();
  await run(async () => await applyList(await listOf(changed, 'newer'), changed));
  await markCareFailed({ patientRef: changed, seen: { revision: 1 } });
  expect(await patients.get(changed)).toMatchObject({ careState: 'pending' });
  await markCareFailed({ patientRef: changed, seen: { revision: 2 } });
  expect(await patients.get(changed)).toMatchObject({ careState: 'failed' });
});

test('a patient who is held is not made pending by a late attempt from before', async () => {
  const patientRef = await listedPatient();
  await patients.markNotInsured(patientRef, 'run-1', { revision: 1 });
  const late = openEmulatedStores();
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  late.dynamo.middlewareStack.add(
    (next, { commandName }) =>
      async (input) => {
        const isOurs = commandName === 'UpdateItemCommand' && JSON.stringify(input.input).includes(patientRef);
        if (isOurs) reached.resolve();
        if (isOurs) await released.promise;
        return await next(input);
      },
    { step: 'initialize' },
  );
  const shard = patientRef.slice(0, 2);
  const ended = late.patients.reopenReported(shard, 'question');
  await reached.promise;
  await patients.reopenReported(shard, 'question');
  await patients.markNotInsured(patientRef, 'run-2', { revision: 2 });
  await patients.hold(patientRef, 2, 'question');
  released.resolve();
  await ended;
  await late.patients.reopenReported(shard, 'question'); // an attempt that reads only now
  expect(await patients.get(patientRef)).toMatchObject({ careState: 'reported-not-insured' });
  expect(await Array.fromAsync(patients.listHeld(shard, 'question'))).toContainEqual({
    patientRef,
    revision: 2,
  });
});
