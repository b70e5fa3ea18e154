import type { PatientListReference } from '../contract/line-activities.ts';
import type { SplitResult } from '../contract/list-activities.ts';
import type { CarriedIssues, ListPendingResult, PatientCounts, PendingCursor } from '../contract/sync-activities.ts';
import type { ListCounts } from './diff.ts';
import { addLineUse, type LineUse, zeroLineUse } from './line.ts';
import type { LineState } from './line-status.ts';
import type { Phase } from './progress.ts';
import type { DecisionFault, RemovalQuestion } from './removal-decision.ts';
import { notInsuredLimit, type RemovalLimits, reasonsToAsk } from './removal-guard.ts';
import {
  addDecision,
  completionOf,
  countAge,
  countCarried,
  countHeldRemoved,
  countList,
  countPatient,
  countPending,
  countProvisional,
  countRemoved,
  countReopened,
  countUnapproved,
  countUnchangedList,
  endRun,
  type PatientIssue,
  type PatientOutcome,
  type Run,
  startRun,
} from './run.ts';
import { shardOf, shards } from './shard.ts';

/**
 * The daily sync as a state machine (docs/adr/0040). `transition` takes an event and returns the next state and the
 * commands that must be carried out; the end of each command is an event again. The workflow carries out the commands
 * (worker/workflows/daily-sync.ts). All of the state is JSON, so that continue-as-new can carry it.
 *
 * A run has three regions:
 * - `step`: the order of a run (below)
 * - `patients`: the syncs in progress, at most `syncWindow`
 * - `tasks`: what is done about lists while fetches go on, such as approved removals; and the questions to operators
 *
 * listing → splitting → applying → finishing-list → counting → fetching → draining → ending → done. A new list, a
 * continue-as-new and the end of the fetches lead to `draining`, which starts nothing new. Once nothing is in progress, it
 * leads to the next list, to `continuing`, to `awaiting-decision`, or to `ending`.
 */
export interface DailySync {
  readonly limits: RunLimits;
  readonly step: Step;
  /** the counts of the run */
  readonly run: Run;
  /** the line as last read */
  readonly line: LineState;
  readonly patients: readonly PatientInProgress[];
  readonly tasks: readonly Task[];
  /** removals of the last list that wait for an operator */
  readonly listQuestion?: ListQuestion | undefined;
  /** patients held after a 410 that wait for an operator */
  readonly heldQuestion?: RemovalQuestion | undefined;
  readonly notInsured: NotInsuredCount;
  /** patients stored at the last count */
  readonly stored: number;
  /** number of lists fetched so far; the last one has the ID `{runId}-{listCount}` */
  readonly listCount: number;
  /** a list must be fetched */
  readonly isListDue: boolean;
  /** the last list could not be used, so the run ends as failed */
  readonly hasListFailed: boolean;
  /** the history is long, so the run must continue as new */
  readonly isContinueDue: boolean;
  /** where to continue among the pending patients; absent once each has been synced */
  readonly cursor?: PendingCursor | undefined;
  /** the only shards in which a patient can be pending, as shardSetOf returns them; absent if any can */
  readonly pendingShards?: string | undefined;
  /** `listPending` is in progress */
  readonly isListingPending: boolean;
  /** number of saves so far */
  readonly revision: number;
  /** `saveLater` is in progress */
  readonly isSaveDue: boolean;
}

export interface RunLimits extends RemovalLimits {
  /** SYNC_WINDOW: the number of patients whose care records are fetched at the same time */
  readonly syncWindow: number;
  /** CARE_REFRESH_AFTER_DAYS: a completed run starts a refresh of care records that are older */
  readonly careRefreshAfterDays?: number;
  /** UNREADABLE_LIMIT_PERCENT; absent if an older version has begun the run */
  readonly unreadableLimitPercent?: number;
}

