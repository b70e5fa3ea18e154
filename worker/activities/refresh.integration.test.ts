import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, expect, test } from 'vitest';
import type { PlanRefreshInput, RefreshPlan } from '../../core/contract/care-refresh.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { progressOf, startRun } from '../../core/domain/run.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { startTestStack } from '../../test/stack.ts';
import { createRefreshActivities } from './refresh.ts';

// These tests read all patients, so they need a stack without the patients of other tests.
const stack = await startTestStack();
afterAll(stack.stop);
Object.assign(process.env, stack.environment);
const stores = openEmulatedStores();
const { planRefresh, readStale, saveRefresh } = createRefreshActivities(stores);
const kvnr = 'A123456780' as Kvnr;
const runId = '20261124T213000Z-1f3a9c0e';
const at = (day: number): string => `2026-11-${String(day).padStart(2, '0')}T12:00:00.000Z`;

/** Stores a patient with care records of a day; without one, as 0.2.0 has stored them. */
async function patientOf(day?: number): Promise<string> {
  const patientRef = newPatientRef();
  await stores.patients.storeNew([{ patientRef, kvnr, body: '{}', contentHash: 'h' }], 'list');
  await stores.patients.activateCareVersion(patientRef, '1', 1, day === undefined ? {} : { receivedAt: at(day) });
  return patientRef;
}
const plan = async (more: Partial<PlanRefreshInput> = {}): Promise<RefreshPlan | undefined> =>
  await new MockActivityEnvironment().run(
    async () => await planRefresh({ runId, before: at(20), limit: 100, ...more }),
  );
const refsOf = async (planned: RefreshPlan | undefined): Promise<readonly string[] | undefined> =>
  planned && (await readStale({ plan: planned, from: 0, limit: 100 }));

test('a plan has the listed patients with stale care records, the stalest first over all shards, in parts', async () => {
  const dated = new Map<number, string>();
  for (const day of [7, 3, 19, 12, 20, 25, 1]) dated.set(day, await patientOf(day));
  const undated = await patientOf();
  const [pending, gone, removing] = [newPatientRef(), await patientOf(2), await patientOf(2)];
  await stores.patients.storeNew([{ patientRef: pending, kvnr, body: '{}', contentHash: 'h' }], 'list');
  await stores.patients.setGoneIn({ patientRef: gone, revision: 1 }, 'list-2');
  await stores.patients.markRemoving(removing, 1);
  const stalest = [undated, ...[1, 3, 7, 12, 19].map((day) => dated.get(day))];
  const whole = await plan();
  expect(await refsOf(whole)).toEqual(stalest);
  expect(whole).toMatchObject({ size: 6, stale: 6 });
  expect(whole).not.toHaveProperty('last');
  expect(await readStale({ plan: whole as RefreshPlan, from: 4, limit: 1 })).toEqual([stalest[4]]);

  const parts: (string | undefined)[] = [];
  for (let part = await plan({ limit: 2 }); part; part = part.last && (await plan({ limit: 2, after: part.last })))
    parts.push(...((await refsOf(part)) ?? []));
  expect(parts).toEqual(stalest);
  expect(await plan({ before: at(1), after: { asOf: '', patientRef: undated } })).toBeUndefined();

  await stores.payloads.deleteAllOf({ syncId: runId });
  expect(await refsOf(whole)).toBeUndefined();
});

test('a refresh may go on while its run is the newest one and has ended, and a late save changes nothing', async () => {
  const insurerId = 'kk-refresh';
  const run = { ...startRun(runId, Date.parse(at(24))), finishedAtMs: Date.parse(at(25)) };
  const progress = progressOf({ ...run, state: 'completed' }, { state: 'open', busy: false }, Date.parse(at(25)));
  await stores.syncRuns.saveProgress(insurerId, progress, 5);
  const refresh = { state: 'running', pending: 3, done: 1, unchanged: 0, failed: 0, removed: 2 } as const;
  const save = async (revision: number, done = 1) =>
    await saveRefresh({ insurerId, runId, revision, refresh: { ...refresh, done }, unapprovedRemovals: 2 });
  expect(await save(7)).toBe(true);
  expect(await save(6, 9)).toBe(false);
  const expected = { ...progress, refresh, unapprovedRemovals: 2 };
  expect(await stores.syncRuns.readProgress(insurerId, runId)).toEqual(expected);
  await stores.syncRuns.saveProgress(insurerId, { ...progress, runId: '20261125T213000Z-1f3a9c0e' }, 1);
  expect(await save(8)).toBe(false);
  expect(await save(9)).toBe(false);
});
