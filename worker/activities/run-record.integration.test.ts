import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test, vi } from 'vitest';
import { progressOf, startRun } from '../../core/domain/run.ts';
import { openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { GateError, openGate } from '../../core/stores/gate.ts';
import { createDiscardStaged } from './discard-staged.ts';
import { createRunRecord } from './run-record.ts';

const stores = openEmulatedStores();
const gateOf = (insurerId: string) => openGate(stores.dynamo, insurerId);
const { saveProgress, readLineState } = createRunRecord({ syncRuns: stores.syncRuns, gateOf });
/** Creates a gate that is paused. A call has one second, which the emulator of all tests may need for itself. */
async function pausedLine(): Promise<string> {
  const insurerId = randomUUID();
  const gate = gateOf(insurerId);
  const { changeNumber } = await vi.waitFor(() => gate.read(), 15_000);
  await vi.waitFor(() => gate.pause({ by: 'operator', reason: 'maintenance', seen: changeNumber }), 15_000);
  return insurerId;
}

const progress = progressOf(startRun('run-1', 0), { state: 'open', busy: true }, 0);

test('saveProgress stores the progress of a run with the state of the line, and ignores an older revision', async () => {
  const insurerId = await pausedLine();
  const line = { state: 'paused', busy: false } as const;
  await expect.poll(() => saveProgress({ insurerId, progress, revision: 2 }), { timeout: 15_000 }).toEqual(line);
  const stored = { ...progress, line: { ...progress.line, ...line } };
  expect(await stores.syncRuns.readProgress(insurerId)).toEqual(stored);
  await saveProgress({ insurerId, progress: { ...progress, phase: 'done' }, revision: 1 });
  expect(await stores.syncRuns.readProgress(insurerId)).toEqual(stored);
});

test('readLineState returns the state of the gate', async () => {
  const insurerId = await pausedLine();
  await expect.poll(() => readLineState({ insurerId }), { timeout: 15_000 }).toEqual({ state: 'paused', busy: false });
});

test('readLineState returns undefined while the gate cannot be read', async () => {
  const find = () => Promise.reject(new GateError('unavailable'));
  const record = createRunRecord({ syncRuns: stores.syncRuns, gateOf: () => ({ find }) });
  expect(await record.readLineState({ insurerId: randomUUID() })).toBeUndefined();
});

test('readLineState reports an open and idle line before any worker has used it, and creates no gate', async () => {
  const insurerId = randomUUID();
  await expect.poll(() => readLineState({ insurerId }), { timeout: 15_000 }).toEqual({ state: 'open', busy: false });
  await expect(gateOf(insurerId).find()).rejects.toMatchObject({ fault: 'unknown-insurer' });
});

test('sweepRun deletes the objects that a run has left in the bucket, and keeps those of another run', async () => {
  const [runId, other] = [randomUUID(), randomUUID()];
  for (const id of [runId, other]) {
    await stores.payloads.put({ syncId: id, patientRef: 'p' }, Buffer.from('left'));
    for (const list of [1, 2, 3]) await stores.overwrite(`lists/${id}-${list}/segments/000001`, Buffer.from('[]'));
  }
  const insurerId = randomUUID();
  await stores.syncRuns.beginList(insurerId, `${runId}-2`, 0);
  const { sweepRun } = createDiscardStaged(stores);
  await new MockActivityEnvironment().run(async () => await sweepRun({ insurerId, runId, listCount: 2 }));
  expect(await stores.syncRuns.isApplying(insurerId, `${runId}-2`, 'entries')).toBe(false);
  expect(await stores.keysUnder(`payloads/${runId}`)).toEqual([]);
  expect(await stores.keysUnder(`payloads/${other}`)).toHaveLength(1);
  expect(await stores.keysUnder(`lists/${runId}`)).toEqual([`lists/${runId}-3/segments/000001`]); // of a later trigger
  expect(await stores.keysUnder(`lists/${other}`)).toHaveLength(3);
});
