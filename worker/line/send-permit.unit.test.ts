import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { FromLineProcess, Order } from './messages.ts';
import { SendPermit } from './send-permit.ts';

const never = new AbortController().signal;
let said: FromLineProcess[] = [];
let permit: SendPermit;
let orders = 0;
let leaseLost: () => void = () => {};
let cooldownsMs: number[] = [];
let gateAnswers: () => void = () => {};

beforeEach(() => {
  vi.useFakeTimers();
  vi.setTimerTickMode('nextTimerAsync'); // the clock goes to the next timer by itself: what is awaited comes, to the millisecond
  said = [];
  cooldownsMs = [];
  permit = new SendPermit({
    writeCooldown: (forMs) => {
      cooldownsMs.push(forMs);
      return new Promise((resolve) => {
        gateAnswers = resolve;
      });
    },
    tell: (message) => said.push(message),
    pauseGraceMs: 60,
    lineMinGapMs: 40,
    onStuck: () => {
      throw new Error('stuck');
    },
    onLeaseLost: () => leaseLost(),
  });
});
afterEach(() => {
  obey({ stop: true, sendUntilMs: 0 });
  vi.useRealTimers();
});

function obey(order: Partial<Order>): void {
  orders += 1;
  permit.obey({
    kind: 'order',
    number: orders,
    sendUntilMs: systemClock.monotonicMs() + 5_000,
    leaseNumber: orders,
    paused: false,
    cooldownUntilMs: 0,
    stop: false,
    ...order,
  });
}
const lastReport = () => said.findLast((message) => message.kind === 'report');

/** A request that ends only when it is cut. @returns how long until then, ms */
async function untilCut(): Promise<number> {
  const startMs = systemClock.monotonicMs();
  await new Promise<void>((resolve) => {
    const end = permit.begin(async () => {
      end({ wasAborted: true });
      resolve();
    });
  });
  return systemClock.monotonicMs() - startMs;
}

test('nothing may be sent before the first order', () => {
  expect(permit.maySend()).toBe(false);
});

test('the right to send begins a gap after the lease, and ends by itself when the lease does', async () => {
  const startMs = systemClock.monotonicMs();
  obey({ sendUntilMs: startMs + 150 });
  expect(permit.maySend()).toBe(false);
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(40);
  expect(permit.maySend()).toBe(true);
  await untilCut();
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThanOrEqual(150);
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(250);
  expect(permit.maySend()).toBe(false);
  expect(lastReport()).toMatchObject({ closed: true, order: orders });
});

test('an order that comes after its own end gives nothing', () => {
  obey({ sendUntilMs: systemClock.monotonicMs() - 1 });
  expect(permit.maySend()).toBe(false);
  expect(lastReport()).toMatchObject({ closed: true });
});

test('a pause lets a request end within its grace, cuts it then, and is said to be closed only after that', async () => {
  obey({});
  await permit.whenMaySend(never);
  const abort = untilCut();
  obey({ paused: true });
  expect(permit.maySend()).toBe(false);
  expect(lastReport()).toMatchObject({ closed: false, busy: true });
  obey({ paused: true }); // a repeated order does not make the grace longer
  expect(await abort).toBeGreaterThanOrEqual(59);
  expect(lastReport()).toMatchObject({ closed: true, order: orders });
});

test('a request that goes on when the pause is over within the grace is not cut', async () => {
  obey({});
  await permit.whenMaySend(never);
  let wasAborted = false;
  const end = permit.begin(async () => {
    wasAborted = true;
  });
  obey({ paused: true });
  obey({ paused: false });
  await new Promise((resolve) => setTimeout(resolve, 120)); // twice the grace: nothing happens
  expect(wasAborted).toBe(false);
  end({ wasAborted: false });
});

test('a lease that is taken back cuts at once, without a grace', async () => {
  obey({});
  await permit.whenMaySend(never);
  const abort = untilCut();
  obey({ sendUntilMs: 0 });
  expect(await abort).toBeLessThan(40);
});

test('after a request that was cut by us a gap is kept, after a clean one none', async () => {
  obey({});
  await permit.whenMaySend(never);
  permit.begin(async () => {})({ wasAborted: false });
  expect(permit.maySend()).toBe(true);
  permit.begin(async () => {})({ wasAborted: true });
  expect(permit.maySend()).toBe(false);
  const startMs = systemClock.monotonicMs();
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - startMs).toBeGreaterThan(30);
});

test('Retry-After holds this process from the same tick on, and is settled once the gate has it', async () => {
  obey({});
  await permit.whenMaySend(never);
  const beganMs = systemClock.monotonicMs();
  const written = permit.startCooldown(120);
  expect(permit.maySend()).toBe(false);
  expect(permit.isOpen()).toBe(true);
  expect(cooldownsMs).toEqual([120]);
  gateAnswers();
  await written;
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(120);
});

test('a line that is to stop is not called closed before the gate has its hold: the next one is to know of it', async () => {
  obey({});
  await permit.whenMaySend(never);
  const written = permit.startCooldown(60_000);
  obey({ stop: true });
  expect(lastReport()).toMatchObject({ closed: false });
  gateAnswers();
  await written;
  expect(lastReport()).toMatchObject({ closed: true });
  void permit.startCooldown(60_000);
  obey({ stop: true, sendUntilMs: 0 });
  expect(lastReport()).toMatchObject({ closed: true }); // no lease any more: nothing can be handed back
});

test('a hold of the order keeps the right back until its very moment, and never counts as a line that is closed', async () => {
  const cooldownUntilMs = systemClock.monotonicMs() + 100;
  obey({ cooldownUntilMs });
  expect(permit.isOpen()).toBe(true);
  await permit.whenMaySend(never);
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(cooldownUntilMs);
});

test('a pause by the line itself stops sending in the same tick, whatever orders are still on their way', () => {
  obey({});
  void permit.pauseBySystem('unauthorized');
  obey({});
  expect(permit.isOpen()).toBe(false);
  expect(permit.maySend()).toBe(false);
});

test('waiting for the right to send can be given up', async () => {
  const reason = new Error('not needed');
  const abort = new AbortController();
  const waiting = expect(permit.whenMaySend(abort.signal)).rejects.toBe(reason);
  abort.abort(reason);
  await waiting;
});

test('who waits for a lease that another process has is noticed', async () => {
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

test('the end of the lease is said at once, also when something else is noticed before its timer', () => {
  let nowMs = 1_000;
  const told: FromLineProcess[] = [];
  const clock = { ...systemClock, monotonicMs: () => nowMs, after: () => () => {} }; // a timer that comes too late
  const late = new SendPermit({
    ...{ writeCooldown: async () => {}, tell: (message: FromLineProcess) => told.push(message), clock },
    ...{ pauseGraceMs: 60, lineMinGapMs: 0, onStuck: () => {}, onLeaseLost: () => {} },
  });
  const order = { kind: 'order', number: 1, sendUntilMs: 2_000, leaseNumber: 1 } as const;
  late.obey({ ...order, paused: false, cooldownUntilMs: 0, stop: false });
  expect(told.at(-1)).toMatchObject({ closed: false });
  nowMs = 2_001;
  late.whenMaySend(AbortSignal.timeout(50)).catch(() => {});
  expect(told.at(-1)).toMatchObject({ order: 1, closed: true });
});
