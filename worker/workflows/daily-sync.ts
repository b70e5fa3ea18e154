import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  patched,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type CancelRequest,
  cancelRequestedSignal,
  type DailySyncInput,
  decideRemovalsUpdate,
  progressQuery,
  type RemovalDecision,
  triggerSignal,
  type WaitingRemovals,
} from '../../core/contract/daily-sync.ts';
import type { LineActivities } from '../../core/contract/line-activities.ts';
import type { ListActivities, ShardRange, SplitResult } from '../../core/contract/list-activities.ts';
import { lineTaskQueue } from '../../core/contract/names.ts';
import type { PendingCursor, SyncActivities } from '../../core/contract/sync-activities.ts';
import { addCounts, zeroCounts } from '../../core/domain/diff.ts';
import { addLineUse, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
import type { LineState } from '../../core/domain/line-status.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { needsApproval } from '../../core/domain/removal-guard.ts';
import {
  countList,
  countPatient,
  countPending,
  countRemoved,
  countUnchangedList,
  type PatientOutcome,
  progressOf,
  type Run,
  startRun,
} from '../../core/domain/run.ts';
import { shardOf, shards } from '../../core/domain/shard.ts';
import { type SyncPatientResult, syncPatient } from './sync-patient.ts';

export const trigger = defineSignal(triggerSignal);
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
  ListActivities & Pick<SyncActivities, 'countPatients' | 'finishRemovals' | 'listPending' | 'sweepRun'>
>({
  startToCloseTimeout: '6 hours', // 4 000 patients per shard, on a throttled table
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const shortActivities = proxyActivities<SyncActivities>({
  startToCloseTimeout: '1 min',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

const shardsPerActivity = 16;
const shardRanges: readonly ShardRange[] = Array.from({ length: shards.length / shardsPerActivity }, (_, index) => ({
  fromShard: index * shardsPerActivity,
  toShard: (index + 1) * shardsPerActivity,
}));
/** patientRefs per page: 7 KB in the history. */
const pendingPageSize = 200;
/** Number of times that a run fetches a list if each one arrives completely and cannot be used. */
const unusableListsMax = 3;
const saveDelayMs = 10_000;

/**
 * Runs the daily sync: fetches the list, compares and applies it, and fetches the care records of all pending patients
 * (docs/explanation/the-daily-run.md).
 * @throws CancelledFailure after a cancellation, once nothing staged is left; ApplicationFailure `ListUnusable` if the
 *   list could not be used, once everything else is done
 */
export async function dailySync(input: DailySyncInput): Promise<Progress> {
  const { insurerId, runId } = input;
  let run: Run = input.carried?.run ?? startRun(runId, Date.now());
  let listCount = input.carried?.listCount ?? 0;
  let isListDue = input.carried?.isListDue ?? true;
  let hasListFailed = input.carried?.hasListFailed ?? false;
  let cursor: PendingCursor | undefined = input.carried?.cursor;
  let waitingRemovals: WaitingRemovals | undefined = input.carried?.waitingRemovals;
  let decision: RemovalDecision | undefined;
  let line: LineState = { state: 'open', busy: false };
  /** the run in its final state, from the moment it is saved; a delayed save at that moment saves the same state */
  let finished: Run | undefined;
  let isSaveDue = false;
  /** a newer list is being fetched or compared; it may supersede the removals that wait */
  let isImporting = false;
  let revision = input.carried?.revision ?? 0;

  setHandler(trigger, () => {
    isListDue = true;
  });
  setHandler(cancelRequested, ({ operator, reason }) => {
    run = { ...run, cancellation: { by: operator, reason } };
  });
  setHandler(progress, () => progressOf(run, line, Date.now()));
  setHandler(
    decideRemovals,
    (made) => {
      decision = made;
      run = withoutDecision(run);
      return progressOf(run, line, Date.now());
    },
    {
      validator: ({ decision: wanted, listId }) => {
        if (wanted !== 'approve' && wanted !== 'reject')
          throw ApplicationFailure.nonRetryable('unknown decision: use approve or reject', 'DecisionInvalid');
        if (run.decision === undefined)
          throw ApplicationFailure.nonRetryable('no removals wait for a decision', 'NoDecisionAwaited');
        if (isListDue || isImporting)
          throw ApplicationFailure.nonRetryable(
            'the decision is about an older list: a newer one is on its way',
            'DecisionOutdated',
          );
        if (listId !== undefined && listId !== run.decision.listId)
          throw ApplicationFailure.nonRetryable(
            'the decision is about an older list: the removals of another one wait now',
            'DecisionOutdated',
          );
      },
    },
  );

  async function save(): Promise<void> {
    line = (await shortActivities.readLineState({ insurerId })) ?? line;
    revision += 1;
    const progress = progressOf(finished ?? run, line, Date.now());
    await shortActivities.saveProgress({ insurerId, revision, progress });
  }
  /**
   * Saves a change within ten seconds. Without a change nothing is scheduled, so a run that waits for days costs nothing.
   */
  function saveSoon(): void {
    if (isSaveDue) return;
    isSaveDue = true;
    void sleep(saveDelayMs)
      .then(save)
      .catch(() => {}) // cancelled: the code that ends the run saves the last progress
      .finally(() => {
        isSaveDue = false;
      });
  }
  async function enter(phase: Run['phase']): Promise<void> {
    run = { ...run, phase };
    await save();
  }

  /** Performs steps 1 to 4. Reports a list that cannot be used; the run then continues with the pending patients. */
  async function importList(): Promise<'applied' | 'unchanged' | 'unusable'> {
    isListDue = false;
    for (let unusable = 0; unusable < unusableListsMax; unusable++) {
      listCount += 1;
      const listId = `${runId}-${listCount}`;
      await enter('list');
      const applied = await shortActivities.readAppliedList({ insurerId });
      const fetched = await lineActivities
        .fetchPatientList({ insurerId, listId, ...(applied !== undefined && { knownEtag: applied.etag }) })
        .catch(asUnusableList);
      run = { ...run, lineUse: addLineUse(run.lineUse, fetched.lineUse) };
      if (fetched.kind === 'unchanged') {
        await discardWaitingRemovals(); // today's list is the one already applied, and it contains these patients
        return 'unchanged';
      }
      if (fetched.kind === 'list') {
        await enter('split');
        const split = await bulkActivities
          .splitPatientList({ insurerId, runId, list: fetched.list })
          .catch(asUnusableList);
        if ('shardParts' in split) {
          await discardWaitingRemovals();
          await applyList(listId, split, fetched.list.etag);
          return 'applied';
        }
      }
      await bulkActivities.deleteList({ listId });
    }
    await shortActivities.recordIssue({ insurerId, runId, issue: { kind: 'list', reason: 'ListUnusable' } });
    return 'unusable';
  }

  async function applyList(listId: string, split: SplitResult, etag: string | undefined): Promise<void> {
    // The tables are about to differ from the list with that ETag, so a 304 would say nothing about them.
    if (patched('applied-list-forgotten-2026-11')) await shortActivities.forgetAppliedList({ insurerId });
    await enter('diff');
    const parts = await forEachShardRange((range) =>
      bulkActivities.applyList({ listId, shardParts: split.shardParts, ...range }),
    );
    const counts = parts.reduce(addCounts, zeroCounts);
    run = countList(run, counts, split.quarantined);
    await enter('apply');
    const removals = { listId, removals: counts.gone, ...(etag !== undefined && { etag }) };
    if (needsApproval({ removals: counts.gone, stored: counts.stored, limitPercent: input.removalLimitPercent })) {
      waitingRemovals = removals;
      run = { ...run, decision: { listId, removals: counts.gone, stored: counts.stored } };
    } else {
      await applyRemovals(removals);
    }
  }

  async function applyRemovals({ listId, removals, etag }: WaitingRemovals): Promise<void> {
    if (removals > 0) await forEachShardRange((range) => bulkActivities.removeGone({ listId, ...range }));
    run = countRemoved(run, removals);
    if (etag !== undefined) await shortActivities.setAppliedList({ insurerId, listId, etag });
    await bulkActivities.deleteList({ listId });
  }

  /** Discards removals of an older list, because a newer list supersedes them. */
  async function discardWaitingRemovals(): Promise<void> {
    if (waitingRemovals === undefined) return;
    const { listId } = waitingRemovals;
    waitingRemovals = undefined;
    run = withoutDecision(run);
    await bulkActivities.deleteList({ listId });
  }

  async function applyDecision(): Promise<void> {
    if (waitingRemovals === undefined || decision === undefined) return;
    const decided = waitingRemovals;
    const { decision: made } = decision;
    waitingRemovals = undefined;
    decision = undefined;
    if (made === 'approve') await applyRemovals(decided);
    else await bulkActivities.deleteList({ listId: decided.listId });
    await save();
  }

  /**
   * Performs step 5 until each pending patient has been synced once, or until a list, a decision or continue-as-new comes
   * first. No sync is in progress when it returns.
   */
  async function fetchCareRecords(): Promise<void> {
    const inProgress = new Set<Promise<void>>();
    let page: string[] = [];
    let next: PendingCursor | undefined = cursor;
    let failure: { error: unknown } | undefined;

    const syncOne = async (patientRef: string): Promise<void> => {
      const result = await syncPatient({
        insurerId,
        patientRef,
        syncId: runId,
        priority: 'bulk',
        maxRequests: input.careMaxRequests,
      });
      run = countPatient(run, outcomeOf(result), result.lineUse, Date.now());
      if (result.outcome === 'failed')
        await shortActivities.recordIssue({
          insurerId,
          runId,
          issue: { kind: 'care-records', reason: result.reason ?? 'unknown', patientRef },
        });
      saveSoon();
    };

    try {
      while (failure === undefined && !isListDue && decision === undefined && !workflowInfo().continueAsNewSuggested) {
        if (page.length === 0 && next !== undefined) {
          const listed = await bulkActivities.listPending({ ...next, limit: pendingPageSize });
          page = [...listed.patientRefs];
          next = listed.next;
        }
        const patientRef = page.shift();
        if (patientRef === undefined) {
          cursor = undefined;
          if (next !== undefined) continue;
          break;
        }
        cursor = { shardIndex: shards.indexOf(shardOf(patientRef)), after: patientRef };
        const patient = syncOne(patientRef)
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => inProgress.delete(patient));
        inProgress.add(patient);
        if (inProgress.size >= input.syncWindow) await Promise.race(inProgress);
      }
    } finally {
      await Promise.all(inProgress); // also after a cancellation: each sync undoes its own work first
    }
    if (failure !== undefined) throw failure.error;
  }

  try {
    for (;;) {
      await applyDecision(); // before a newer list arrives: it was made about the older one
      if (isListDue) {
        isImporting = true;
        const result = await importList();
        isImporting = false;
        hasListFailed = result === 'unusable';
        const { pending, stored, removing } = await bulkActivities.countPatients();
        if (removing > 0) await bulkActivities.finishRemovals();
        if (result === 'unchanged') run = countUnchangedList(run, stored);
        run = countPending(run, pending);
        cursor = { shardIndex: 0 };
        await enter('care-records');
      }
      if (cursor !== undefined) await fetchCareRecords();
      if (isListDue || decision !== undefined) continue;
      if (workflowInfo().continueAsNewSuggested) {
        await save();
        await condition(allHandlersFinished);
        if (decision !== undefined) continue;
        // no await from here on, so no signal or update can arrive before continue-as-new
        const carried = {
          run,
          revision,
          listCount,
          isListDue,
          hasListFailed,
          ...(cursor && { cursor }),
          ...(waitingRemovals && { waitingRemovals }),
        };
        await continueAsNew<typeof dailySync>({ ...input, carried });
      }
      if (cursor !== undefined) continue;
      if (waitingRemovals !== undefined) {
        await save();
        await condition(() => isListDue || decision !== undefined);
        continue;
      }
      await bulkActivities.sweepRun({ runId });
      if (isListDue) continue; // a trigger arrived during the sweep
      finished = { ...run, phase: 'done', state: hasListFailed ? 'failed' : 'completed', finishedAtMs: Date.now() };
      await save();
      if (!isListDue) break;
      finished = undefined; // a trigger arrived during the save: the run continues, and no query has reported its end
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      await bulkActivities.sweepRun({ runId });
      finished = withoutDecision({ ...run, state: 'cancelled', finishedAtMs: Date.now() });
      await save();
      run = finished;
    });
    throw error;
  }
  run = finished ?? run;
  if (hasListFailed)
    throw ApplicationFailure.nonRetryable(
      'the patient list could not be used: see the issues of this run',
      'ListUnusable',
    );
  return progressOf(run, line, Date.now());
}

/** Processes all shard ranges in parallel. Throws only once all have ended, so that a cleanup meets no late write. */
async function forEachShardRange<Result>(work: (range: ShardRange) => Promise<Result>): Promise<Result[]> {
  const settled = await Promise.allSettled(shardRanges.map(work));
  return settled.map((part) => {
    if (part.status === 'rejected') throw part.reason;
    return part.value;
  });
}

function outcomeOf({ outcome, reason }: SyncPatientResult): PatientOutcome {
  if (outcome !== 'failed') return outcome;
  return reason === 'PatientUnknown' || reason === 'AnswerTooLarge' ? 'permanently-failed' : 'exhausted';
}

function withoutDecision({ decision: _, ...run }: Run): Run {
  return run;
}

/** Maps the failure `ListUnusable` to a result, so that the list is fetched again. Throws any other error. */
function asUnusableList(error: unknown): { readonly kind: 'unusable'; readonly lineUse: LineUse } {
  if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) throw error;
  const { type, details } = error.cause;
  if (type !== 'ListUnusable') throw error;
  const detail = details?.[0] as { lineUse?: LineUse } | undefined;
  return { kind: 'unusable', lineUse: detail?.lineUse ?? zeroLineUse };
}