export type Step =
  | { readonly name: 'listing'; readonly listId: string; readonly unusableLists: number }
  | {
      readonly name: 'splitting';
      readonly list: PatientListReference;
      readonly receivedAtMs: number;
      readonly unusableLists: number;
    }
  | {
      readonly name: 'applying';
      readonly list: PatientListReference;
      readonly receivedAtMs: number;
      readonly split: SplitResult;
    }
  /** removes who is gone, if nobody has to be asked, and marks the list as applied */
  | { readonly name: 'finishing-list' }
  /** counts the patients; `waitsFor`: then finishes removals, and makes reported patients pending again */
  | {
      readonly name: 'counting';
      readonly list: 'applied' | 'unchanged' | 'unusable';
      readonly pending: number;
      readonly waitsFor: readonly ('countPatients' | 'finishRemovals' | 'reopenReported')[];
    }
  /** `page`: pending patients to be started; `next`: where the next page begins, absent after the last one */
  | { readonly name: 'fetching'; readonly page: readonly string[]; readonly next?: PendingCursor | undefined }
  | { readonly name: 'draining' }
  | { readonly name: 'awaiting-decision' }
  /** `isSaved`: the workflow may continue as new */
  | { readonly name: 'continuing'; readonly revision: number; readonly isSaved: boolean }
  /** sweeps, then saves the finished run with this revision. `isStopped`: a trigger does not take the run further */
  | {
      readonly name: 'ending';
      readonly isStopped: boolean;
      readonly finished?: Run;
      readonly revision?: number;
      /** the refresh that follows the run is being started, or has been */
      readonly isRefreshStarted?: true;
    }
  /** starts nothing, and waits until nothing is in progress */
  | { readonly name: 'stopping'; readonly as: 'cancelled' | 'internal' }
  | { readonly name: 'done' };

export interface PatientInProgress {
  readonly patientRef: string;
  /** the question that the patient is being held for */
  readonly heldFor?: string;
}

export interface ListQuestion extends RemovalQuestion {
  /** stored with the list once the removals are carried out */
  readonly etag?: string;
}

/** Patients for whom the insurer has answered 410 in this run. */
export interface NotInsuredCount {
  /** number of the current question; part of its ID */
  readonly number: number;
  /** patients removed without a question since the run began or an operator approved */
  readonly removed: number;
  /** an operator has rejected, so the run keeps further patients without a question */
  readonly isRejected: boolean;
}

/** Work about a list that goes on while fetches do. The command has the same name. */
export type Task =
  | { readonly do: 'removeGone'; readonly listId: string; readonly etag?: string }
  | { readonly do: 'completeList'; readonly listId: string; readonly etag?: string }
  | { readonly do: 'deleteList'; readonly listId: string }
  /** starts once no patient is being held for the question any more */
  | { readonly do: 'removeHeld'; readonly listId: string; readonly hasStarted: boolean }
  | { readonly do: 'recordIssue'; readonly listId: string; readonly problem?: string };

/** What the workflow carries out. The comment names the event that ends it. */
export type Command =
  /** listFetched, listUnchanged or listUnusable. `isUnconditional`: also if the list has not changed */
  | { readonly do: 'fetchList'; readonly listId: string; readonly isUnconditional?: boolean }
  /** split or listUnusable */
  | { readonly do: 'splitList'; readonly list: PatientListReference }
  /** begun */
  | { readonly do: 'beginList'; readonly listId: string }
  /** applied */
  | {
      readonly do: 'applyList';
      readonly listId: string;
      readonly shardParts: readonly number[];
      readonly fetchOrder?: string;
    }
  /** taskEnded */
  | { readonly do: 'removeGone'; readonly listId: string }
  /** taskEnded */
  | { readonly do: 'completeList'; readonly listId: string; readonly etag?: string }
  /** taskEnded */
  | { readonly do: 'deleteList'; readonly listId: string }
  /** taskEnded */
  | { readonly do: 'removeHeld'; readonly listId: string }
  /** taskEnded */
  | { readonly do: 'recordIssue'; readonly listId: string; readonly problem?: string }
  /** counted */
  | { readonly do: 'countPatients' }
  /** removalsFinished */
  | { readonly do: 'finishRemovals' }
  /** reopened */
  | { readonly do: 'reopenReported'; readonly nextQuestion: string }
  /** pendingListed */
  | { readonly do: 'listPending'; readonly from: PendingCursor; readonly pendingShards?: string }
  /** patientEnded or patientNotInsured */
  | { readonly do: 'syncPatient'; readonly patientRef: string }
  /** patientEnded with `not-insured` */
  | { readonly do: 'removePatient'; readonly patientRef: string; readonly revision?: number }
  /** patientEnded with `held` */
  | {
      readonly do: 'holdPatient';
      readonly patientRef: string;
      readonly revision?: number;
      readonly heldFor: string;
    }
  /** saved */
  | {
      readonly do: 'save';
      readonly revision: number;
      readonly run: Run;
      /** the line as last read, in case it cannot be read now */
      readonly line: LineState;
      readonly question?: RemovalQuestion | undefined;
    }
  /** saveDue, some seconds later */
  | { readonly do: 'saveLater' }
  /** swept */
  | { readonly do: 'sweep'; readonly listCount: number }
  /** refreshStarted */
  | {
      readonly do: 'startRefresh';
      readonly afterDays: number;
      /** number of patients that it may remove after answers 410 */
      readonly removalsLeft: number;
      readonly unapprovedRemovals: number;
    };

