import { expect, test } from 'vitest';
import {
  type CooldownReason,
  decideGate,
  type Gate,
  type GateEvent,
  hasLapsed,
  isSilent,
  lapsesAtMs,
  leaseMarginMs,
  newGate,
  nextReasonEndOf,
  openReasonsMax,
  openReasonsOf,
  opensAtOf,
  rememberedChangesMax,
  requestsPerMinuteOf,
  type WorkersWatch,
  watchLease,
  watchWorkers,
} from './gate.ts';

const cooldownOf = (cooldownMs: number, reason: CooldownReason = 'retry-after') =>
  ({ kind: 'cooldown', cooldownMs, cooldown: { reason, since: 'now', until: 'then' } }) as const;
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
const pause = (seen = 0) =>
  ({ kind: 'pause', by: 'olga', reason: 'maintenance', at: '2026-11-25T08:00:00.000Z', seen }) as const;
const resume = (seen = 1) =>
  ({ kind: 'resume', by: 'otto', reason: 'done', at: '2026-11-25T09:00:00.000Z', seen }) as const;
/** Otto pauses the line that Olga has paused. He has seen the open line, as she has. */
const ottoPauses = { ...pause(), by: 'otto', reason: 'the modem', at: '2026-11-25T08:10:00.000Z' } as const;
const olgasReason = { number: 1, by: 'olga', since: pause().at, reason: 'maintenance' };
const ottosReason = { number: 2, by: 'otto', since: ottoPauses.at, reason: 'the modem' };
const numbersOf = ({ outbox }: Gate): number[] => outbox.map(({ number }) => number);

test('a line without a holder can be taken, and every write increases the lease number', () => {
  const held = after(fresh, take('a'));
  expect(held).toMatchObject({ holder: 'a', leaseNumber: 1_001, state: 'open', silent: false });
  expect(after(held, renew('a', true))).toMatchObject({ leaseNumber: 1_002, busy: true });
});

test('a held line can be taken only with a watch of exactly the lease that has lapsed', () => {
  const held = after(fresh, take('a'));
  const lapsed = { holder: 'a', renewalNumber: 1_001, sinceMs: 0 };
  expect(decideGate(held, take('b'))).toEqual({ kind: 'rejected', why: 'held' });
  expect(decideGate(after(held, renew('a')), { kind: 'take', holder: 'b', leaseMs, lapsed })).toEqual({
    kind: 'rejected',
    why: 'held',
  });
  expect(after(held, { kind: 'take', holder: 'b', leaseMs, lapsed })).toMatchObject({
    holder: 'b',
    leaseNumber: 1_002,
  });
});

test('a process that has lost the line cannot renew or release it, and cannot report silence', () => {
  const lapsed = { holder: 'a', renewalNumber: 1_001, sinceMs: 0 };
  const taken = after(fresh, take('a'), { kind: 'take', holder: 'b', leaseMs, lapsed }, pause());
  for (const event of [renew('a'), { kind: 'release', holder: 'a' }, { kind: 'say-silent', holder: 'a' }] as const)
    expect(decideGate(taken, event)).toEqual({ kind: 'rejected', why: 'not-holder' });
});

test('a paused line is silent after the report of its holder, without a holder, and from the start of a new holder', () => {
  const paused = after(fresh, take('a'), pause());
  const { by, at: since, reason } = pause();
  expect(paused).toMatchObject({ state: 'paused', silent: false, by, since, reason, changeNumber: 1 });
  expect(isSilent(paused)).toBe(false);
  expect(isSilent(after(paused, { kind: 'say-silent', holder: 'a' }))).toBe(true);
  const released = after(paused, { kind: 'release', holder: 'a' });
  expect(released.holder).toBeUndefined();
  expect(isSilent(released)).toBe(true);
  expect(after(released, take('b'))).toMatchObject({ holder: 'b', state: 'paused', silent: true });
});

