import { describe, expect, test } from 'vitest';
import { type Day, startDay } from '../day.fixture.ts';
import { inPhase, phases, world } from './phases.fixture.ts';

/** Everyone is there, once, and the run has counted each once. */
async function expectWhole(day: Day): Promise<void> {
  const progress = await day.ended();
  const patients = day.insurer.patients();
  const insured = patients.filter(({ kind }) => kind === 'ok');
  expect(progress).toMatchObject({
    state: 'completed',
    patients: { listed: patients.length, new: patients.length, changed: 0, removed: 0, unchanged: 0 },
    careRecords: {
      total: patients.length,
      done: insured.length,
      pending: 0,
      failed: 0,
      notInsured: patients.length - insured.length,
    },
  });
  expect(new Set(await day.storedRefs())).toEqual(new Set(insured.map(({ kvnr }) => day.refOf(kvnr))));
  for (const { kvnr, careRecords } of insured) {
    const { careRecords: sent } = JSON.parse(careRecords ?? '') as { careRecords: unknown[] };
    expect((await day.careRecordTexts(day.refOf(kvnr))).map((text) => JSON.parse(text) as unknown)).toEqual(sent);
  }
  expect(await day.keysUnder('payloads/')).toEqual([]);
  expect(await day.keysUnder('lists/')).toEqual([]);
  expect(day.insurer.summary()).toMatchObject({ overlaps: 0, beforeRetryAfter: 0, after410: 0, violations: 0 });
}

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

test('a worker that is stopped keeps the answer that is nearly there: handing over costs no request', async () => {
  await using day = await startDay({ ...world, rate: 0, latencyMs: 60 });
  let worker = await day.startWorker();
  await day.sync.start();
  for (const asked of [10, 25, 40]) {
    const next = await day.startWorker();
    await day.insurer.requestArrives(asked);
    await worker.stop();
    worker = next;
  }
  await expectWhole(day);
  expect(day.insurer.summary().requests).toBe(1 + day.insurer.patients().length);
});