/** What has happened. `atMs`: epoch ms. */
export type DailySyncEvent = { readonly atMs: number } & (
  | { readonly on: 'started' }
  /** a new list is there, or an operator has started the run */
  | { readonly on: 'triggered' }
  | { readonly on: 'listFetched'; readonly list: PatientListReference; readonly lineUse: LineUse }
  /** `carried`: what is wrong with the list, if an earlier run has applied it */
  | { readonly on: 'listUnchanged'; readonly lineUse: LineUse; readonly carried?: CarriedIssues }
  /**
   * `problem`: what is wrong with it, in fixed words: `not-an-array`. `isFinal`: the insurer has sent so many answers that are
   * no list that it is not asked again
   */
  | {
      readonly on: 'listUnusable';
      readonly lineUse?: LineUse;
      readonly problem?: string;
      readonly isFinal?: boolean;
    }
  | { readonly on: 'split'; readonly split: SplitResult }
  | { readonly on: 'begun' }
  /** `recentRemovals`: unapproved ones of other runs in the last seven days */
  | {
      readonly on: 'applied';
      readonly counts: ListCounts;
      readonly recentRemovals: number;
      readonly kvnrChanged: number;
    }
  /** `removed`: number of patients that `removeGone` has removed */
  | { readonly on: 'taskEnded'; readonly task: Task['do']; readonly listId: string; readonly removed?: number }
  | ({ readonly on: 'counted' } & PatientCounts)
  | { readonly on: 'removalsFinished' }
  | { readonly on: 'reopened' }
  | ({ readonly on: 'pendingListed' } & ListPendingResult)
  | {
      readonly on: 'patientEnded';
      readonly patientRef: string;
      readonly outcome: PatientOutcome;
      readonly lineUse?: LineUse;
      /** the stored care records break the contract */
      readonly isFlagged?: boolean;
      readonly issue?: PatientIssue;
    }
  /** `revision`: the patient's when the insurer answered 410 */
  | {
      readonly on: 'patientNotInsured';
      readonly patientRef: string;
      readonly revision?: number;
      readonly lineUse: LineUse;
    }
  | ({ readonly on: 'decided' } & DecisionMade)
  | { readonly on: 'saveDue' }
  | { readonly on: 'saved'; readonly revision: number; readonly line?: LineState | undefined }
  | { readonly on: 'swept' }
  | { readonly on: 'refreshStarted' }
  | { readonly on: 'continueAsNewSuggested' }
  | { readonly on: 'cancelRequested'; readonly by: string; readonly reason: string }
  /** the workflow was cancelled, or a command has failed that never should */
  | { readonly on: 'stopping'; readonly as: 'cancelled' | 'internal' }
  /** nothing is in progress any more after `stopping` */
  | { readonly on: 'stopped' }
);

export interface DecisionMade {
  readonly listId: string;
  readonly decision: 'approve' | 'reject';
  readonly by: string;
}

export interface Transition {
  readonly state: DailySync;
  readonly commands: readonly Command[];
}

/** Number of times that a run fetches a list if each one arrives completely and cannot be used. */
export const unusableListsMax = 3;

/** Returns the state of a new run. Its first event is `started`. */
export const startDailySync = (
  runId: string,
  { syncWindow, careRefreshAfterDays, removalLimitPercent, removalLimitPeople, unreadableLimitPercent }: RunLimits,
  atMs: number,
): DailySync => ({
  limits: {
    syncWindow,
    removalLimitPercent,
    removalLimitPeople,
    ...(careRefreshAfterDays !== undefined && { careRefreshAfterDays }),
    ...(unreadableLimitPercent !== undefined && { unreadableLimitPercent }),
  },
  step: { name: 'draining' },
  run: startRun(runId, atMs),
  line: { state: 'open', busy: false },
  patients: [],
  tasks: [],
  notInsured: { number: 1, removed: 0, isRejected: false },
  stored: 0,
  listCount: 0,
  isListDue: true,
  hasListFailed: false,
  isContinueDue: false,
  isListingPending: false,
  revision: 0,
  isSaveDue: false,
});

