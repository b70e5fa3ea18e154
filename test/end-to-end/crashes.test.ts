import { describe, expect, test } from 'vitest';
import { startDay } from '../day.fixture.ts';
import { expectComplete, inPhase, phases, world } from './phases.fixture.ts';

describe('a worker killed with -9', () => {
  for (const phase of phases) {
    test(`in phase ${phase}: the next worker completes the run, loses nothing and counts nothing twice`, async () => {
      await using day = await startDay(world);
      const first = await day.startWorker();
      await day.sync.start();
      await inPhase[phase](day);
      await first.kill();
      await day.startWorker();
      await expectComplete(day);
      const repeated = day.insurer.log().filter(({ servedAgain }) => servedAgain);
      // requests in flight or just answered when the worker died: at most one per slot of the line
      expect(new Set(repeated.map(({ kvnr }) => kvnr)).size).toBeLessThanOrEqual(3);
    });
  }
});

test('after restarts of the emulator and of Temporal the run completes, and no patient is fetched twice', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 10);
  await day.stack.restartEmulator();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 18);
  await day.stack.restartTemporal();
  await expectComplete(day);
});

test('two workers share the line without overlapping requests, and one takes over if the other stops', async () => {
  await using day = await startDay(world);
  const [first] = await Promise.all([day.startWorker(), day.startWorker()]);
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 14);
  await first?.stop();
  await expectComplete(day);
  expect(day.insurer.summary().servedAgain).toBe(0);
});
