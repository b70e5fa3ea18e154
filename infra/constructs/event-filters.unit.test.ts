import { marshall } from '@aws-sdk/util-dynamodb';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineFacts, runFacts } from '../../core/domain/fact.ts';
import { decideGate, type Gate, type GateEvent, newGate } from '../../core/domain/gate.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { progressOf, startRun } from '../../core/domain/run.ts';
import { lineFilters, runFilters, type StreamFilters } from './event-filters.ts';

/** Matches as Lambda does, with the operators that the filters use (Lambda developer guide, "Filter rule syntax"). */
function matches(value: unknown, pattern: unknown): boolean {
  if (Array.isArray(pattern))
    return pattern.some((rule: unknown) => {
      if (typeof rule !== 'object' || rule === null) return value === rule;
      if ('exists' in rule) return (value !== undefined) === rule.exists;
      if ('anything-but' in rule) return value !== undefined && !(rule['anything-but'] as unknown[]).includes(value);
      throw new Error(`unknown rule ${JSON.stringify(rule)}`);
    });
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(pattern as object).every(([key, part]) =>
    matches((value as Record<string, unknown>)[key], part),
  );
}
const image = (item: object | undefined) => item && marshall(item, { removeUndefinedValues: true });
const isCalled = (filters: StreamFilters, Keys: object, before: object | undefined, after: object | undefined) => {
  const record = { dynamodb: { Keys: image(Keys), OldImage: image(before), NewImage: image(after) } };
  return filters.some(({ pattern }) => matches(record, JSON.parse(pattern as string)));
};

const at = '2026-11-30T02:00:00.000Z';
const lease = { holder: 'a', leaseMs: 3_000 };
const event: fc.Arbitrary<GateEvent> = fc.oneof(
  fc
    .record({ kind: fc.constant('renew' as const), busy: fc.boolean(), cooldownMs: fc.nat(2) })
    .map((renewal) => ({ ...lease, ...renewal })),
  fc.constantFrom<GateEvent>(
    { kind: 'take', ...lease },
    { kind: 'release', holder: 'a' },
    { kind: 'expire', at: '2026-12-02' },
  ),
  fc
    .record({ kind: fc.constant('cooldown' as const), cooldownMs: fc.nat(3), since: fc.constantFrom('1', '2') })
    .map(({ since, ...cooldown }) => ({ ...cooldown, cooldown: { reason: 'busy' as const, since, until: since } })),
  fc.constant<GateEvent>({ kind: 'lift', by: 'olga', at, reason: 'r' }),
  fc
    .record(
      {
        kind: fc.constantFrom('pause' as const, 'resume' as const),
        by: fc.constantFrom('olga', 'system'),
        reason: fc.constantFrom('r', 's'),
        until: fc.constantFrom('2026-12-01', '2026-12-02'),
      },
      { requiredKeys: ['kind', 'by', 'reason'] },
    )
    .map((command) => ({ ...command, at, seen: -1 })),
);

test('each write of a line that becomes an event reaches the Lambda', () => {
  const told = new Set<string>();
  fc.assert(
    fc.property(fc.array(event, { minLength: 10, maxLength: 30 }), (events) => {
      let gate: Gate | undefined;
      for (const each of events) {
        const before: Gate = gate ?? newGate('test', 1);
        const decision = decideGate(before, 'seen' in each ? { ...each, seen: before.changeNumber } : each);
        if (decision.kind !== 'write') continue;
        gate = decision.gate;
        const facts = lineFacts(before, gate);
        for (const { name } of facts) told.add(name);
        if (facts.length === 0) continue;
        expect(isCalled(lineFilters, { insurerId: 'test' }, before, gate)).toBe(true);
      }
    }),
  );
  expect([...told].toSorted()).toEqual(['line.cooling-down', 'line.paused', 'line.resumed']);
});

test('the lease of an open line is renewed without a call', () => {
  const open = { ...newGate('test', 1), ...lease, renewalNumber: 2 };
  const renewed = { ...open, leaseNumber: 2, busy: true };
  expect(isCalled(lineFilters, { insurerId: 'test' }, open, renewed)).toBe(false);
});

test('questions and ends of runs reach the Lambda; their progress, other insurers and other items do not', () => {
  const progress = progressOf(startRun('run-1', 0), { state: 'open', busy: false }, 0);
  const decision = {
    listId: 'l',
    kind: 'list',
    removals: 4,
    stored: 8,
    receivedAt: at,
    waitingSince: at,
    reasons: [],
  } as const;
  const isRunCalled = (after: Progress, insurerId = 'test') =>
    isCalled(runFilters('test'), { insurerId, runId: 'run-1' }, { progress }, { progress: after });
  const states = ['running', 'completed', 'completed-with-problems', 'failed', 'cancelled'] as const;
  const writes: Progress[] = states.flatMap((state) => [
    { ...progress, state },
    { ...progress, state, awaitingDecision: true, decision },
  ]);
  for (const after of writes) {
    expect(isRunCalled(after)).toBe(runFacts(progress, after).length > 0);
    expect(isRunCalled(after, 'another')).toBe(false);
    expect(isRunCalled(after, 'test#live')).toBe(false);
  }
  expect(isCalled(runFilters('test'), { insurerId: 'test' }, undefined, { epoch: 1 })).toBe(false);
});