/** Returns what the next execution begins with after continue-as-new. Its first event is `started`. */
export const carriedOver = (state: DailySync): DailySync => ({
  ...state,
  step: { name: 'draining' },
  isContinueDue: false,
  isSaveDue: false,
});

/** Returns whether no question is decided now, because a newer list is due or the run is ending. */
const isSuspended = ({ isListDue, step }: DailySync): boolean =>
  isListDue || ['listing', 'splitting', 'applying', 'ending', 'stopping', 'done'].includes(step.name);

/** Returns the question that an operator can answer now. If two are open, the list's comes first. */
export function openQuestion(state: DailySync): RemovalQuestion | undefined {
  if (isSuspended(state)) return undefined;
  const { listQuestion, heldQuestion } = state;
  if (listQuestion === undefined) return heldQuestion;
  const { etag: _, ...question } = listQuestion;
  return question;
}

/**
 * Returns why a decision must be rejected; undefined if it can be carried out.
 * @param decision without listId, it is about the list whose removals wait
 */
export function decisionFault(
  state: DailySync,
  { decision, listId }: Pick<DecisionMade, 'decision'> & { readonly listId?: string | undefined },
): DecisionFault | undefined {
  if (decision !== 'approve' && decision !== 'reject') return 'invalid';
  if (listId === undefined) {
    if (state.listQuestion === undefined) return 'not-awaited';
    return isSuspended(state) ? 'outdated' : undefined;
  }
  if (state.run.decisions.some((made) => made.listId === listId)) return 'made';
  const questions = [state.listQuestion, state.heldQuestion].filter((question) => question !== undefined);
  if (questions.some((question) => question.listId === listId)) return isSuspended(state) ? 'outdated' : undefined;
  if (isOlder(state, listId)) return 'outdated';
  return questions.length === 0 ? 'not-awaited' : 'unknown';
}

/** Returns whether this is the ID of a list or a question before the current one. */
function isOlder({ run: { runId }, listCount, notInsured }: DailySync, listId: string): boolean {
  const [, ofRun, isHeld, number] = /^(\d{8}T\d{6}Z-[0-9a-f]{8})-(not-insured-)?(\d+)$/.exec(listId) ?? [];
  if (ofRun === undefined) return false;
  return ofRun === runId ? Number(number) < (isHeld ? notInsured.number : listCount) : ofRun < runId;
}

