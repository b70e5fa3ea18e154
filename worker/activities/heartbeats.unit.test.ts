import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { type Heartbeats, withHeartbeats } from './heartbeats.ts';

/** Runs some work with heartbeats, under a clock that the test moves. */
async function withClock(work: (heartbeats: Heartbeats<number>, clock: { nowMs: number }) => Promise<void>) {
  const clock = { nowMs: 1_000 };
  const told: unknown[] = [];
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', (details: unknown) => told.push(details));
  await environment.run(
    async () =>
      await withHeartbeats(
        0,
        async (heartbeats) => await work(heartbeats, clock),
        () => clock.nowMs,
      ),
  );
  return told;
}

test('an attempt that keeps beating may write', async () => {
  const told = await withClock(async ({ writeGuard, report }, clock) => {
    for (let done = 1; done <= 5; done++) {
      clock.nowMs += 4_000;
      writeGuard.check();
      report(done);
    }
    expect(writeGuard.signal.aborted).toBe(false);
  });
  expect(told).toEqual([0, 1, 2, 3, 4, 5]);
});

test('an attempt that was frozen writes nothing more, and no late heartbeat makes up for it', async () => {
  const told = await withClock(async ({ writeGuard, report }, clock) => {
    clock.nowMs += 6_000;
    report(1); // as the timer does that is overdue
    expect(writeGuard.signal.aborted).toBe(true);
    expect(writeGuard.check).toThrow('stood still');
  });
  expect(told).toEqual([0]);
});

test('an attempt that wakes up may not write even before its first overdue heartbeat', async () => {
  await withClock(async ({ writeGuard }, clock) => {
    clock.nowMs += 6_000;
    expect(writeGuard.check).toThrow('stood still');
    expect(writeGuard.signal.aborted).toBe(true);
  });
});
