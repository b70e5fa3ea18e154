import fc from 'fast-check';
import type { CareAnswer, ListChange } from './insurer.ts';

/** What goes wrong with the next attempt of an activity, at its n-th store call. */
export interface Fault {
  readonly at: number;
  /**
   * - dies: before the call
   * - answer-lost: after the call
   * - stands: the attempt stands still, counts as dead, and goes on later, together with its successor
   * - waits: other things happen, then the same attempt goes on
   */
  readonly how: 'dies' | 'answer-lost' | 'stands' | 'waits';
}

/** One step of a history. Numbers choose among what is possible at that moment, modulo its count. */
export type Step =
  /** Carries out a part of some commands in progress. */
  | { readonly do: 'work'; readonly picks: readonly { readonly pick: number; readonly fault?: Fault | undefined }[] }
  /** Carries out some parts, in order. */
  | { readonly do: 'advance'; readonly parts: number }
  /** Carries out everything until the run has ended or waits for an operator. */
  | { readonly do: 'rest' }
  /** A late attempt goes on. */
  | { readonly do: 'goOn'; readonly pick: number }
  /** Some time later the insurer has another list, and the run of the day starts. */
  | { readonly do: 'day'; readonly days: number; readonly change: ListChange; readonly hasEtag: boolean }
  /** Somebody starts a run, which may be in progress. */
  | { readonly do: 'trigger' }
  | {
      readonly do: 'decide';
      readonly decision: 'approve' | 'reject';
      readonly about: 'open' | 'older' | 'unknown' | 'unnamed';
      readonly isTwice: boolean;
    }
  | { readonly do: 'cancel' }
  | { readonly do: 'continueAsNew' }
  | { readonly do: 'answer'; readonly answer: CareAnswer; readonly person?: number | undefined }
  | { readonly do: 'syncOnDemand'; readonly person: number };

export interface History {
  /** number of people on the first list */
  readonly listed: number;
  readonly syncWindow: number;
  readonly removalLimitPeople: number;
  readonly steps: readonly Step[];
}

/** Number of people who exist. */
export const peopleMax = 48;

const at = fc.nat(peopleMax - 1);
const fault: fc.Arbitrary<Fault> = fc.record({
  at: fc.oneof(fc.nat(3), fc.nat(12)),
  how: fc.constantFrom('dies', 'answer-lost', 'stands', 'stands', 'stands', 'waits'),
});
const few = { weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) };
const many = { weight: 1, arbitrary: fc.integer({ min: 5, max: 30 }) };
const count = fc.oneof(few, many);

const listChange: fc.Arbitrary<ListChange> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('grow', 'shrink', 'change', 'invalid', 'duplicate'), at, count }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('shrink' as const), at, count }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('unreadable' as const), count: fc.integer({ min: 1, max: 25 }) }),
  },
  { weight: 2, arbitrary: fc.constantFrom<ListChange>({ kind: 'empty' }, { kind: 'garbage' }, { kind: 'same' }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('revert' as const), back: fc.nat(2) }) },
);

const answer = fc.constantFrom<CareAnswer>('ok', 'not-insured', 'unknown', 'fails');
const day: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('day' as const),
  days: fc.constantFrom(1, 1, 1, 3, 8),
  change: listChange,
  hasEtag: fc.constantFrom(true, true, true, false),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      picks: fc.array(fc.record({ pick: fc.nat(7), fault: fc.option(fault, { nil: undefined }) }), {
        minLength: 1,
        maxLength: 12,
      }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), parts: fc.integer({ min: 5, max: 120 }) }) },
  { weight: 4, arbitrary: fc.constant({ do: 'rest' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('goOn' as const), pick: fc.nat(7) }) },
  { weight: 6, arbitrary: day },
  { weight: 1, arbitrary: fc.constant({ do: 'trigger' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('decide' as const),
      decision: fc.constantFrom('approve', 'reject'),
      about: fc.constantFrom('open', 'open', 'open', 'older', 'unknown', 'unnamed'),
      isTwice: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'cancel' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'continueAsNew' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const), answer, person: at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('answer' as const), answer }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('syncOnDemand' as const), person: at }) },
);

/** Random histories of several days. @param listedMax number of people on the first list at most */
export const histories = (listedMax: number, stepsMax: number): fc.Arbitrary<History> =>
  fc.record({
    listed: fc.oneof(fc.integer({ min: 1, max: Math.min(8, listedMax) }), fc.integer({ min: 1, max: listedMax })),
    syncWindow: fc.integer({ min: 1, max: 4 }),
    removalLimitPeople: fc.constantFrom(3, 1_000),
    steps: fc
      .tuple(day, fc.array(step, { maxLength: stepsMax, size: 'max' }))
      .map(([first, others]) => [first, ...others]),
  });