test('a resume clears the silence, so that the next pause waits for the holder again', () => {
  const again = after(fresh, take('a'), pause(), { kind: 'say-silent', holder: 'a' }, resume(), pause(2));
  expect(again).toMatchObject({ state: 'paused', silent: false });
});

test('an open line cannot become silent', () => {
  expect(decideGate(after(fresh, take('a')), { kind: 'say-silent', holder: 'a' })).toEqual({
    kind: 'rejected',
    why: 'not-paused',
  });
});

test('a pause of a paused line adds its reason and is recorded, and the first pause stays', () => {
  const paused = after(fresh, pause());
  const again = after(paused, ottoPauses);
  expect(again).toEqual({
    ...paused,
    leaseNumber: paused.leaseNumber + 1,
    changeNumber: 2,
    openReasons: [olgasReason, ottosReason],
    outbox: [...paused.outbox, { number: 2, state: 'paused', by: 'otto', at: ottoPauses.at, reason: 'the modem' }],
  });
  expect(openReasonsOf(again)).toEqual({ openReasons: [olgasReason, ottosReason] });
});

test('a repeated pause with the same reason by the same operator or by the system is recorded once', () => {
  const bySystem = { ...pause(), by: 'system', reason: 'unauthorized' };
  const paused = after(fresh, pause(), ottoPauses, bySystem);
  for (const repeated of [pause(), { ...pause(), at: 'later' }, ottoPauses, bySystem])
    expect(after(paused, repeated)).toEqual({ ...paused, leaseNumber: paused.leaseNumber + 1, changeNumber: 4 });
  const { openReasons } = openReasonsOf(after(paused, { ...pause(3), by: 'otto' }));
  expect(openReasons.map(({ by, reason }) => [by, reason])).toEqual([
    ['olga', 'maintenance'],
    ['otto', 'the modem'],
    ['system', 'unauthorized'],
    ['otto', 'maintenance'],
  ]);
});

test('one resume ends all reasons, and the next pause has only its own', () => {
  const opened = after(fresh, pause(), ottoPauses, resume(2));
  expect(opened).not.toHaveProperty('openReasons');
  expect(openReasonsOf(opened)).toEqual({ openReasons: [] });
  expect(openReasonsOf(after(opened, pause(3)))).toEqual({ openReasons: [{ ...olgasReason, number: 4 }] });
});

test('the gate keeps the first and the newest reasons, and counts the others', () => {
  let gate = after(fresh, pause());
  for (let number = 2; number <= 25; number += 1) gate = after(gate, { ...ottoPauses, reason: `reason ${number}` });
  const { openReasons, droppedReasons } = openReasonsOf(gate);
  expect(openReasons).toHaveLength(openReasonsMax);
  expect(openReasons.map(({ number }) => number)).toEqual([1, ...Array.from({ length: 19 }, (_, index) => index + 7)]);
  expect(droppedReasons).toBe(5);
  const opened = after(gate, resume(25));
  expect(opened).not.toHaveProperty('droppedReasons');
  expect(openReasonsOf(after(opened, pause(26)))).toEqual({ openReasons: [{ ...olgasReason, number: 27 }] });
});

test('a full outbox and all reasons take less than half of what an item of DynamoDB can hold', () => {
  const longest = { by: '\u{20ac}'.repeat(200), reason: '\u{20ac}'.repeat(500) };
  let gate = fresh;
  for (let seen = 0; seen < 30; seen += 2) gate = after(gate, { ...pause(seen), ...longest }, resume(seen + 1));
  for (let number = 0; number < 60; number += 1)
    gate = after(gate, { ...pause(30), by: `${number}`.padEnd(200, '\u{20ac}'), reason: longest.reason });
  expect(gate.outbox).toHaveLength(rememberedChangesMax);
  expect(Buffer.byteLength(JSON.stringify(gate))).toBeLessThan(200 * 1_024);
});

