import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import type { ListPendingInput, ListPendingResult, PendingCursor } from '../../core/contract/sync-activities.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { shardIndexesIn, shardOf, shards } from '../../core/domain/shard.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { startTestStack } from '../../test/stack.ts';
import { createPending } from './pending.ts';

// These tests read all shards, so they need a stack without the patients of other tests.
const stack = await startTestStack();
afterAll(stack.stop);
Object.assign(process.env, stack.environment);
const stores = openEmulatedStores();
const { listPending, countPatients, finishRemovals } = createPending(stores);
/** Runs an activity in a mock environment. */
const run = async <Answer>(
  activity: () => Promise<Answer>,
  environment = new MockActivityEnvironment(),
): Promise<Answer> => await environment.run<[], Answer, () => Promise<Answer>>(activity);
const kvnr = 'A123456780' as Kvnr;

async function newPatients(count: number): Promise<string[]> {
  const patientRefs = Array.from({ length: count }, () => newPatientRef());
  const patients = patientRefs.map((patientRef) => ({ patientRef, kvnr, body: '{}', contentHash: 'h' }));
  await stores.patients.storeNew(patients, 'list');
  return patientRefs;
}

test('listPending returns each pending patient of all shards once, page by page', async () => {
  const mine = await newPatients(40);
  const found: string[] = [];
  for (let next: PendingCursor | undefined = { shardIndex: 0 }; next; ) {
    const input: ListPendingInput = { ...next, limit: 7 };
    const page: ListPendingResult = await run(async () => await listPending(input));
    if (page.next) expect(page.patientRefs).toHaveLength(7);
    found.push(...page.patientRefs);
    next = page.next;
  }
  expect(new Set(found).size).toBe(found.length);
  expect(found).toEqual(found.toSorted());
  expect(found).toEqual(mine.toSorted());
});

test('listPending reads only the shards that countPatients has found pending patients in', async () => {
  const { pendingShards = '0' } = await run(countPatients);
  const mine = await newPatients(1);
  const known = await run(async () => await listPending({ shardIndex: 0, limit: 1_000, pendingShards }));
  const all = await run(async () => await listPending({ shardIndex: 0, limit: 1_000 }));
  const isKnown = shardIndexesIn(pendingShards);
  expect(known.patientRefs).toEqual(all.patientRefs.filter((ref) => isKnown.has(shards.indexOf(shardOf(ref)))));
  const { pendingShards: now = '0' } = await run(countPatients);
  const input = { shardIndex: 0, limit: 1_000, pendingShards: now };
  expect(await run(async () => await listPending(input))).toEqual(all);
  expect(all.patientRefs).toContain(mine[0]);
});

test('listPending heartbeats while it reads a large shard', async () => {
  await newPatients(1);
  const environment = new MockActivityEnvironment();
  const heartbeats = Promise.withResolvers<void>();
  let count = 0;
  environment.on('heartbeat', () => {
    count += 1;
    if (count === 2) heartbeats.resolve();
  });
  const patients: typeof stores.patients = {
    ...stores.patients,
    async listPending(...input) {
      await heartbeats.promise; // the shard's answer comes after the second heartbeat
      return await stores.patients.listPending(...input);
    },
  };
  const { listPending: slow } = createPending({ ...stores, patients });
  expect((await run(async () => await slow({ shardIndex: 0, limit: 1 }), environment)).patientRefs).toHaveLength(1);
});

test('countPatients counts the patients of all shards, and heartbeats if that takes long', async () => {
  await newPatients(5);
  const environment = new MockActivityEnvironment();
  const heartbeat = Promise.withResolvers<void>();
  environment.on('heartbeat', () => heartbeat.resolve());
  const patients: typeof stores.patients = {
    ...stores.patients,
    async *scan(...input) {
      await heartbeat.promise; // the answer comes after it
      yield* stores.patients.scan(...input);
    },
  };
  const { countPatients: slow } = createPending({ ...stores, patients });
  const counted = await run(slow, environment);
  expect(counted.pending).toBeGreaterThanOrEqual(5);
  expect(counted.stored).toBeGreaterThanOrEqual(counted.pending);
});

test('countPatients measures the age of the stored care records', async () => {
  const [dated = '', undated = ''] = await newPatients(2);
  const receivedAt = new Date(Date.now() - 40.5 * 24 * 60 * 60_000).toISOString();
  await stores.patients.activateCareVersion(dated, '1', 1, { receivedAt });
  await stores.patients.activateCareVersion(undated, '1', 1);
  const age = { oldestDays: 40, medianDays: 40, unknown: 1 };
  expect(await run(countPatients)).toMatchObject({ careRecordsAge: age });
  for (const patientRef of [dated, undated]) await stores.patients.markRemoving(patientRef, 1);
  expect(await run(countPatients)).not.toHaveProperty('careRecordsAge');
  await run(finishRemovals);
});

test('a patient whom a terminated run has only marked as being removed is counted, and removed by the next run', async () => {
  const [patientRef = '', other = ''] = await newPatients(2);
  const before = await run(countPatients);
  await stores.patients.markRemoving(patientRef, 1);
  expect(await run(countPatients)).toEqual({
    stored: before.stored - 1,
    provisional: 0,
    pending: before.pending - 1,
    pendingShards: expect.any(String),
    reported: before.reported,
    removing: before.removing + 1,
  });
  expect(await stores.patients.markRemoving(patientRef, 1)).toBeDefined(); // counting removes nobody
  await run(finishRemovals);
  expect((await run(countPatients)).removing).toBe(0);
  expect(await stores.patients.markRemoving(patientRef, 1)).toBeUndefined();
  expect(await stores.patients.get(other)).toBeDefined();
});
