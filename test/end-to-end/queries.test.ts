import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { progressQuery } from '../../core/contract/daily-sync.ts';
import { dailySyncId } from '../../core/contract/names.ts';
import { insurerId, startDay } from '../day.fixture.ts';
import { historiesOf, replay } from '../histories.fixture.ts';

/** Number of parallel clients, so that a query reaches each new worker before the run's next workflow task does. */
const clients = 8;

test('a run that is queried all the time can be replayed by any worker that continues it', async () => {
  await using day = await startDay({ patients: 120, rate: 0.3, latencyMs: 300, notInsuredShare: 0 }); // so slow that all handovers are in the run
  let worker = await day.startWorker();
  await day.sync.start();
  const run = day.client.workflow.getHandle(dailySyncId(insurerId));
  let isOver = false;
  let answers = 0;
  const ask = async (): Promise<void> => {
    for (; !isOver; await sleep(150))
      await day.client.connection
        .withDeadline(Date.now() + 2_000, () => run.query(progressQuery))
        .then(
          () => answers++,
          () => {}, // no worker is running, or the worker discards the run
        );
  };
  const asking = Array.from({ length: clients }, ask);
  for (let handover = 1; handover <= 8; handover++) {
    await day.insurer.until(({ patientsServed }) => patientsServed >= handover * 6);
    const next = await day.startWorker();
    await worker.stop();
    worker = next;
  }
  expect(await day.sync.readProgress()).toMatchObject({
    state: 'running',
    careRecords: { pending: expect.toSatisfy((pending) => pending > 0) },
  });
  day.insurer.setFaults({ latencyMs: 2 });
  const progress = await day.ended();
  isOver = true;
  await Promise.all(asking);

  expect(progress).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });
  expect(answers).toBeGreaterThan(0);
  for (const { history } of await historiesOf(day.client)) await replay(history, process.env['PAYLOAD_KEYS'] ?? '');
});