test('a line that version 0.2.0 has paused has one reason, and a pause adds to it', () => {
  const { openReasons: _, ...paused } = after(fresh, pause());
  expect(openReasonsOf(paused)).toEqual({ openReasons: [olgasReason] });
  expect(openReasonsOf(after(paused, ottoPauses))).toEqual({ openReasons: [olgasReason, ottosReason] });
});

test('reasons that version 0.2.0 has kept beyond a resume do not count', () => {
  const kept = { ...after(fresh, pause(), ottoPauses), by: 'anna', since: '2026-11-25T12:00:00.000Z', changeNumber: 4 };
  const annasReason = { number: 4, by: 'anna', since: '2026-11-25T12:00:00.000Z', reason: 'maintenance' };
  expect(openReasonsOf(kept)).toEqual({ openReasons: [annasReason] });
  const opened = { ...kept, state: 'open' } as const;
  expect(openReasonsOf(opened)).toEqual({ openReasons: [] });
  expect(openReasonsOf(after(opened, pause(4)))).toEqual({ openReasons: [{ ...olgasReason, number: 5 }] });
});

const at = (time: string): string => `2026-11-25T${time}:00.000Z`;
const expire = (time: string): GateEvent => ({ kind: 'expire', at: at(time) });
const until = (time: string) => ({ ...pause(), until: at(time) });
const unchanged = { kind: 'unchanged' };

test('a timed pause opens the line at its end and not before, and this is recorded as a change by the line itself', () => {
  const paused = after(fresh, take('a'), until('10:00'), { kind: 'say-silent', holder: 'a' });
  expect(paused).toMatchObject({ openReasons: [{ ...olgasReason, until: at('10:00') }] });
  expect(paused.outbox).toMatchObject([{ number: 1, until: at('10:00') }]);
  expect(opensAtOf(paused)).toBe(at('10:00'));
  expect(decideGate(paused, expire('09:59'))).toEqual(unchanged);
  const opened = after(paused, expire('10:00'));
  const change = { number: 2, state: 'open', by: 'system', at: at('10:00'), reason: 'the timed pause is over' };
  expect(opened).toMatchObject({ state: 'open', silent: false, changeNumber: 2, by: 'system' });
  expect(opened.outbox[1]).toEqual(change);
  expect(opened).not.toHaveProperty('openReasons');
  expect([nextReasonEndOf(opened), opensAtOf(opened)]).toEqual([undefined, undefined]);
  expect(decideGate(opened, expire('11:00'))).toEqual(unchanged);
});

test('pauses of two operators overlap: the line opens when the last reason has gone', () => {
  const both = after(fresh, until('10:00'), { ...ottoPauses, until: at('12:00') });
  expect([nextReasonEndOf(both), opensAtOf(both)]).toEqual([at('10:00'), at('12:00')]);
  const ottos = after(both, expire('10:00'));
  expect(ottos).toMatchObject({
    state: 'paused',
    by: 'otto',
    since: ottoPauses.at,
    reason: 'the modem',
    changeNumber: 2,
  });
  expect(openReasonsOf(ottos)).toEqual({ openReasons: [{ ...ottosReason, until: at('12:00') }] });
  expect(after(ottos, expire('12:00'))).toMatchObject({ state: 'open', by: 'system' });
  expect(after(both, expire('12:00'))).toMatchObject({ state: 'open', by: 'system' });
});

test('a reason without an end never goes by itself, also that of the line itself', () => {
  const bySystem = { ...pause(), by: 'system', reason: 'unauthorized (401)' };
  for (const endless of [ottoPauses, bySystem]) {
    const both = after(fresh, until('10:00'), endless);
    expect(opensAtOf(both)).toBeUndefined();
    const left = after(both, expire('10:00'));
    expect(left).toMatchObject({ state: 'paused', by: endless.by, reason: endless.reason });
    expect(nextReasonEndOf(left)).toBeUndefined();
    expect(decideGate(left, expire('23:00'))).toEqual(unchanged);
  }
});

