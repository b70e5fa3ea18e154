import { expect, test } from 'vitest';
import { startDay } from '../../day.fixture.ts';
import { expectWhole, world } from '../phases.fixture.ts';

// The answer has 250 ms to come. Beside other stacks on two cores it may take longer, and then it is asked for again.
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
