import { expect, test } from 'vitest';
import { lineFacts, patientFacts, runFacts } from './fact.ts';
import { decideGate, type Gate, type GateEvent, newGate } from './gate.ts';
import type { Progress } from './progress.ts';
import { progressOf, startRun } from './run.ts';

const at = '2026-11-30T02:00:00.000Z';
const progress = progressOf(startRun('run-1', 0), { state: 'open', busy: false }, 0);
const question = {
  listId: 'list-1',
  kind: 'list',
  removals: 40,
  stored: 80,
  receivedAt: at,
  waitingSince: at,
  reasons: [],
} as const;
const asking: Progress = { ...progress, awaitingDecision: true, decision: question };

test('each question of a run is one fact, and the next question is another one', () => {
  expect(runFacts(progress, asking)).toMatchObject([{ name: 'run.decision-awaited', data: { listId: 'list-1' } }]);
  expect(runFacts(asking, asking)).toEqual([]);
  const next: Progress = { ...asking, decision: { ...question, listId: 'list-2' } };
  expect(runFacts(asking, next)).toMatchObject([{ name: 'run.decision-awaited', data: { listId: 'list-2' } }]);
});

test.each(['completed', 'completed-with-problems', 'failed', 'cancelled'] as const)(
  'the end of a run that is %s is one fact, without names and reasons of people',
  (state) => {
    const cancellation = { by: 'olga', reason: 'Frau Muster hat angerufen' };
    const ended: Progress = { ...progress, state, finishedAt: at, cancellation };
    const facts = runFacts(progress, ended);
    expect(facts).toMatchObject([{ name: `run.${state}`, subject: 'run-1', data: { finishedAt: at } }]);
    expect(JSON.stringify(facts)).not.toMatch(/olga|Muster/);
    expect(runFacts(ended, { ...ended, unapprovedRemovals: 1 })).toEqual([]); // a save of its refresh
  },
);

test('progress in between is no fact', () => {
  expect(runFacts(undefined, progress)).toEqual([]);
  expect(runFacts(progress, { ...progress, phase: 'care-records' })).toEqual([]);
});

/** Returns the gate after an event. */
function after(gate: Gate, event: GateEvent): Gate {
  const decision = decideGate(gate, event);
  if (decision.kind !== 'write') throw new Error(decision.kind);
  return decision.gate;
}
const open = after(newGate('test', 1), { kind: 'take', holder: 'a', leaseMs: 3_000 });
const pause = { kind: 'pause', by: 'olga', reason: 'Frau Muster hat angerufen', at, seen: 0 } as const;

test('a pause and a resume are facts without the name and the reason, and renewals of the lease are none', () => {
  const paused = after(open, pause);
  const facts = lineFacts(open, paused);
  expect(facts).toEqual([{ name: 'line.paused', subject: 'test', data: { by: 'operator', since: at } }]);
  const renewed = after(paused, { kind: 'renew', holder: 'a', leaseMs: 3_000, busy: false });
  expect(lineFacts(paused, renewed)).toEqual([]);
  const resumed = after(renewed, { ...pause, kind: 'resume', seen: renewed.changeNumber });
  expect(lineFacts(renewed, resumed)).toMatchObject([{ name: 'line.resumed', data: { by: 'operator', at } }]);
});

test('a pause by the line itself says so, and another end of a timed pause is a fact', () => {
  const until = '2026-11-30T06:00:00.000Z';
  const paused = after(open, { ...pause, by: 'system' });
  expect(lineFacts(open, paused)).toMatchObject([{ name: 'line.paused', data: { by: 'system' } }]);
  const timed = after(open, { ...pause, until });
  expect(lineFacts(open, timed)).toMatchObject([{ name: 'line.paused', data: { until } }]);
  const longer = after(timed, { ...pause, seen: timed.changeNumber, until: '2026-11-30T08:00:00.000Z' });
  expect(lineFacts(timed, longer)).toMatchObject([
    { name: 'line.paused', data: { until: '2026-11-30T08:00:00.000Z' } },
  ]);
});

test('a pause without its time is no event, but an error', () => {
  const { since: _, ...timeless } = after(open, pause);
  expect(() => lineFacts(open, timeless)).toThrow('does not say when');
});

test('a cooldown is one fact, and the next one another', () => {
  const cooldown = { reason: 'busy', since: at, until: '2026-11-30T02:01:00.000Z' } as const;
  const cooling = after(open, { kind: 'cooldown', cooldownMs: 60_000, cooldown });
  expect(lineFacts(open, cooling)).toEqual([{ name: 'line.cooling-down', subject: 'test', data: cooldown }]);
  const later = after(cooling, { kind: 'renew', holder: 'a', leaseMs: 3_000, busy: false, cooldownMs: 30_000 });
  expect(lineFacts(cooling, later)).toEqual([]);
  const next = { ...cooldown, since: '2026-11-30T02:02:00.000Z', until: '2026-11-30T02:03:00.000Z' };
  const again = after(later, { kind: 'cooldown', cooldownMs: 61_000, cooldown: next });
  expect(lineFacts(later, again)).toMatchObject([{ data: next }]);
});

test('a fact of a patient names the pseudonym and the version, and nothing else', () => {
  const item = {
    patientRef: { S: 'a1' },
    kvnr: { S: 'A123456780' },
    contentHash: { S: 'h' },
    careVersion: { S: 'v1' },
  };
  expect(patientFacts(undefined, item, at)).toEqual([
    { name: 'patient.imported', subject: 'a1', data: { patientRef: 'a1', careVersion: 'v1' } },
    { name: 'patient.care-records-updated', subject: 'a1', data: { patientRef: 'a1', careVersion: 'v1' } },
  ]);
  expect(patientFacts(item, { ...item, removing: { S: 'x' } }, at)).toEqual([
    { name: 'patient.removed', subject: 'a1', data: { patientRef: 'a1' } },
  ]);
});