test('the same operator replaces the end of a pause by pausing again, and it stays one reason', () => {
  const extended = after(fresh, until('10:00'), { ...until('12:00'), seen: 1, at: at('09:30') });
  expect(extended).toMatchObject({ changeNumber: 2, openReasons: [{ ...olgasReason, until: at('12:00') }] });
  expect(extended.outbox).toMatchObject([
    { number: 1, until: at('10:00') },
    { number: 2, state: 'paused', by: 'olga', at: at('09:30'), until: at('12:00') },
  ]);
  expect(decideGate(extended, expire('10:00'))).toEqual(unchanged);
  expect(after(extended, until('12:00'))).toMatchObject({ changeNumber: 3, outbox: extended.outbox });
  expect(after(extended, { ...until('11:00'), seen: 2 })).toMatchObject({ openReasons: [{ until: at('11:00') }] });
  const endless = after(extended, pause(2));
  expect(endless.openReasons).toEqual([olgasReason]);
  expect(opensAtOf(endless)).toBeUndefined();
});

test('a late command does not bring back an end that was replaced', () => {
  const extended = after(fresh, until('10:00'), { ...until('12:00'), seen: 1 });
  for (const seen of [0, 1])
    expect(decideGate(extended, { ...until('10:00'), seen })).toEqual({ kind: 'rejected', why: 'superseded' });
});

test('a resume ends a timed pause early, and its timer then changes nothing', () => {
  const opened = after(fresh, until('10:00'), resume());
  expect(opened).toMatchObject({ state: 'open', by: 'otto' });
  expect(decideGate(after(opened, pause(2)), expire('10:00'))).toEqual(unchanged);
});

test('a line with more reasons than the gate keeps opens only by a resume', () => {
  let gate = after(fresh, until('10:00'));
  for (let number = 2; number <= openReasonsMax + 1; number += 1)
    gate = after(gate, { ...until('10:00'), reason: `reason ${number}` });
  expect([nextReasonEndOf(gate), opensAtOf(gate)]).toEqual([undefined, undefined]);
  expect(decideGate(gate, expire('10:00'))).toEqual(unchanged);
});

test('the end of a reason leaves a silent line silent', () => {
  const both = after(fresh, take('a'), until('10:00'), ottoPauses, { kind: 'say-silent', holder: 'a' });
  expect(isSilent(after(both, expire('10:00')))).toBe(true);
});

test('a resume of an open line changes nothing', () => {
  expect(decideGate(fresh, resume())).toEqual({ kind: 'unchanged' });
});

test('a late resume does not open a line that was paused again in the meantime', () => {
  const pausedTwice = after(fresh, pause(), pause());
  expect(decideGate(pausedTwice, resume())).toEqual({ kind: 'rejected', why: 'superseded' });
});

test('a late pause or resume does not change a state that its sender has not seen', () => {
  const pausedAgain = after(fresh, pause(), resume(), pause(2));
  expect(decideGate(pausedAgain, resume(1))).toEqual({ kind: 'rejected', why: 'superseded' });
  for (const seen of [0, 1])
    expect(decideGate(pausedAgain, { ...ottoPauses, seen })).toEqual({ kind: 'rejected', why: 'superseded' });
  expect(numbersOf(after(pausedAgain, { ...ottoPauses, seen: 2 }))).toEqual([1, 2, 3, 4]); // both saw the open line
  const resumedAgain = after(pausedAgain, resume(3));
  expect(decideGate(resumedAgain, pause(0))).toEqual({ kind: 'rejected', why: 'superseded' });
  expect(after(resumedAgain, pause(4))).toMatchObject({ state: 'paused', changeNumber: 5 });
});

