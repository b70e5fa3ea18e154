import { expect, test } from 'vitest';
import { dailySyncId } from '../../core/contract/names.ts';
import { readBacklogs } from '../../worker/reporting/backlogs.ts';
import { insurerId, startDay } from '../day.fixture.ts';

test('a deployment during a run loses nothing, and neither does a rollback', async () => {
  await using day = await startDay({ patients: 120, rate: 0.6, latencyMs: 10 });
  const buildOfRun = async () => {
    const { raw } = await day.client.workflow.getHandle(dailySyncId(insurerId)).describe();
    return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
  };
  const first = await day.startWorker({ WORKER_BUILD_ID: 'first' });
  await first.logged('deployment version current');
  await day.sync.start();
  await day.until(({ careRecords }) => careRecords.done >= 10);
  expect(await buildOfRun()).toBe('first');

  day.insurer.setFaults({ latencyMs: 200 }); // so that the run lasts until slow workers have started
  const second = await day.startWorker({ WORKER_BUILD_ID: 'second' });
  await second.logged('deployment version current');
  const { careRecords } = await day.until((progress) => !progress.stale);
  await day.until((progress) => progress.careRecords.done >= careRecords.done + 5); // both workers run, as during a deployment
  await first.stop();
  await day.until((progress) => progress.careRecords.done >= careRecords.done + 20);
  expect(await buildOfRun()).toBe('second');

  const firstAgain = await day.startWorker({ WORKER_BUILD_ID: 'first' });
  await firstAgain.logged('deployment version current');
  await second.stop();
  await expect.poll(buildOfRun, { timeout: 60_000 }).toBe('first');
  day.insurer.setFaults({ latencyMs: 10 });
  const progress = await day.ended();
  expect(progress).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });
  expect(await buildOfRun()).toBe('first');

  const insured = day.insurer.patients().filter(({ kind }) => kind !== '410');
  expect(new Set(await day.storedRefs())).toEqual(new Set(insured.map(({ kvnr }) => day.refOf(kvnr))));
  expect(day.insurer.summary()).toMatchObject({ overlaps: 0, beforeRetryAfter: 0, after410: 0, servedAgain: 0 });
});

test('tasks that wait for a worker of the current version count as backlog', async () => {
  await using day = await startDay({ patients: 5, rate: 0, latencyMs: 10 });
  const worker = await day.startWorker({ WORKER_BUILD_ID: 'first' });
  await worker.logged('deployment version current');
  await worker.stop();
  await day.sync.start();
  await expect.poll(async () => (await readBacklogs(day.client)).sync, { timeout: 30_000 }).toBeGreaterThan(0);
});
