import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  patched,
  proxyActivities,
  proxySinks,
  setHandler,
  sleep,
  startChild,
  TemporalFailure,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { careRefreshWorkflow } from '../../core/contract/care-refresh.ts';
import {
  type CancelRequest,
  cancelRequestedSignal,
  type DailySyncInput,
  decideRemovalsUpdate,
  decisionFailures,
  type ProgressSinks,
  progressQuery,
  type RemovalDecision,
  stoppingMemo,
  type TriggerRequest,
  triggerSignal,
} from '../../core/contract/daily-sync.ts';
import type { FetchCareRecordsFailure, LineActivities } from '../../core/contract/line-activities.ts';
import type { ListActivities, ShardRange } from '../../core/contract/list-activities.ts';
import { bulkTaskQueue, careRefreshId, lineTaskQueue } from '../../core/contract/names.ts';
import type { RecordIssueResult, SyncActivities } from '../../core/contract/sync-activities.ts';
import {
  type Command,
  carriedOver,
  type DailySyncEvent,
  decisionFault,
  openQuestion,
  startDailySync,
  transition,
} from '../../core/domain/daily-sync.ts';
import { addCounts, zeroCounts } from '../../core/domain/diff.ts';
import { type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { isFlaggedRecorded, type PatientOutcome, progressOf } from '../../core/domain/run.ts';
import { shards } from '../../core/domain/shard.ts';
import type { careRefresh } from './care-refresh.ts';
import { refusals } from './refuse-foreign.ts';
import { removePatient, type SyncPatientResult, syncPatient } from './sync-patient.ts';

export const trigger = defineSignal<[TriggerRequest]>(triggerSignal);
export const cancelRequested = defineSignal<[CancelRequest]>(cancelRequestedSignal);
export const progress = defineQuery<Progress>(progressQuery);
export const decideRemovals = defineUpdate<Progress, [RemovalDecision]>(decideRemovalsUpdate);

const lineActivities = proxyActivities<LineActivities>({
  taskQueue: lineTaskQueue,
  startToCloseTimeout: '30 days', // a paused line can delay a list for weeks; a dead worker is detected by its heartbeat
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const bulkActivities = proxyActivities<
  ListActivities &
    Pick<
      SyncActivities,
      'carryIssues' | 'countPatients' | 'finishRemovals' | 'removeHeld' | 'reopenReported' | 'sweepRun'
    >
>({
  taskQueue: bulkTaskQueue,
  startToCloseTimeout: '6 hours', // 4 000 patients per shard, on a throttled table
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
/** Not on the queue for bulk: the fetches would wait for an approved removal of many patients. */
const { listPending } = proxyActivities<SyncActivities>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const shortActivities = proxyActivities<SyncActivities>({
  startToCloseTimeout: '1 min',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** A sink costs no action, and no history knows of it (docs/adr/0065). */
const { progress: shown } = proxySinks<ProgressSinks>();

const shardsPerActivity = 16;
const shardRanges: readonly ShardRange[] = Array.from({ length: shards.length / shardsPerActivity }, (_, index) => ({
  fromShard: index * shardsPerActivity,
  toShard: (index + 1) * shardsPerActivity,
}));
/** patientRefs per page: 7 KB in the history. */
const pendingPageSize = 200;
/**
 * Time between two saves of a run that goes on. Each costs an action, and another one for its timer. In between people see
 * what the worker shows, and only the samples of the run's chart come from saves.
 */
const saveDelayMs = (startedAtMs: number): number => (Date.now() - startedAtMs < 10 * 60_000 ? 10_000 : 60_000);
const sevenDaysMs = 7 * 24 * 60 * 60_000;

type WithoutTime<Event> = Event extends unknown ? Omit<Event, 'atMs'> : never;
/** An event without its time, which `dailySync` adds. */
type NewEvent = WithoutTime<DailySyncEvent>;

/**
 * Runs the daily sync: fetches the list, compares and applies it, and fetches the care records of all pending patients
 * (docs/explanation/the-daily-run.md). The state machine in core/domain/daily-sync.ts decides what is done. This workflow
 * carries out its commands, and tells it their results and what operators want.
 * @throws CancelledFailure after a cancellation, once nothing staged is left; ApplicationFailure `ListUnusable` if the
 *   list could not be used, once everything else is done
 */
export async function dailySync(input: DailySyncInput): Promise<Progress> {
  let state = input.carried ?? startDailySync(input.runId, input, Date.now());
  /** what our own code has failed with, which ends the run */
  const failures: unknown[] = [];
  const scope = new CancellationScope();
  let commandsInProgress = 0;

  const tell = (event: NewEvent): void => {
    const next = transition(state, { ...event, atMs: Date.now() });
    state = next.state;
    shown.show(input.insurerId, progressNow(), Date.now());
    for (const command of next.commands) start(command);
    if (workflowInfo().continueAsNewSuggested && !state.isContinueDue) tell({ on: 'continueAsNewSuggested' });
  };
  const start = (command: Command): void => {
    commandsInProgress += 1;
    void scope
      .run(async () => await carryOut(command, input, state.run.startedAtMs, () => isFlaggedRecorded(state.run)))
      .then(tell)
      .catch((error: unknown) => {
        if (!isCancellation(error)) failures.push(error);
      })
      .finally(() => {
        commandsInProgress -= 1;
      });
  };
  /** Ends what is in progress, which undoes its own work, and saves the end of the run. */
  const stop = async (as: 'cancelled' | 'internal'): Promise<void> => {
    upsertMemo({ [stoppingMemo]: true }); // from now on a trigger starts nothing: the client waits for the end
    tell({ on: 'stopping', as });
    scope.cancel();
    await condition(() => commandsInProgress === 0);
    const failuresBefore = failures.length;
    tell({ on: 'stopped' });
    await condition(() => state.step.name === 'done' || failures.length > failuresBefore);
  };
  const progressNow = (): Progress => progressOf(state.run, state.line, Date.now(), openQuestion(state));
  const checkDecision = (decision: RemovalDecision): void => {
    const fault = decisionFault(state, decision);
    if (fault === undefined) return;
    const made = state.run.decisions.filter(({ listId }) => fault === 'made' && listId === decision.listId);
    throw ApplicationFailure.create({
      type: decisionFailures[fault],
      message: fault,
      nonRetryable: true,
      details: made,
    });
  };

  setHandler(progress, progressNow);
  setHandler(trigger, () => tell({ on: 'triggered' }));
  setHandler(cancelRequested, ({ runId = input.runId, operator, reason }) => {
    if (runId === input.runId) tell({ on: 'cancelRequested', by: operator, reason });
  });
  setHandler(
    decideRemovals,
    (made) => {
      checkDecision(made); // another decision may have been carried out since the validator ran
      const { decision, listId = state.listQuestion?.listId ?? '', operator } = made;
      tell({ on: 'decided', decision, listId, by: operator });
      return progressNow();
    },
    {
      validator: (decision) => {
        if (decision.listId === undefined)
          throw ApplicationFailure.nonRetryable('the decision names no list', decisionFailures.invalid);
        checkDecision(decision);
      },
    },
  );

  try {
    tell({ on: 'started' });
    const mayContinue = (): boolean => state.step.name === 'continuing' && state.step.isSaved;
    await condition(() => state.step.name === 'done' || mayContinue() || failures.length > 0);
    // no await from here on, so no signal or update can arrive before continue-as-new
    if (failures.length === 0 && mayContinue())
      await continueAsNew<typeof dailySync>({ ...input, carried: carriedOver(state) });
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => await stop('cancelled'));
    throw failures.length > 0 ? asFailure(failures[0]) : error;
  }
  if (failures.length > 0) {
    await CancellationScope.nonCancellable(async () => await stop('internal'));
    throw asFailure(failures[0]);
  }
  if (state.hasListFailed)
    throw ApplicationFailure.nonRetryable(
      'the patient list could not be used: see the issues of this run',
      'ListUnusable',
    );
  return progressNow();
}

/**
 * Carries out a command. Returns the event that ends it.
 * @param startedAtMs of the run, epoch milliseconds
 * @param isRecorded whether flagged care records still become issues
 * @throws what its activities throw
 */
async function carryOut(
  command: Command,
  { insurerId, runId, careMaxRequests }: DailySyncInput,
  startedAtMs: number,
  isRecorded: () => boolean,
): Promise<NewEvent> {
  switch (command.do) {
    case 'fetchList': {
      const { listId, isUnconditional } = command;
      const { applied } = await shortActivities.readListState({ insurerId });
      const known = applied && !isUnconditional && { knownEtag: applied.etag };
      const fetched = await lineActivities.fetchPatientList({ insurerId, listId, ...known }).catch(asUnusableList);
      const { lineUse } = fetched;
      switch (fetched.kind) {
        case 'list':
          if (fetched.list.listId !== listId) {
            refusals.tell('activity result'); // the copy of another run's: activity IDs repeat each day (ADR 0059)
            return { on: 'listUnusable', lineUse, isFinal: true };
          }
          return { on: 'listFetched', list: fetched.list, lineUse };
        case 'unchanged': {
          const fromRunId = applied && runOfList(applied.listId);
          if (fromRunId === undefined || fromRunId === runId || !patched('carried-issues-2026-11'))
            return { on: 'listUnchanged', lineUse };
          const carried = await bulkActivities.carryIssues({ insurerId, fromRunId, runId });
          return { on: 'listUnchanged', lineUse, carried };
        }
        case 'unusable':
          return { on: 'listUnusable', ...unusableOf(fetched), isFinal: true };
      }
      break;
    }
    case 'splitList': {
      const { list } = command;
      const split = await bulkActivities.splitPatientList({ insurerId, runId, list }).catch(asUnusableList);
      return 'shardParts' in split ? { on: 'split', split } : { on: 'listUnusable', ...unusableOf(split) };
    }
    case 'beginList': {
      const { listId } = command;
      for (;;) {
        const { epoch } = await shortActivities.readListState({ insurerId });
        const begun = await shortActivities.beginList({ insurerId, listId, epoch }).catch(asSuperseded);
        if (begun !== 'superseded') return { on: 'begun' };
        // a late attempt of a cancelled run has begun its list in between
      }
    }
    case 'applyList': {
      const { do: _, ...list } = command;
      const { listId } = list;
      const parts = await forEachShardRange((range) => bulkActivities.applyList({ insurerId, ...list, ...range }));
      const { found } = patched('changed-kvnr-2026-11')
        ? await bulkActivities.findChangedKvnrs({ insurerId, runId, listId })
        : { found: 0 };
      await shortActivities.endEntries({ insurerId, listId });
      const since = new Date(Date.now() - sevenDaysMs).toISOString();
      const recentRemovals = await shortActivities.countRecentRemovals({ insurerId, since, exceptRunId: runId });
      return { on: 'applied', counts: parts.reduce(addCounts, zeroCounts), recentRemovals, kvnrChanged: found };
    }

    case 'removeGone': {
      const { listId } = command;
      const parts = await forEachShardRange((range) => bulkActivities.removeGone({ insurerId, listId, ...range }));
      const removed = parts.reduce((sum, part) => sum + part.removed, 0);
      return { on: 'taskEnded', task: command.do, listId, removed };
    }
    case 'completeList': {
      const { listId, etag } = command;
      await shortActivities.completeList({ insurerId, listId, ...(etag !== undefined && { etag }) });
      return { on: 'taskEnded', task: command.do, listId };
    }
    case 'deleteList':
      await bulkActivities.deleteList({ listId: command.listId });
      return { on: 'taskEnded', task: command.do, listId: command.listId };
    case 'removeHeld':
      await bulkActivities.removeHeld({ heldFor: command.listId });
      return { on: 'taskEnded', task: command.do, listId: command.listId };
    case 'recordIssue': {
      const { problem } = command;
      const named = problem === undefined ? undefined : `list: ${problem}`;
      await shortActivities.recordIssue({ insurerId, runId, issue: { kind: 'list', reason: named ?? 'ListUnusable' } });
      return { on: 'taskEnded', task: command.do, listId: command.listId };
    }

    case 'countPatients':
      return { on: 'counted', ...(await bulkActivities.countPatients()) };
    case 'finishRemovals':
      await bulkActivities.finishRemovals();
      return { on: 'removalsFinished' };
    case 'reopenReported':
      await bulkActivities.reopenReported({ nextQuestion: command.nextQuestion });
      return { on: 'reopened' };
    case 'listPending': {
      const { from, pendingShards } = command;
      const input = { ...from, limit: pendingPageSize, ...(pendingShards !== undefined && { pendingShards }) };
      return { on: 'pendingListed', ...(await listPending(input)) };
    }

    case 'syncPatient': {
      const { patientRef } = command;
      const result = await syncPatient({
        insurerId,
        patientRef,
        syncId: runId,
        priority: 'bulk',
        maxRequests: careMaxRequests,
      });
      const { lineUse, outcome, isUnlisted, revision, flags } = result;
      const seen = { patientRef, ...(revision !== undefined && { revision }) };
      if (outcome === 'unknown' || isUnlisted) {
        const unknownIn = outcome === 'unknown' ? { unknownIn: runId } : {};
        await CancellationScope.nonCancellable(() => removePatient({ ...seen, ...unknownIn }));
        return { on: 'patientEnded', patientRef, outcome: 'gone', lineUse }; // no guard counts them
      }
      if (outcome === 'not-insured') return { on: 'patientNotInsured', ...seen, lineUse };
      const reason = outcome === 'failed' ? (result.reason ?? 'unknown') : flags;
      let isAcknowledged = false;
      if (outcome === 'failed') {
        const issue = { kind: 'care-records', reason: result.reason ?? 'unknown', patientRef } as const;
        const recorded: RecordIssueResult | undefined = await shortActivities.recordIssue({ insurerId, runId, issue });
        isAcknowledged = recorded?.isAcknowledged ?? false; // an activity of an older version returns nothing
      }
      const isFlagged = flags !== undefined;
      // those whose issue is being recorded are not counted yet, so up to SYNC_WINDOW more can be recorded
      if (isFlagged && (isRecorded() || !patched('flagged-issues-2026-11'))) {
        const issue = { kind: 'flagged', reason: flags, patientRef } as const;
        await shortActivities.recordIssue({ insurerId, runId, issue });
      }
      return {
        ...{ on: 'patientEnded', patientRef, outcome: outcomeOf(outcome, result.reason), lineUse, isFlagged },
        ...(reason !== undefined && { issue: { reason, isAcknowledged } }),
      };
    }
    case 'removePatient': {
      const { do: _, ...seen } = command;
      await CancellationScope.nonCancellable(() => removePatient(seen));
      return { on: 'patientEnded', patientRef: command.patientRef, outcome: 'not-insured' };
    }
    case 'holdPatient': {
      const { do: _, ...held } = command;
      await CancellationScope.nonCancellable(() => shortActivities.holdPatient(held));
      return { on: 'patientEnded', patientRef: command.patientRef, outcome: 'held' };
    }

    case 'save': {
      const { revision, run, question } = command;
      return await CancellationScope.nonCancellable(async (): Promise<NewEvent> => {
        if (patched('save-reads-the-line-2026-11')) {
          const saved = { insurerId, revision, progress: progressOf(run, command.line, Date.now(), question) };
          return { on: 'saved', revision, line: await shortActivities.saveProgress(saved) };
        }
        const line = await shortActivities.readLineState({ insurerId });
        const progress = progressOf(run, line ?? command.line, Date.now(), question);
        await shortActivities.saveProgress({ insurerId, revision, progress });
        return { on: 'saved', revision, line };
      });
    }
    case 'saveLater':
      await sleep(saveDelayMs(startedAtMs));
      return { on: 'saveDue' };
    case 'sweep':
      await CancellationScope.nonCancellable(() =>
        bulkActivities.sweepRun({ insurerId, runId, listCount: command.listCount }),
      );
      return { on: 'swept' };
    case 'startRefresh': {
      const { do: _, ...handedOver } = command;
      await startChild<typeof careRefresh>(careRefreshWorkflow, {
        workflowId: careRefreshId(runId),
        args: [{ insurerId, runId, careMaxRequests, ...handedOver }],
        parentClosePolicy: 'ABANDON',
        cancellationType: 'ABANDON',
        workflowTaskTimeout: '30 s', // as that of the run
      }).catch((error: unknown) => {
        // of this run before a trigger has taken it further; it has not noticed its end yet
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      });
      return { on: 'refreshStarted' };
    }
  }
}

/** Returns the run that has fetched a list: a listId is `{runId}-{number}`. */
const runOfList = (listId: string): string => listId.replace(/-\d+$/, '');

/** Processes all shard ranges in parallel. Throws only once all have ended, so that a cleanup meets no late write. */
async function forEachShardRange<Result>(work: (range: ShardRange) => Promise<Result>): Promise<Result[]> {
  const settled = await Promise.allSettled(shardRanges.map(work));
  return settled.map((part) => {
    if (part.status === 'rejected') throw part.reason;
    return part.value;
  });
}

function outcomeOf(
  outcome: Exclude<SyncPatientResult['outcome'], 'not-insured' | 'unknown'>,
  reason?: string,
): PatientOutcome {
  if (outcome !== 'failed') return outcome;
  return reason === 'PatientUnknown' || reason === 'AnswerTooLarge' ? 'permanently-failed' : 'exhausted';
}

/** Returns an error as one that ends the workflow: Temporal would repeat the task after any other error. */
const asFailure = (error: unknown): TemporalFailure =>
  error instanceof TemporalFailure ? error : ApplicationFailure.fromError(error, { nonRetryable: true });

/** Maps the failure `ListSuperseded` to a result. Throws any other error. */
function asSuperseded(error: unknown): 'superseded' {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (cause instanceof ApplicationFailure && cause.type === 'ListSuperseded') return 'superseded';
  throw error;
}

/** `problem`: what is wrong with it, in fixed words */
interface UnusableList {
  readonly kind: 'unusable';
  readonly lineUse: LineUse;
  readonly problem?: string;
}

const unusableOf = ({ lineUse, problem }: UnusableList) => ({ lineUse, ...(problem !== undefined && { problem }) });

/** Maps the failure `ListUnusable` to a result, so that the list is fetched again. Throws any other error. */
function asUnusableList(error: unknown): UnusableList {
  if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) throw error;
  const { type, details } = error.cause;
  if (type !== 'ListUnusable') throw error;
  const detail = details?.[0] as string | Partial<FetchCareRecordsFailure> | undefined;
  if (typeof detail === 'string') return { kind: 'unusable', lineUse: zeroLineUse, problem: detail };
  return { kind: 'unusable', lineUse: zeroLineUse, ...detail };
}
