import { describe, expect, test } from 'vitest';
import { startDay } from '../day.fixture.ts';
import { expectWhole, inPhase, phases, world } from './phases.fixture.ts';

describe('a worker killed with -9', () => {
  for (const phase of phases) {
    test(`in phase ${phase}: the next one completes the run, nothing lost, nothing counted twice`, async () => {
      await using day = await startDay(world);
      const first = await day.startWorker();
      await day.sync.start();
      await inPhase[phase](day);
      await first.kill();
      await day.startWorker();
      await expectWhole(day);
      const askedAgain = day.insurer.log().filter(({ servedAgain }) => servedAgain);
      // what was under way, or just handed over, when it died: one for each slot of the line at most
      expect(new Set(askedAgain.map(({ kvnr }) => kvnr)).size).toBeLessThanOrEqual(3);
    });
  }
});

test('the emulator and Temporal restarted in the midst: the run completes, and nobody is served twice', async () => {
  await using day = await startDay(world);
  await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 15);
  await day.stack.restartEmulator();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 40);
  await day.stack.restartTemporal();
  await expectWhole(day);
});

test('two workers share the line: no overlap, and one takes over when the other is stopped', async () => {
  await using day = await startDay(world);
  const [first] = await Promise.all([day.startWorker(), day.startWorker()]);
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 20);
  await first?.stop();
  await expectWhole(day);
  expect(day.insurer.summary().servedAgain).toBe(0);
});
