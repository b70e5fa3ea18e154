import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import type { ListPendingInput, ListPendingResult, PendingCursor } from '../../core/contract/sync-activities.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { createPending } from './pending.ts';
import { createRemovePatient } from './remove-patient.ts';

const stores = openEmulatedStores();
const { listPending, countPending } = createPending(stores);
const { finishRemovals } = createRemovePatient(stores);
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
  const mine = await newPatients(40); // beside those of other tests
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
  expect(new Set(found).isSupersetOf(new Set(mine))).toBe(true);
});

test('patients are counted over all shards, and the worker is seen to live meanwhile', async () => {
  await newPatients(5);
  const environment = new MockActivityEnvironment();
  let heartbeats = 0;
  environment.on('heartbeat', () => {
    heartbeats += 1;
  });
  const counted = await run(countPending, environment);
  expect(counted.pending).toBeGreaterThanOrEqual(5);
  expect(counted.stored).toBeGreaterThanOrEqual(counted.pending);
  expect(heartbeats).toBe(256);
});

test('whoever was only marked when a run was ended by force is removed by the next one', async () => {
  const [patientRef = '', other = ''] = await newPatients(2);
  await stores.patients.markRemoving(patientRef);
  const { removed } = await run(finishRemovals);
  expect(removed).toBeGreaterThanOrEqual(1);
  expect(await stores.patients.markRemoving(patientRef)).toBe(false);
  expect(await stores.patients.get(other)).toBeDefined();
});
