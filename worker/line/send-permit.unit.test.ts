import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { FromLineProcess, Order } from './messages.ts';
import { SendPermit } from './send-permit.ts';

const never = new AbortController().signal;
let messages: FromLineProcess[] = [];
let permit: SendPermit;
let orders = 0;
let leaseLost: () => void = () => {};
let stuck: () => void;
let cooldownsMs: number[] = [];
let startedMs = 0;
let gateAnswers: (liftNumber: number) => void = () => {};

beforeEach(() => {
  vi.useFakeTimers();
  vi.setTimerTickMode('nextTimerAsync'); // the clock advances to the next timer by itself, so all times are exact
  startedMs = systemClock.monotonicMs();
  messages = [];
  cooldownsMs = [];
  stuck = () => {
    throw new Error('stuck');
  };
  permit = new SendPermit({
    writeCooldown: (forMs) => {
      cooldownsMs.push(forMs);
      return new Promise((resolve) => {
        gateAnswers = resolve;
      });
    },
    tell: (message) => messages.push(message),
    pauseGraceMs: 60,
    lineMinGapMs: 40,
    onStuck: () => stuck(),
    onLeaseLost: () => leaseLost(),
  });
});
afterEach(() => {
  obey({ mustStop: true, sendUntilMs: 0 });
  vi.useRealTimers();
});

function obey(order: Partial<Order>): void {
  orders += 1;
  permit.obey({
    kind: 'order',
    number: orders,
    sendUntilMs: systemClock.monotonicMs() + 5_000,
    leaseNumber: orders,
    isPaused: false,
    cooldownUntilMs: 0,
    liftNumber: 0,
    mustStop: false,
    ...order,
  });
}
const lastReport = () => messages.findLast((message) => message.kind === 'report');

/** Starts a request that ends only when it is aborted. @returns the time until then in ms */
async function untilAborted(): Promise<number> {
  const startMs = systemClock.monotonicMs();
  await new Promise<void>((resolve) => {
    const end = permit.begin(async () => {
      end({ needsRest: true });
      resolve();
    });
  });
  return systemClock.monotonicMs() - startMs;
}

test('nothing may be sent before the first order', () => {
  expect(permit.maySend()).toBe(false);
});

test('the permit begins one gap after the lease, and ends by itself with the lease', async () => {
  const startMs = systemClock.monotonicMs();
  obey({ sendUntilMs: startMs + 150 });
  expect(permit.maySend()).toBe(false);
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(40);
  expect(permit.maySend()).toBe(true);
  await untilAborted();
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(150);
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(250);
  expect(permit.maySend()).toBe(false);
  expect(lastReport()).toMatchObject({ isClosed: true, orderNumber: orders });
});

test('an order that arrives after its end permits nothing', () => {
  obey({ sendUntilMs: systemClock.monotonicMs() - 1 });
  expect(permit.maySend()).toBe(false);
  expect(lastReport()).toMatchObject({ isClosed: true });
});

test('a pause lets a request end within the grace, aborts it then, and reports closed only after that', async () => {
  obey({});
  await permit.whenMaySend(never);
  const abort = untilAborted();
  obey({ isPaused: true });
  expect(permit.maySend()).toBe(false);
  expect(lastReport()).toMatchObject({ isClosed: false, wasBusy: true });
  obey({ isPaused: true }); // a repeated order does not extend the grace
  expect(await abort).toBeGreaterThanOrEqual(59);
  expect(lastReport()).toMatchObject({ isClosed: true, orderNumber: orders });
});

test('a pause closes an idle socket, and reports closed only after that', async () => {
  const closing = Promise.withResolvers<void>();
  let isClosed = false;
  let closes = 0;
  permit.guard({
    get isClosed() {
      return isClosed;
    },
    close: () => {
      closes += 1;
      return closing.promise;
    },
  });
  obey({});
  await permit.whenMaySend(never);
  expect(closes).toBe(0);
  obey({ isPaused: true });
  obey({ isPaused: true }); // a repeated order does not close it again
  expect(closes).toBe(1);
  expect(lastReport()).toMatchObject({ isClosed: false });
  isClosed = true;
  closing.resolve();
  await closing.promise;
  expect(lastReport()).toMatchObject({ isClosed: true, orderNumber: orders });
});

test('a socket that does not close in time is reported as stuck', async () => {
  const isStuck = new Promise<void>((resolve) => {
    stuck = resolve;
  });
  permit.guard({ isClosed: false, close: () => new Promise(() => {}) });
  obey({ isPaused: true });
  await isStuck;
  expect(lastReport()).toMatchObject({ isClosed: false });
});

test('a request is not aborted if the pause ends within the grace', async () => {
  obey({});
  await permit.whenMaySend(never);
  let wasAborted = false;
  const end = permit.begin(async () => {
    wasAborted = true;
  });
  obey({ isPaused: true });
  obey({ isPaused: false });
  await new Promise((resolve) => setTimeout(resolve, 120)); // twice the grace, in which nothing may happen
  expect(wasAborted).toBe(false);
  end({ needsRest: false });
});