test('every pause and resume stays in the outbox until it is acknowledged, and nothing else does', () => {
  const changed = after(fresh, take('a'), pause(), { kind: 'say-silent', holder: 'a' }, resume(), renew('a'));
  const { by, at, reason } = pause();
  expect(changed.outbox[0]).toEqual({ number: 1, state: 'paused', by, at, reason });
  expect(changed.outbox[1]).toMatchObject({ number: 2, state: 'open', by: 'otto' });
  const acknowledged = after(changed, { kind: 'acknowledge', upTo: 1 });
  expect(numbersOf(acknowledged)).toEqual([2]);
  expect(decideGate(acknowledged, { kind: 'acknowledge', upTo: 1 })).toEqual({ kind: 'unchanged' });
  expect(numbersOf(after(acknowledged, pause(2)))).toEqual([2, 3]);
  expect(numbersOf(after(acknowledged, { kind: 'acknowledge', upTo: 2 }))).toEqual([]);
});

test('a full outbox drops the oldest changes', () => {
  let gate = fresh;
  for (let seen = 0; seen < 60; seen += 2) gate = after(gate, pause(seen), resume(seen + 1));
  expect(gate.changeNumber).toBe(60);
  expect(numbersOf(gate)).toHaveLength(rememberedChangesMax);
  expect(numbersOf(gate)).toEqual(Array.from({ length: rememberedChangesMax }, (_, index) => index + 11));
});

test('a writer that does not know the cooldown keeps it, and a writer that knows it replaces it', () => {
  const held = after(fresh, take('a'), cooldownOf(5_000));
  const kept = after(held, pause(), resume(), renew('a'), { kind: 'acknowledge', upTo: 2 });
  expect(kept.cooldownMs).toBe(5_000);
  const counted = after(kept, { ...renew('a'), cooldownMs: 4_000 });
  expect(counted.cooldownMs).toBe(4_000);
  expect(after(counted, { kind: 'release', holder: 'a', cooldownMs: 3_500 }, take('b')).cooldownMs).toBe(3_500);
});

test('people see why the longest cooldown runs, and until when', () => {
  const outage = cooldownOf(2_000, 'outage');
  const longer = after(fresh, take('a'), outage, cooldownOf(5_000));
  expect(longer).toMatchObject({ cooldownMs: 5_000, cooldown: { reason: 'retry-after' } });
  expect(after(longer, outage)).toMatchObject({ cooldownMs: 5_000, cooldown: { reason: 'retry-after' } });
});

test('an operator lifts a cooldown, and the change is recorded; a later cooldown counts again', () => {
  const why = { by: 'olga', at: 'then', reason: 'they are well again' };
  const lifted = after(fresh, take('a'), cooldownOf(9_000), { kind: 'lift', ...why });
  expect(lifted).toMatchObject({ cooldownMs: 0, liftNumber: 1, holder: 'a', state: 'open' });
  expect(lifted.cooldown).toBeUndefined();
  expect(lifted.outbox).toEqual([{ number: 1, state: 'open', kind: 'lift', ...why }]);
  expect(after(lifted, cooldownOf(3_000))).toMatchObject({ cooldownMs: 3_000, liftNumber: 1 });
});

test('the pace of an operator goes before the default of the holder, and a paused line stays paused', () => {
  const why = { by: 'olga', at: 'then', reason: 'the insurer called' };
  const held = after(fresh, { kind: 'take', holder: 'a', leaseMs, defaultPace: 600 });
  expect(requestsPerMinuteOf(held)).toBe(600);
  const paced = after(held, pause(), { kind: 'pace', requestsPerMinute: 30, ...why });
  expect(paced).toMatchObject({ state: 'paused', pace: { requestsPerMinute: 30, by: 'olga', since: 'then' } });
  expect(paced.outbox.at(-1)).toEqual({ number: 2, state: 'paused', kind: 'pace', requestsPerMinute: 30, ...why });
  expect(requestsPerMinuteOf(paced)).toBe(30);
  const unpaced = after(paced, { kind: 'pace', ...why }, { kind: 'release', holder: 'a' }, take('b'));
  expect(requestsPerMinuteOf(unpaced)).toBeUndefined(); // the new holder has no default
});

