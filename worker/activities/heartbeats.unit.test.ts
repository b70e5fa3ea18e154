import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { firstHeartbeatMs, type Heartbeats, heartbeatMs, withHeartbeats } from './heartbeats.ts';

interface Done {
  readonly shards: number;
}

/** Runs work with heartbeats on a clock that the test advances. Returns the shards of each heartbeat. */
async function withClock(work: (heartbeats: Heartbeats<Done>, clock: { nowMs: number }) => Promise<void>) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const clock = { nowMs: 1_000 };
  const beats: unknown[] = [];
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', ({ shards }: Done) => beats.push(shards));
  await environment.run(
    async () =>
      await withHeartbeats(
        { shards: 0 },
        async (heartbeats) => await work(heartbeats, clock),
        () => clock.nowMs,
      ),
  );
  return beats;
}

test('an attempt that keeps heartbeating may write', async () => {
  const beats = await withClock(async ({ writeGuard, report }, clock) => {
    for (let shards = 1; shards <= 5; shards++) {
      clock.nowMs += 4_000;
      writeGuard.check();
      report({ shards });
    }
    expect(writeGuard.signal.aborted).toBe(false);
  });
  expect(beats).toEqual([1, 2, 3, 4, 5]);
});

test('an attempt that ends within three seconds sends no heartbeat, because each is billed', async () => {
  const beats = await withClock(async (_heartbeats, clock) => {
    vi.advanceTimersByTime(1_000);
    clock.nowMs += 2_900;
    vi.advanceTimersByTime(1_000);
  });
  expect(beats).toEqual([]);
});

test('the first heartbeat comes well before a short timeout', () => {
  for (const heartbeatTimeoutMs of [3_000, 10_000])
    expect(firstHeartbeatMs({ heartbeatTimeoutMs }, 8_000) + heartbeatMs).toBeLessThanOrEqual(heartbeatTimeoutMs / 2);
});

test('an attempt that lasts longer heartbeats, with what is done', async () => {
  const beats = await withClock(async (_heartbeats, clock) => {
    clock.nowMs += 4_000;
    vi.advanceTimersByTime(1_000);
  });
  expect(beats).toEqual([0]);
});

test('an attempt continues where the last one was, but not where one of another execution was', async () => {
  const workflowExecution = { workflowId: 'daily-sync:kk', runId: 'today' };
  const goesOnWith = async (heartbeatDetails: unknown): Promise<Done> =>
    await new MockActivityEnvironment({ workflowExecution, heartbeatDetails }).run(
      async () => await withHeartbeats({ shards: 0 }, async ({ done }) => done),
    );
  expect(await goesOnWith({ execution: 'today', shards: 7 })).toEqual({ shards: 7 });
  // a copy from yesterday, what 0.2.0 has sent, and what was not encrypted
  for (const foreign of [{ execution: 'yesterday', shards: 7 }, { shards: 7 }, 7, null, undefined])
    expect(await goesOnWith(foreign)).toEqual({ shards: 0 });
});

test('after a rollback, a worker of 0.2.0 goes on where an attempt of this version was', async () => {
  let sent: unknown;
  const environment = new MockActivityEnvironment();
  environment.on('heartbeat', (details) => {
    sent = details;
  });
  await environment.run(async () => await withHeartbeats({ shards: 0 }, async ({ report }) => report({ shards: 7 })));
  const done = (sent as Done | undefined) ?? { shards: 0 }; // as 0.2.0 reads the details
  expect(done.shards).toBe(7);
});

test('an attempt that was frozen may not write any more, and a late heartbeat does not change that', async () => {
  const beats = await withClock(async ({ writeGuard, report }, clock) => {
    clock.nowMs += 6_000;
    report({ shards: 1 }); // like the overdue timer
    expect(writeGuard.signal.aborted).toBe(true);
    expect(writeGuard.check).toThrow('stood still');
  });
  expect(beats).toEqual([]);
});

test('an attempt that was frozen may not write even before its first overdue heartbeat', async () => {
  await withClock(async ({ writeGuard }, clock) => {
    clock.nowMs += 6_000;
    expect(writeGuard.check).toThrow('stood still');
    expect(writeGuard.signal.aborted).toBe(true);
  });
});