test('the end of the lease aborts a request immediately, without a grace', async () => {
  obey({});
  await permit.whenMaySend(never);
  const abort = untilAborted();
  obey({ sendUntilMs: 0 });
  expect(await abort).toBeLessThan(40);
});

test('a gap follows a request that we aborted, and none follows a clean one', async () => {
  obey({});
  await permit.whenMaySend(never);
  permit.begin(async () => {})({ needsRest: false });
  expect(permit.maySend()).toBe(true);
  permit.begin(async () => {})({ needsRest: true });
  expect(permit.maySend()).toBe(false);
  const startMs = systemClock.monotonicMs();
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThan(30);
});

test('a cooldown stops this process in the same tick, and resolves once the gate has it', async () => {
  obey({});
  await permit.whenMaySend(never);
  const beganMs = systemClock.monotonicMs();
  const written = permit.startCooldown(120, 'retry-after');
  expect(permit.maySend()).toBe(false);
  expect(permit.isOpen()).toBe(true);
  expect(cooldownsMs).toEqual([120]);
  gateAnswers(0);
  await written;
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(120);
});

test('a line that stops does not report closed before the gate has its cooldown, which the next holder must know', async () => {
  obey({});
  await permit.whenMaySend(never);
  const written = permit.startCooldown(60_000, 'retry-after');
  obey({ mustStop: true });
  expect(lastReport()).toMatchObject({ isClosed: false });
  gateAnswers(0);
  await written;
  expect(lastReport()).toMatchObject({ isClosed: true });
  void permit.startCooldown(60_000, 'retry-after');
  obey({ mustStop: true, sendUntilMs: 0 });
  expect(lastReport()).toMatchObject({ isClosed: true }); // without a lease, nothing can be handed back
});

test('a cooldown in an order ends at its exact time, and the line stays open', async () => {
  const cooldownUntilMs = systemClock.monotonicMs() + 100;
  obey({ cooldownUntilMs });
  expect(permit.isOpen()).toBe(true);
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(cooldownUntilMs);
});

test('a lifted cooldown ends, also one that this process has started; one that the gate got later stays', async () => {
  obey({});
  const written = permit.startCooldown(60_000, 'outage');
  obey({ liftNumber: 1 });
  expect(permit.maySend()).toBe(false); // the gate does not have it yet, so nobody can have lifted it
  gateAnswers(1);
  await written;
  obey({ liftNumber: 1 });
  expect(permit.maySend()).toBe(false);
  obey({ liftNumber: 2 });
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs()).toBeLessThan(startedMs + 60_000);
});

test('a pace spaces requests out evenly, and a new holder waits first, because the last one may just have sent', async () => {
  const beganMs: number[] = [];
  obey({ requestsPerMinute: 60 });
  for (let requests = 0; requests < 3; requests += 1) {
    await permit.whenMaySend(never);
    beganMs.push(systemClock.monotonicMs() - startedMs);
    permit.begin(async () => {})({ needsRest: false });
  }
  expect(beganMs).toEqual([1_020, 2_040, 3_060]);
  obey({ requestsPerMinute: 600 });
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - startedMs).toBe(3_162);
});

test('a pause by the line itself stops sending in the same tick, also if older orders arrive later', () => {
  obey({});
  void permit.pauseBySystem('unauthorized');
  obey({});
  expect(permit.isOpen()).toBe(false);
  expect(permit.maySend()).toBe(false);
});

test('a wait for the permit can be cancelled', async () => {
  const reason = new Error('not needed');
  const abort = new AbortController();
  const waiting = expect(permit.whenMaySend(abort.signal)).rejects.toBe(reason);
  abort.abort(reason);
  await waiting;
});

test('a wait for a lease that another process has is reported', async () => {
  const lost = new Promise<void>((resolve) => {
    leaseLost = resolve;
  });
  obey({ sendUntilMs: systemClock.monotonicMs() + 20 });
  await new Promise((resolve) => setTimeout(resolve, 30));
  const abort = new AbortController();
  const waiting = permit.whenMaySend(abort.signal).catch(() => {});
  await lost;
  abort.abort();
  await waiting;
});

test('the end of the lease is reported immediately, also if another event comes before its timer', () => {
  let nowMs = 1_000;
  const lateMessages: FromLineProcess[] = [];
  const clock = { ...systemClock, monotonicMs: () => nowMs, after: () => () => {} }; // timers never fire
  const late = new SendPermit({
    ...{ writeCooldown: async () => 0, tell: (message: FromLineProcess) => lateMessages.push(message), clock },
    ...{ pauseGraceMs: 60, lineMinGapMs: 0, onStuck: () => {}, onLeaseLost: () => {} },
  });
  const order = { kind: 'order', number: 1, sendUntilMs: 2_000, leaseNumber: 1 } as const;
  late.obey({ ...order, isPaused: false, cooldownUntilMs: 0, liftNumber: 0, mustStop: false });
  expect(lateMessages.at(-1)).toMatchObject({ isClosed: false });
  nowMs = 2_001;
  late.whenMaySend(AbortSignal.timeout(50)).catch(() => {});
  expect(lateMessages.at(-1)).toMatchObject({ orderNumber: 1, isClosed: true });
});
