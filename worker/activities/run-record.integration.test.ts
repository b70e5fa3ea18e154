import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { progressOf, startRun } from '../../core/domain/run.ts';
import { openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { GateError, openGate } from '../../core/stores/gate.ts';
import { createDiscardStaged } from './discard-staged.ts';
import { createRunRecord } from './run-record.ts';

const stores = openEmulatedStores();
const gateOf = (insurerId: string) => openGate(stores.dynamo, insurerId);
const { saveProgress } = createRunRecord({ syncRuns: stores.syncRuns, gateOf });
const progress = progressOf(startRun('run-1', 0), { state: 'open', busy: true }, 0);

test('progress is kept with the state that the line has now', async () => {
  const insurerId = randomUUID();
  const { changeNumber } = await gateOf(insurerId).read();
  await gateOf(insurerId).pause({ by: 'operator', reason: 'maintenance', seen: changeNumber });
  expect(await saveProgress({ insurerId, progress, revision: 1 })).toEqual({ state: 'paused', busy: false });
  expect((await stores.syncRuns.readProgress(insurerId))?.line).toMatchObject({ state: 'paused', busy: false });
});

test('progress is kept also while the gate cannot be read, with the state last seen', async () => {
  const insurerId = randomUUID();
  const find = () => Promise.reject(new GateError('unavailable'));
  const record = createRunRecord({ syncRuns: stores.syncRuns, gateOf: () => ({ find }) });
  expect(await record.saveProgress({ insurerId, progress, revision: 1 })).toEqual({ state: 'open', busy: true });
  expect(await stores.syncRuns.readProgress(insurerId)).toEqual(progress);
});

test('progress is kept before any worker has kept the line, which makes no line of it', async () => {
  const insurerId = randomUUID();
  expect(await saveProgress({ insurerId, progress, revision: 1 })).toEqual({ state: 'open', busy: false });
  await expect(gateOf(insurerId).find()).rejects.toMatchObject({ fault: 'unknown-insurer' });
});

test('what a run has left in the bucket is swept, and nothing of another run', async () => {
  const [runId, other] = [randomUUID(), randomUUID()];
  for (const id of [runId, other]) {
    await stores.payloads.put({ syncId: id, patientRef: 'p' }, Buffer.from('left'));
    await stores.overwrite(`lists/${id}-1/segments/000001`, Buffer.from('[]'));
  }
  await createDiscardStaged(stores).sweepRun({ runId });
  for (const prefix of ['payloads/', 'lists/']) {
    expect(await stores.keysUnder(`${prefix}${runId}`)).toEqual([]);
    expect(await stores.keysUnder(`${prefix}${other}`)).toHaveLength(1);
  }
});
