import { describe, expect, test } from 'vitest';
import { startDay } from '../day.fixture.ts';
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
});
