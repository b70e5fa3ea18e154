import fc from 'fast-check';
import type { ActivityName } from './commands.ts';
import type { CareAnswer, ListChange } from './insurer.ts';

/** What goes wrong with the next attempt of an activity, at its n-th store call. */
export interface Fault {
  readonly at: number;
  /**
   * - dies: before the call
   * - answer-lost: after the call
   * - stands: the attempt stands still, counts as dead, and goes on later, together with its successor
   * - cut-off: the same, but its clock does not show it, as in a worker that is cut off from Temporal
   * - waits: other things happen, then the same attempt goes on
   */
  readonly how: 'dies' | 'answer-lost' | 'stands' | 'cut-off' | 'waits';
}

/** One step of a history. Numbers choose among what is possible at that moment, modulo its count. */
export type Step =
  /** Carries out a part of some commands in progress. */
  | { readonly do: 'work'; readonly picks: readonly { readonly pick: number; readonly fault?: Fault | undefined }[] }
  /** Carries out some parts, in order. */
  | { readonly do: 'advance'; readonly parts: number }
  /** The same, until the run carries out this command. */
  | { readonly do: 'until'; readonly command: (typeof commandNames)[number] }
  /** Something goes wrong with the next attempt of this activity. */
  | { readonly do: 'arm'; readonly activity: ActivityName; readonly fault: Fault }
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
  how: fc.constantFrom('dies', 'answer-lost', 'stands', 'stands', 'cut-off', 'cut-off', 'waits'),
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

const commandNames = ['applyList', 'removeGone', 'listPending', 'syncPatient', 'holdPatient', 'sweep'] as const;
const answer = fc.constantFrom<CareAnswer>('ok', 'not-insured', 'unknown', 'fails');
const day: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('day' as const),
  days: fc.constantFrom(1, 1, 1, 3, 8),
  change: listChange,
  hasEtag: fc.constantFrom(true, true, true, false),
});
const work: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('work' as const),
  picks: fc.array(fc.record({ pick: fc.nat(7), fault: fc.option(fault, { nil: undefined }) }), {
    minLength: 1,
    maxLength: 12,
  }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: work },
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

const rest = fc.constant<Step>({ do: 'rest' });
const until = (...commands: readonly (typeof commandNames)[number][]): fc.Arbitrary<Step> =>
  fc.record({ do: fc.constant('until' as const), command: fc.constantFrom(...commands) });
const advance = (...parts: readonly number[]): fc.Arbitrary<Step> =>
  fc.record({ do: fc.constant('advance' as const), parts: fc.constantFrom(...parts) });
const goOn: fc.Arbitrary<Step> = fc.record({ do: fc.constant('goOn' as const), pick: fc.nat(7) });
const answerAboutOne: fc.Arbitrary<Step> = fc.record({ do: fc.constant('answer' as const), answer, person: at });
const syncOne: fc.Arbitrary<Step> = fc.record({ do: fc.constant('syncOnDemand' as const), person: at });
const dayAboutOne: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('day' as const),
  days: fc.constantFrom(1, 8),
  change: fc.oneof(
    fc.record({ kind: fc.constantFrom('grow', 'shrink', 'change'), at, count: fc.constantFrom(1, 1, 4) }),
    fc.record({ kind: fc.constant('revert' as const), back: fc.constant(1) }),
  ),
  hasEtag: fc.boolean(),
});
const approval = fc.constant<Step>({ do: 'decide', decision: 'approve', about: 'open', isTwice: false });
const removal: fc.Arbitrary<readonly Step[]> = fc
  .tuple(syncOne, rest)
  .map((synced) => [
    { do: 'answer', answer: 'not-insured', person: 0 },
    ...synced,
    { do: 'answer', answer: 'ok', person: 0 },
  ]);
const cancelledList: fc.Arbitrary<readonly Step[]> = fc.tuple(
  dayAboutOne,
  until('applyList'),
  advance(2, 4, 6),
  fc.constant<Step>({ do: 'cancel' }),
  rest,
  fc.constant<Step>({ do: 'day', days: 1, change: { kind: 'revert', back: 1 }, hasEtag: true }),
  rest,
);
const some: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(dayAboutOne, rest) },
  { weight: 2, arbitrary: fc.tuple(answerAboutOne) },
  { weight: 2, arbitrary: fc.tuple(syncOne, rest) },
  { weight: 1, arbitrary: fc.tuple(approval, rest) },
  { weight: 2, arbitrary: removal },
  { weight: 1, arbitrary: cancelledList },
);
const start = fc.oneof(dayAboutOne, syncOne);
const cancel = fc.constant<Step>({ do: 'cancel' });
const answerEveryone = (one: CareAnswer): fc.Arbitrary<Step> => fc.constant({ do: 'answer', answer: one });
const next = (...commands: readonly (typeof commandNames)[number][]) => fc.tuple(start, until(...commands));

