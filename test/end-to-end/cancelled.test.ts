import { describe, expect, test } from 'vitest';
import type { Progress } from '../../core/domain/progress.ts';
import { deletePrefix } from '../../core/stores/objects.ts';
import { insurerId, startDay } from '../day.fixture.ts';
import { inPhase, phases, world } from './phases.fixture.ts';

describe('a run that is cancelled', () => {
  for (const phase of phases) {
    test(`in phase ${phase} leaves nothing staged`, async () => {
      await using day = await startDay(world);
      await day.startWorker();
      await day.sync.start();
      await inPhase[phase](day);
      await day.sync.cancel({ operator: 'olga', reason: 'the insurer asks for it' });
      const cancellation = { by: 'olga', reason: 'the insurer asks for it' };
      expect(await day.ended()).toMatchObject({ state: 'cancelled', cancellation });
      expect(await day.keysUnder('payloads/')).toEqual([]);
      expect(await day.keysUnder('lists/')).toEqual([]);
      for (const patientRef of await day.storedRefs()) {
        const patient = await day.stores.patients.get(patientRef);
        const versions = await day.careVersionsOf(patientRef);
        expect(versions).toEqual(patient?.careVersion === undefined ? [] : [patient.careVersion]);
      }
      const requests = day.insurer.summary().requests;
      // the next run fetches the pending patients
      await day.sync.start();
      expect(await day.ended()).toMatchObject({ state: 'completed', careRecords: { pending: 0, failed: 0 } });
      expect(day.insurer.summary().requests).toBeGreaterThan(requests);
      expect(day.insurer.summary().violations).toBe(0);
    });
  }

  test('does not swallow a start: the next run begins once it has ended', async () => {
    await using day = await startDay({ ...world, patients: 20 });
    await day.startWorker();
    const first = await day.sync.start();
    await inPhase['care-records'](day);
    await day.sync.cancel({ operator: 'olga', reason: 'the insurer asks for it' });
    const second = await day.sync.start();
    expect(second).toMatchObject({ joined: false });
    expect(await day.ended()).toMatchObject({ runId: second.runId, state: 'completed' });
    const { entries } = await day.stores.syncRuns.listRuns(insurerId, 10);
    expect(entries.map(({ runId, state }) => [runId, state])).toEqual([
      [second.runId, 'completed'],
      [first.runId, 'cancelled'],
    ]);
  });
});

test('a run whose list is lost in the bucket fails, says that it is our error, and leaves nothing; the next run completes', async () => {
  await using day = await startDay({ ...world, patients: 20 });
  await day.startWorker();
  await day.runToEnd();
  let ended: Progress | undefined;
  while (ended?.state !== 'failed') {
    day.insurer.nextDay({ new: 5 });
    const { runId } = await day.sync.start();
    await inPhase.diff(day); // the list is split, and the run waits some seconds for attempts of older lists
    await deletePrefix(day.stores.bucket, `lists/${runId}-1/shards/`);
    ended = await day.ended(); // completed if the machine was so slow that the list had been applied by then
  }
  expect(ended).toMatchObject({ failure: 'internal' });
  expect(await day.keysUnder('lists/')).toEqual([]);
  expect(await day.runToEnd()).toMatchObject({ state: 'completed', careRecords: { pending: 0, failed: 0 } });
});
