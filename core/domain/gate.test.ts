import { expect, test } from 'vitest';
import {
  decideGate,
  type Gate,
  type GateEvent,
  hasLapsed,
  isSilent,
  lapsesAtMs,
  leaseMarginMs,
  newGate,
  watchLease,
} from './gate.ts';

const fresh = newGate('kk-nord', 1_000);
const leaseMs = 10_000;

function after(gate: Gate, ...events: readonly GateEvent[]): Gate {
  return events.reduce((now, event) => {
    const decision = decideGate(now, event);
    if (decision.kind !== 'write') throw new Error(`${event.kind}: ${decision.kind}`);
    return decision.gate;
  }, gate);
}
const take = (holder: string): GateEvent => ({ kind: 'take', holder, leaseMs });
const renew = (holder: string, busy = false): GateEvent => ({ kind: 'renew', holder, leaseMs, busy });
const pause: GateEvent = { kind: 'pause', by: 'olga', reason: 'maintenance', at: '2026-11-25T08:00:00.000Z' };
const resume = (pausedSince = pause.at): GateEvent => ({
  kind: 'resume',
  by: 'otto',
  reason: 'done',
  at: '2026-11-25T09:00:00.000Z',
  pausedSince,
});

test('a line that nobody holds is taken, and every write raises the lease number', () => {
  const held = after(fresh, take('a'));
  expect(held).toMatchObject({ holder: 'a', leaseNumber: 1_001, state: 'open', silent: false });
  expect(after(held, renew('a', true))).toMatchObject({ leaseNumber: 1_002, busy: true });
});

test('a line that someone holds is taken only with the very lease that was watched to lapse', () => {
  const held = after(fresh, take('a'));
  const lapsed = { holder: 'a', leaseNumber: 1_001, sinceMs: 0 };
  expect(decideGate(held, take('b'))).toEqual({ kind: 'refused', why: 'held' });
  expect(decideGate(after(held, renew('a')), { kind: 'take', holder: 'b', leaseMs, lapsed })).toEqual({
    kind: 'refused',
    why: 'held',
  });
  expect(after(held, { kind: 'take', holder: 'b', leaseMs, lapsed })).toMatchObject({
    holder: 'b',
    leaseNumber: 1_002,
  });
});

test('who lost the line can neither renew nor release it, nor call it silent', () => {
  const lapsed = { holder: 'a', leaseNumber: 1_001, sinceMs: 0 };
  const taken = after(fresh, take('a'), { kind: 'take', holder: 'b', leaseMs, lapsed }, pause);
  for (const event of [renew('a'), { kind: 'release', holder: 'a' }, { kind: 'say-silent', holder: 'a' }] as const)
    expect(decideGate(taken, event)).toEqual({ kind: 'refused', why: 'not-holder' });
});

test('a paused line is silent when its holder says so, when nobody holds it, and from the start for a new holder', () => {
  const paused = after(fresh, take('a'), pause);
  expect(paused).toMatchObject({ state: 'paused', silent: false, by: 'olga', since: pause.at, reason: 'maintenance' });
  expect(isSilent(paused, undefined, leaseMs, 0)).toBe(false);
  expect(isSilent(after(paused, { kind: 'say-silent', holder: 'a' }), undefined, leaseMs, 0)).toBe(true);
  const released = after(paused, { kind: 'release', holder: 'a' });
  expect(released.holder).toBeUndefined();
  expect(isSilent(released, undefined, leaseMs, 0)).toBe(true);
  expect(after(released, take('b'))).toMatchObject({ holder: 'b', state: 'paused', silent: true });
});

test('resuming clears the silence, so that the next pause waits for the holder anew', () => {
  const again = after(fresh, take('a'), pause, { kind: 'say-silent', holder: 'a' }, resume(), pause);
  expect(again).toMatchObject({ state: 'paused', silent: false });
});

test('an open line cannot be called silent', () => {
  expect(decideGate(after(fresh, take('a')), { kind: 'say-silent', holder: 'a' })).toEqual({
    kind: 'refused',
    why: 'not-paused',
  });
});

test('pausing a paused line and resuming an open one change nothing', () => {
  const paused = after(fresh, pause);
  expect(decideGate(paused, { ...pause, by: 'system', reason: '401' })).toEqual({ kind: 'unchanged' });
  expect(decideGate(fresh, resume())).toEqual({ kind: 'unchanged' });
});

test('a resume that comes late does not lift a pause that its sender has not seen', () => {
  const later = after(fresh, pause, resume(), { ...pause, at: '2026-11-25T10:00:00.000Z' });
  expect(decideGate(later, resume(pause.at))).toEqual({ kind: 'unchanged' });
});

test('Retry-After only ever moves later, whoever says it, and outlives pause, resume and a new holder', () => {
  const held = after(fresh, take('a'), { kind: 'hold-until', notBefore: 5_000 });
  expect(decideGate(held, { kind: 'hold-until', notBefore: 4_000 })).toEqual({ kind: 'unchanged' });
  expect(after(held, pause, resume(), { kind: 'release', holder: 'a' }, take('b')).notBefore).toBe(5_000);
});

test('a lease lapses only after it stood unchanged for its length and a margin, on the clock of who watches', () => {
  const held = after(fresh, take('a'));
  const watch = watchLease(undefined, held, 50_000);
  expect(hasLapsed(watch, held, leaseMs, 50_000 + leaseMs + leaseMarginMs(leaseMs) - 1)).toBe(false);
  expect(hasLapsed(watch, held, leaseMs, 50_000 + leaseMs + leaseMarginMs(leaseMs))).toBe(true);
  const renewed = after(held, renew('a'));
  expect(hasLapsed(watch, renewed, leaseMs, 1e9)).toBe(false);
  expect(watchLease(watch, renewed, 60_000)).toEqual({ holder: 'a', leaseNumber: 1_002, sinceMs: 60_000 });
  expect(watchLease(watch, held, 60_000)).toBe(watch);
});

test('who watches with a shorter lease than the holder has waits for the longer one', () => {
  const held = after(fresh, take('a'));
  const watch = { holder: 'a', leaseNumber: 1_001, sinceMs: 0 };
  expect(lapsesAtMs(watch, held, 2_000)).toBe(leaseMs + leaseMarginMs(leaseMs));
});