/** How an attempt can be late and do harm: what happens before, until it stands still, and until it goes on. */
interface Aim {
  readonly activity: ActivityName;
  /** about the number of its store calls */
  readonly calls: number;
  readonly before?: fc.Arbitrary<Step>;
  readonly stands?: fc.Arbitrary<readonly Step[]>;
  readonly goesOn: fc.Arbitrary<readonly Step[]>;
  readonly after?: fc.Arbitrary<readonly Step[]>;
}
const atOnce = fc.tuple();
const aims: readonly Aim[] = [
  { activity: 'beginList', calls: 1, goesOn: next('applyList') },
  { activity: 'completeList', calls: 1, goesOn: next('applyList') },
  { activity: 'applyList', calls: 10, goesOn: next('applyList', 'removeGone', 'listPending') },
  { activity: 'removeGone', calls: 8, goesOn: next('applyList', 'removeGone', 'listPending') },
  { activity: 'fetchCareRecords', calls: 3, goesOn: next('syncPatient', 'sweep') },
  { activity: 'storeCareRecords', calls: 6, goesOn: next('listPending', 'syncPatient') },
  {
    activity: 'storeCareRecords',
    calls: 6,
    stands: fc.tuple(dayAboutOne, until('syncPatient'), advance(2, 2, 3, 4), cancel, rest),
    goesOn: atOnce,
  },
  { activity: 'markCareFailed', calls: 1, before: answerEveryone('unknown'), goesOn: next('sweep') },
  { activity: 'discardStaged', calls: 2, goesOn: next('syncPatient', 'sweep') },
  { activity: 'removePatient', calls: 6, goesOn: next('applyList', 'listPending', 'syncPatient', 'sweep') },
  {
    activity: 'holdPatient',
    calls: 1,
    before: answerEveryone('not-insured'),
    goesOn: next('listPending', 'syncPatient', 'sweep'),
  },
  {
    activity: 'removeHeld',
    calls: 8,
    before: answerEveryone('not-insured'),
    stands: fc.tuple(rest, approval, rest),
    goesOn: fc.tuple(answerEveryone('ok'), dayAboutOne, rest),
  },
  {
    activity: 'reopenReported',
    calls: 2,
    before: answerEveryone('not-insured'),
    stands: fc.tuple(rest, dayAboutOne, rest),
    goesOn: atOnce,
    after: fc.tuple(approval, rest),
  },
  { activity: 'sweepRun', calls: 1, stands: fc.tuple(until('sweep'), advance(1)), goesOn: next('applyList') },
];
/** An attempt stands still while other things happen to the same person, and goes on in the middle of one of them. */
const lateAttempt: fc.Arbitrary<readonly Step[]> = fc.oneof(
  ...aims.map(({ activity, calls, before = answerAboutOne, stands = fc.tuple(rest), goesOn, after = fc.tuple() }) => {
    const how = fc.constantFrom('stands', 'cut-off', 'cut-off');
    const fault = fc.record({ at: fc.nat(calls - 1), how });
    const arm = fc.record({ do: fc.constant('arm' as const), activity: fc.constant(activity), fault });
    const between = goesOn === atOnce ? fc.tuple() : fc.array(some, { maxLength: 4, size: 'max' });
    return fc
      .tuple(before, arm, start, stands, between, goesOn, goOn, rest, after)
      .map(([first, armed, begun, standing, meanwhile, when, late, last, then]) => {
        return [first, armed, begun, ...standing, ...meanwhile.flat(), ...when, late, last, ...then];
      });
  }),
);
/** Steps about one person: so a late attempt meets what has happened since more often. */
const stepsAboutOne = (stepsMax: number): fc.Arbitrary<readonly Step[]> =>
  fc
    .tuple(
      fc.oneof(fc.nat(3), at),
      fc.array(
        fc.oneof(
          { weight: 2, arbitrary: lateAttempt },
          { weight: 3, arbitrary: some },
          { weight: 1, arbitrary: fc.tuple(until(...commandNames)) },
          { weight: 1, arbitrary: fc.tuple(goOn) },
          { weight: 1, arbitrary: fc.tuple(step) },
        ),
        { minLength: 2, maxLength: Math.ceil(stepsMax / 5), size: 'max' },
      ),
    )
    .map(([person, steps]) => steps.flat().map((each) => aboutPerson(each, person)));

/** An operator decides about answers 410 in bulk while the run still keeps the next patient for the question. */
const decisionInBurst: fc.Arbitrary<readonly Step[]> = fc.tuple(
  answerEveryone('not-insured'),
  rest,
  fc.constant<Step>({ do: 'day', days: 1, change: { kind: 'same' }, hasEtag: true }),
  until('holdPatient'),
  advance(0, 1, 2, 5),
  approval,
  work,
  rest,
  step,
);

function aboutPerson(step: Step, person: number): Step {
  if (step.do === 'answer' || step.do === 'syncOnDemand') return { ...step, person };
  if (step.do === 'day' && 'at' in step.change) return { ...step, change: { ...step.change, at: person } };
  return step;
}

/** Random histories of several days. @param listedMax number of people on the first list at most */
export const histories = (listedMax: number, stepsMax: number): fc.Arbitrary<History> =>
  fc.record({
    listed: fc.oneof(fc.integer({ min: 1, max: Math.min(8, listedMax) }), fc.integer({ min: 1, max: listedMax })),
    syncWindow: fc.integer({ min: 1, max: 4 }),
    removalLimitPeople: fc.constantFrom(3, 1_000),
    steps: fc
      .tuple(
        day,
        fc.oneof(
          { weight: 6, arbitrary: fc.array(step, { maxLength: stepsMax, size: 'max' }) },
          { weight: 6, arbitrary: stepsAboutOne(stepsMax) },
          { weight: 1, arbitrary: decisionInBurst },
        ),
      )
      .map(([first, others]) => [first, ...others]),
  });
