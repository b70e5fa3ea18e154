import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import type { ListPendingInput, ListPendingResult, PendingCursor } from '../../core/contract/sync-activities.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { startTestStack } from '../../test/stack.ts';
import { createPending } from './pending.ts';

// All shards are read here, and others' patients would be in them: a stack of its own.
const stack = await startTestStack();
afterAll(stack.stop);
Object.assign(process.env, stack.environment);
const stores = openEmulatedStores();
const { listPending, takeStock } = createPending(stores);
/** Runs an activity as a worker does. */
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

test('all pending patients are found once each, page by page, over all shards', async () => {
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

test('patients are counted over all shards, and the worker is seen to live meanwhile', async () => {
  await newPatients(5);
  const environment = new MockActivityEnvironment();
  let heartbeats = 0;
  environment.on('heartbeat', () => {
    heartbeats += 1;
  });
  const counted = await run(takeStock, environment);
  expect(heartbeats).toBeGreaterThan(0);
  expect(counted.pending).toBeGreaterThanOrEqual(5);
  expect(counted.stored).toBeGreaterThanOrEqual(counted.pending);
});

test('whoever was only marked when a run was ended by force is removed by the next one', async () => {
  const [patientRef = '', other = ''] = await newPatients(2);
  await stores.patients.markRemoving(patientRef);
  await run(takeStock);
  expect(await stores.patients.markRemoving(patientRef)).toBeUndefined();
  expect(await stores.patients.get(other)).toBeDefined();
});