test('a process that has lost the line can still start a cooldown', () => {
  const lost = after(fresh, take('a'), { kind: 'release', holder: 'a' }, take('b'));
  expect(after(lost, cooldownOf(9_000))).toMatchObject({ holder: 'b', cooldownMs: 9_000 });
});

test('a process that has watched the lease of a paused line until it lapsed can end it: the line is silent and has no holder', () => {
  const paused = after(fresh, take('a'), renew('a', true), pause());
  const lapsed = { holder: 'a', renewalNumber: paused.renewalNumber, sinceMs: 0 };
  const ended = after(paused, { kind: 'lapse', lapsed });
  expect(ended).toMatchObject({ state: 'paused', silent: true, busy: false });
  expect(ended.holder).toBeUndefined();
  expect(isSilent(ended)).toBe(true);
  const old = { ...lapsed, renewalNumber: paused.renewalNumber - 1 };
  expect(decideGate(paused, { kind: 'lapse', lapsed: old })).toEqual({ kind: 'rejected', why: 'held' });
  expect(decideGate(after(paused, resume()), { kind: 'lapse', lapsed })).toEqual({
    kind: 'rejected',
    why: 'not-paused',
  });
});

test('a lease lapses after it was unchanged for its length and a margin, on the clock of the watcher', () => {
  const held = after(fresh, take('a'));
  const watch = watchLease(undefined, held, 50_000);
  expect(hasLapsed(watch, held, leaseMs, 50_000 + leaseMs + leaseMarginMs(leaseMs) - 1)).toBe(false);
  expect(hasLapsed(watch, held, leaseMs, 50_000 + leaseMs + leaseMarginMs(leaseMs))).toBe(true);
  const renewed = after(held, renew('a'));
  expect(hasLapsed(watch, renewed, leaseMs, 1e9)).toBe(false);
  expect(watchLease(watch, renewed, 60_000)).toEqual({ holder: 'a', renewalNumber: 1_002, sinceMs: 60_000 });
  expect(watchLease(watch, held, 60_000)).toBe(watch);
});

test('a worker is there once its lease is renewed, and no more once it has lapsed or is released', () => {
  const held = after(fresh, take('a'));
  const renewed = after(held, renew('a'));
  const lapsedAtMs = 2_000 + leaseMs + leaseMarginMs(leaseMs);
  const gates: readonly (readonly [Gate, number])[] = [
    [fresh, 0],
    [held, 1_000], // the holder may have died meanwhile
    [renewed, 2_000],
    [renewed, lapsedAtMs - 1],
    [renewed, lapsedAtMs],
    [after(renewed, renew('a')), lapsedAtMs + 1],
    [after(renewed, { kind: 'release', holder: 'a' }), lapsedAtMs + 2],
  ];
  let watch: WorkersWatch = {};
  const seen = gates.map(([gate, nowMs]) => {
    watch = watchWorkers(watch, gate, nowMs);
    return watch.isThere;
  });
  expect(seen).toEqual([false, undefined, true, true, false, true, false]);
});

test('only takes and renewals by the holder restart a watch; writes of others do not', () => {
  const held = after(fresh, take('a'));
  const watch = watchLease(undefined, held, 50_000);
  const paused = after(held, pause());
  const written = after(paused, { kind: 'acknowledge', upTo: 1 }, resume(), cooldownOf(9_000));
  expect(written.leaseNumber).toBeGreaterThan(held.leaseNumber);
  expect(watchLease(watch, written, 60_000)).toBe(watch);
  const nowMs = 50_000 + leaseMs + leaseMarginMs(leaseMs);
  expect(hasLapsed(watch, written, leaseMs, nowMs)).toBe(true);
});

test('a watcher with a shorter lease than the holder waits for the longer one', () => {
  const held = after(fresh, take('a'));
  const watch = { holder: 'a', renewalNumber: 1_001, sinceMs: 0 };
  expect(lapsesAtMs(watch, held, 2_000)).toBe(leaseMs + leaseMarginMs(leaseMs));
});