/** Returns the state after an event, and what is to be done now. Pure. */
export function transition(state: DailySync, event: DailySyncEvent): Transition {
  const draft = new Draft(state);
  draft.take(event);
  draft.proceed(event.atMs);
  return draft.result();
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** One transition: a copy of the state that changes, and the commands so far. */
class Draft {
  readonly #state: Writable<DailySync>;
  readonly #commands: Command[] = [];

  constructor(state: DailySync) {
    this.#state = { ...state };
  }

  result(): Transition {
    const isStopping = this.#state.step.name === 'stopping';
    const commands = isStopping ? this.#commands.filter(isCompensation) : this.#commands;
    return { state: this.#state, commands };
  }

  /** Takes in what has happened. */
  take(event: DailySyncEvent): void {
    const state = this.#state;
    const { step } = state;
    switch (event.on) {
      case 'started':
        return;
      case 'triggered':
        state.isListDue = true;
        return;
      case 'continueAsNewSuggested':
        state.isContinueDue = true;
        return;

      case 'listFetched':
        this.#addLineUse(event.lineUse);
        if (step.name !== 'listing') return;
        state.step = { ...step, name: 'splitting', list: event.list, receivedAtMs: event.atMs };
        this.#enter('split');
        this.#do({ do: 'splitList', list: event.list });
        return;
      case 'listUnchanged':
        this.#addLineUse(event.lineUse);
        if (step.name !== 'listing') return;
        this.#dropQuestions();
        if (event.carried) state.run = countCarried(state.run, event.carried);
        this.#count('unchanged');
        return;
      case 'listUnusable':
        this.#addLineUse(event.lineUse ?? zeroLineUse);
        if (step.name === 'listing' || step.name === 'splitting')
          this.#takeUnusable(event.isFinal ? unusableListsMax : step.unusableLists + 1, event.problem);
        return;
      case 'split':
        if (step.name !== 'splitting') return;
        this.#dropQuestions();
        state.step = { name: 'applying', list: step.list, receivedAtMs: step.receivedAtMs, split: event.split };
        this.#enter('diff');
        this.#do({ do: 'beginList', listId: step.list.listId });
        return;
      case 'begun':
        if (step.name === 'applying') this.#applyList(step);
        return;
      case 'applied':
        if (step.name === 'applying') this.#takeApplied(step, event);
        return;

      case 'counted':
        if (step.name !== 'counting') return;
        state.stored = event.stored;
        state.run = countAge(countProvisional(state.run, event.provisional ?? 0), event.careRecordsAge);
        if (step.list === 'unchanged' && (event.provisional ?? 0) > 0) {
          this.#list(0, 'whole'); // a list that has not changed says nothing about them
          return;
        }
        state.pendingShards = event.pendingShards;
        if (step.list === 'unchanged') state.run = countUnchangedList(state.run, event.stored);
        state.step = { ...step, pending: event.pending, waitsFor: [] };
        if (event.removing > 0) this.#waitFor('finishRemovals');
        if (event.reported > 0 && step.list !== 'unusable') this.#waitFor('reopenReported', event.reported);
        return;
      case 'removalsFinished':
        this.#waitNoMore('finishRemovals');
        return;
      case 'reopened':
        state.run = countReopened(state.run);
        state.pendingShards = undefined; // reopened patients can be in any shard
        this.#waitNoMore('reopenReported');
        return;

      case 'pendingListed':
        state.isListingPending = false;
        if (step.name === 'fetching') state.step = { name: 'fetching', page: event.patientRefs, next: event.next };
        return;
      case 'patientNotInsured':
        this.#addLineUse(event.lineUse);
        this.#removeOrHold(event);
        return;
      case 'patientEnded':
        state.patients = state.patients.filter(({ patientRef }) => patientRef !== event.patientRef);
        state.run = countPatient(
          state.run,
          event.outcome,
          event.lineUse ?? zeroLineUse,
          event.atMs,
          event.isFlagged,
          event.issue,
        );
        this.#saveLater();
        return;

      case 'decided':
        if (decisionFault(state, event) === undefined) this.#takeDecision(event, event.atMs);
        return;
      case 'taskEnded':
        this.#takeTaskEnd(event.task, event.listId, event.removed ?? 0);
        return;

      case 'saveDue':
        state.isSaveDue = false;
        if (step.name !== 'ending' && step.name !== 'done') this.#save();
        return;
      case 'saved':
        state.line = event.line ?? state.line;
        this.#takeSaved(event.revision);
        return;
      case 'swept':
        if (step.name === 'ending') this.#takeSwept(step, event.atMs);
        return;
      case 'refreshStarted':
        if (step.name === 'ending') this.#end(step);
        return;

      case 'cancelRequested':
        state.run = { ...state.run, cancellation: { by: event.by, reason: event.reason } };
        return;
      case 'stopping':
        state.step = { name: 'stopping', as: event.as };
        return;
      case 'stopped':
        if (step.name !== 'stopping') return;
        state.step = { name: 'ending', isStopped: true, finished: endRun(state.run, step.as) };
        this.#sweep();
        return;
    }
  }

  /** Does what is due now, and goes on to the next step if this one has ended. */
  proceed(atMs: number): void {
    const state = this.#state;
    const { step } = state;
    this.#startHeldRemovals();
    switch (step.name) {
      case 'finishing-list':
        if (state.tasks.length === 0) this.#count('applied');
        return;
      case 'counting':
        if (step.waitsFor.length > 0) return;
        state.run = countPending(state.run, step.pending);
        state.cursor = { shardIndex: 0 };
        this.#fetch(state.cursor);
        this.proceed(atMs);
        return;
      case 'fetching': {
        if (!state.isListDue && !state.isContinueDue) {
          this.#startPatients(step);
          if (state.patients.length > 0 || state.isListingPending) return;
          state.cursor = undefined;
        }
        state.step = { name: 'draining' };
        this.proceed(atMs);
        return;
      }
      case 'awaiting-decision':
        if (this.#isQuiet() && !state.isListDue && !state.isContinueDue && openQuestion(state)) return;
        state.step = { name: 'draining' };
        this.proceed(atMs);
        return;
      case 'draining':
        if (this.#isQuiet()) this.#leaveDraining(atMs);
        return;
      case 'continuing':
        if (!this.#isQuiet()) state.step = { name: 'draining' }; // a decision has come: the removals first
        return;
      case 'listing':
      case 'splitting':
      case 'applying':
      case 'ending':
      case 'stopping':
      case 'done':
        return;
    }
  }

  #isQuiet(): boolean {
    const { patients, tasks, isListingPending } = this.#state;
    return patients.length === 0 && tasks.length === 0 && !isListingPending;
  }

  #leaveDraining(atMs: number): void {
    const state = this.#state;
    if (state.isContinueDue) {
      this.#save();
      state.step = { name: 'continuing', revision: state.revision, isSaved: false };
    } else if (state.isListDue) {
      state.isListDue = false;
      this.#list(0);
    } else if (state.cursor !== undefined) {
      this.#fetch(state.cursor);
      this.proceed(atMs);
    } else if (state.listQuestion ?? state.heldQuestion) {
      state.step = { name: 'awaiting-decision' };
      this.#save();
    } else {
      state.step = { name: 'ending', isStopped: false };
      this.#sweep();
    }
  }

  /** @param whole the list is needed even if it has not changed */
  #list(unusableLists: number, whole?: 'whole'): void {
    const state = this.#state;
    state.listCount += 1;
    const listId = `${state.run.runId}-${state.listCount}`;
    state.step = { name: 'listing', listId, unusableLists };
    this.#enter('list');
    this.#do({ do: 'fetchList', listId, ...(whole && { isUnconditional: true }) });
  }

  #applyList({ list: { listId, fetchOrder }, split: { shardParts } }: Extract<Step, { name: 'applying' }>): void {
    this.#do({ do: 'applyList', listId, shardParts, ...(fetchOrder !== undefined && { fetchOrder }) });
  }

  #takeUnusable(unusableLists: number, problem: string | undefined): void {
    const listId = `${this.#state.run.runId}-${this.#state.listCount}`;
    this.#startTask({ do: 'deleteList', listId });
    if (unusableLists < unusableListsMax) {
      this.#list(unusableLists);
      return;
    }
    this.#startTask({ do: 'recordIssue', listId, ...(problem !== undefined && { problem }) });
    this.#count('unusable');
  }

  #takeApplied(
    { list: { listId, etag }, split, receivedAtMs }: Extract<Step, { name: 'applying' }>,
    { counts, recentRemovals, kvnrChanged, atMs }: Extract<DailySyncEvent, { on: 'applied' }>,
  ): void {
    const state = this.#state;
    state.run = countList(state.run, counts, split, kvnrChanged);
    const { gone: removals, stored, goneProvisional = 0 } = counts;
    const { entries, unreadable } = split;
    const recent = recentRemovals + state.run.unapprovedRemovals;
    const reasons = reasonsToAsk({ removals, stored, recentRemovals: recent, entries, unreadable }, state.limits);
    const tag = etag === undefined ? {} : { etag };
    if (reasons.length > 0) {
      const receivedAt = new Date(receivedAtMs).toISOString();
      const waitingSince = new Date(atMs).toISOString();
      state.listQuestion = { listId, kind: 'list', removals, stored, receivedAt, waitingSince, reasons, ...tag };
      this.#count('applied');
      this.#enter('apply');
      return;
    }
    state.run = countUnapproved(state.run, removals);
    state.step = { name: 'finishing-list' };
    this.#enter('apply');
    this.#startTask(
      removals + goneProvisional > 0 ? { do: 'removeGone', listId, ...tag } : { do: 'completeList', listId, ...tag },
    );
  }

  /** Forgets the open questions, because a newer list is there. */
  #dropQuestions(): void {
    const state = this.#state;
    if (state.listQuestion) this.#startTask({ do: 'deleteList', listId: state.listQuestion.listId });
    if (state.heldQuestion || state.notInsured.isRejected)
      state.notInsured = { ...state.notInsured, number: state.notInsured.number + 1, isRejected: false };
    state.listQuestion = undefined;
    state.heldQuestion = undefined;
  }

  #count(list: 'applied' | 'unchanged' | 'unusable'): void {
    this.#state.hasListFailed = list === 'unusable';
    this.#state.step = { name: 'counting', list, pending: 0, waitsFor: ['countPatients'] };
    this.#do({ do: 'countPatients' });
  }

  #waitFor(command: 'finishRemovals' | 'reopenReported', morePending = 0): void {
    const { step } = this.#state;
    if (step.name !== 'counting') return;
    this.#state.step = { ...step, pending: step.pending + morePending, waitsFor: [...step.waitsFor, command] };
    this.#do(command === 'reopenReported' ? { do: command, nextQuestion: this.#heldQuestionId } : { do: command });
  }

  #waitNoMore(command: 'finishRemovals' | 'reopenReported'): void {
    const { step } = this.#state;
    if (step.name !== 'counting') return;
    this.#state.step = { ...step, waitsFor: step.waitsFor.filter((other) => other !== command) };
  }

  #fetch(from: PendingCursor): void {
    this.#state.step = { name: 'fetching', page: [], next: from };
    this.#enter('care-records');
  }

  #startPatients(step: Extract<Step, { name: 'fetching' }>): void {
    const state = this.#state;
    const [...page] = step.page;
    while (page.length > 0 && state.patients.length < state.limits.syncWindow) {
      const patientRef = page.shift() ?? '';
      state.cursor = { shardIndex: shards.indexOf(shardOf(patientRef)), after: patientRef };
      state.patients = [...state.patients, { patientRef }];
      this.#do({ do: 'syncPatient', patientRef });
    }
    state.step = { ...step, page };
    if (page.length > 0 || step.next === undefined || state.isListingPending) return;
    if (state.patients.length >= state.limits.syncWindow) return;
    state.isListingPending = true;
    const { pendingShards } = state;
    this.#do({ do: 'listPending', from: step.next, ...(pendingShards !== undefined && { pendingShards }) });
  }

  /** Names the open question about answers 410, or the next one. */
  get #heldQuestionId(): string {
    const { run, notInsured } = this.#state;
    return `${run.runId}-not-insured-${notInsured.number}`;
  }

  /** Takes a 410: removes the patient, or holds the patient back if there are too many. */
  #removeOrHold({ patientRef, revision, atMs }: Extract<DailySyncEvent, { on: 'patientNotInsured' }>): void {
    const state = this.#state;
    const { removed, isRejected } = state.notInsured;
    const seen = { patientRef, ...(revision !== undefined && { revision }) };
    if (!isRejected && !state.heldQuestion && removed < notInsuredLimit(state.stored, state.limits)) {
      state.notInsured = { ...state.notInsured, removed: removed + 1 };
      this.#do({ do: 'removePatient', ...seen });
      return;
    }
    const listId = this.#heldQuestionId;
    if (!isRejected) {
      const at = new Date(atMs).toISOString();
      const { receivedAt, removals } = state.heldQuestion ?? { receivedAt: at, removals: 0 };
      state.heldQuestion = {
        listId,
        kind: 'not-insured',
        removals: removals + 1,
        stored: state.stored,
        receivedAt,
        waitingSince: receivedAt,
        reasons: ['not-insured-answers'],
      };
    }
    state.patients = state.patients.map((patient) =>
      patient.patientRef === patientRef ? { patientRef, heldFor: listId } : patient,
    );
    this.#do({ do: 'holdPatient', ...seen, heldFor: listId });
  }

  #takeDecision({ listId, decision, by }: DecisionMade, atMs: number): void {
    const state = this.#state;
    const question = [state.listQuestion, state.heldQuestion].find((open) => open?.listId === listId);
    if (question === undefined) return;
    const { kind, removals, stored, waitingSince } = question;
    const decidedAt = new Date(atMs).toISOString();
    state.run = addDecision(state.run, { listId, kind, removals, stored, waitingSince, decision, by, decidedAt });
    const isApproved = decision === 'approve';
    if (kind === 'list') {
      const etag = state.listQuestion?.etag;
      state.listQuestion = undefined;
      this.#startTask(
        isApproved ? { do: 'removeGone', listId, ...(etag !== undefined && { etag }) } : { do: 'deleteList', listId },
      );
    } else {
      state.heldQuestion = undefined;
      if (isApproved) {
        state.notInsured = { number: state.notInsured.number + 1, removed: 0, isRejected: false };
        state.tasks = [...state.tasks, { do: 'removeHeld', listId, hasStarted: false }];
      } else {
        state.notInsured = { ...state.notInsured, isRejected: true };
      }
    }
    this.#save();
  }

  /** Starts approved removals of held patients for which no `holdPatient` is in progress any more. */
  #startHeldRemovals(): void {
    const state = this.#state;
    state.tasks = state.tasks.map((task) => {
      if (task.do !== 'removeHeld' || task.hasStarted) return task;
      if (state.patients.some(({ heldFor }) => heldFor === task.listId)) return task;
      this.#do({ do: 'removeHeld', listId: task.listId });
      return { ...task, hasStarted: true };
    });
  }

  #startTask(task: Exclude<Task, { do: 'removeHeld' }>): void {
    this.#state.tasks = [...this.#state.tasks, task];
    if (task.do === 'removeGone')
      this.#do({ do: task.do, listId: task.listId }); // the ETag is for `completeList`
    else this.#do(task);
  }

  #takeTaskEnd(ended: Task['do'], listId: string, removed: number): void {
    const state = this.#state;
    const task = state.tasks.find((other) => other.do === ended && other.listId === listId);
    state.tasks = state.tasks.filter((other) => other !== task);
    if (task === undefined) return;
    switch (task.do) {
      case 'removeGone':
        state.run = countRemoved(state.run, removed);
        this.#startTask({ do: 'completeList', listId, ...(task.etag !== undefined && { etag: task.etag }) });
        this.#save();
        return;
      case 'completeList':
        this.#startTask({ do: 'deleteList', listId });
        return;
      case 'removeHeld':
        state.run = countHeldRemoved(
          state.run,
          state.run.decisions.find((made) => made.listId === listId)?.removals ?? 0,
        );
        this.#save();
        return;
      case 'deleteList':
      case 'recordIssue':
        return;
    }
  }

  #takeSwept(step: Extract<Step, { name: 'ending' }>, atMs: number): void {
    const state = this.#state;
    if (state.isListDue && !step.isStopped) {
      state.step = { name: 'draining' }; // a trigger has come during the sweep
      return;
    }
    const completion = completionOf(state.run, state.limits.unreadableLimitPercent);
    const ended = step.finished ?? endRun(state.run, state.hasListFailed ? 'list-unusable' : completion);
    const finished: Run = { ...ended, finishedAtMs: atMs };
    this.#save(finished);
    state.step = { ...step, finished, revision: state.revision };
  }

  #takeSaved(revision: number): void {
    const state = this.#state;
    const { step } = state;
    if (step.name === 'continuing' && step.revision === revision) state.step = { ...step, isSaved: true };
    if (step.name !== 'ending' || step.revision !== revision || step.isRefreshStarted) return;
    this.#end(step);
  }

  /** Ends the run, whose end is saved. A refresh starts before the workflow ends, so that a trigger meanwhile is not lost. */
  #end(step: Extract<Step, { name: 'ending' }>): void {
    const state = this.#state;
    if (step.finished === undefined) return;
    if (state.isListDue && !step.isStopped) {
      state.step = { name: 'draining' }; // a trigger has come: the run continues, and no query has reported its end
      return;
    }
    const { careRefreshAfterDays: afterDays } = state.limits;
    if (afterDays !== undefined && !step.isStopped && !state.hasListFailed && !step.isRefreshStarted) {
      state.step = { ...step, isRefreshStarted: true };
      const { removed, isRejected } = state.notInsured;
      const removalsLeft = isRejected ? 0 : Math.max(0, notInsuredLimit(state.stored, state.limits) - removed);
      const { unapprovedRemovals } = step.finished;
      this.#do({ do: 'startRefresh', afterDays, removalsLeft, unapprovedRemovals });
      return;
    }
    state.run = step.finished;
    state.step = { name: 'done' };
  }

  #addLineUse(lineUse: LineUse): void {
    this.#state.run = { ...this.#state.run, lineUse: addLineUse(this.#state.run.lineUse, lineUse) };
  }

  #enter(phase: Phase): void {
    this.#state.run = { ...this.#state.run, phase };
    this.#save();
  }

  #save(run = this.#state.run): void {
    this.#state.revision += 1;
    const { revision, line } = this.#state;
    this.#do({ do: 'save', revision, run, line, question: openQuestion(this.#state) });
  }

  #sweep(): void {
    this.#do({ do: 'sweep', listCount: this.#state.listCount });
  }

  #saveLater(): void {
    if (this.#state.isSaveDue) return;
    this.#state.isSaveDue = true;
    this.#do({ do: 'saveLater' });
  }

  #do(command: Command): void {
    this.#commands.push(command);
  }
}

/** Returns whether a command is carried out even while the run is stopping: it completes what a 410 has begun. */
const isCompensation = ({ do: name }: Command): boolean => name === 'removePatient' || name === 'holdPatient';
