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
import type { LineSeen, PendingCursor, SyncActivities } from '../../core/contract/sync-activities.ts';
import { addCounts, zeroCounts } from '../../core/domain/diff.ts';
import { addLineUse, type LineUse, zeroLineUse } from '../../core/domain/line.ts';
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
  startToCloseTimeout: '30 days', // a bound on the absurd: a paused line may hold a list for weeks, and a dead worker misses its heartbeat
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const bulkActivities = proxyActivities<ListActivities & Pick<SyncActivities, 'takeStock' | 'listPending' | 'sweepRun'>>(
  {
    startToCloseTimeout: '6 hours', // 4 000 patients a shard at a throttled table's worst
    heartbeatTimeout: '10 s',
    retry: { initialInterval: '1 s', maximumInterval: '1 min' },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  },
);
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
/** So many patientRefs a page: 7 KB in the history. */
const pendingPage = 200;
/** How often a list that came whole and cannot be used is fetched again. */
const unusableListsMax = 3;
const saveAfterMs = 10_000;

/**
 * The day's run: list, diff, apply, care records of whoever is pending (docs/explanation/the-daily-run.md). Reordering steps takes
 * `patched('what-changed-2026-11')` and a replay of `test/histories/`.
 * @throws CancelledFailure once nothing staged is left; ApplicationFailure `ListUnusable` when all is done but the list
 */
export async function dailySync(input: DailySyncInput): Promise<Progress> {
  const { insurerId, runId } = input;
  let run: Run = input.carried?.run ?? startRun(runId, Date.now());
  let lists = input.carried?.lists ?? 0;
  let listDue = input.carried?.listDue ?? true;
  let listFailed = input.carried?.listFailed ?? false;
  let cursor: PendingCursor | undefined = input.carried?.cursor;
  let waiting: WaitingRemovals | undefined = input.carried?.waiting;
  let decision: RemovalDecision | undefined;
  let line: LineSeen = { state: 'open', busy: false };
  /** the run as it ends, from when that is being kept; a save that is due just then keeps the same */
  let finished: Run | undefined;
  let saveDue = false;
  let revision = input.carried?.revision ?? 0;

  setHandler(trigger, () => {
    listDue = true;
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
      validator: ({ decision: wanted, removals }) => {
        if (wanted !== 'approve' && wanted !== 'reject')
          throw ApplicationFailure.nonRetryable('a decision is approve or reject', 'DecisionRefused');
        if (run.decision === undefined)
          throw ApplicationFailure.nonRetryable('no removals wait for a decision', 'NoDecisionAwaited');
        if (removals !== undefined && removals !== run.decision.removals)
          throw ApplicationFailure.nonRetryable('other removals wait by now', 'DecisionOutdated');
      },
    },
  );

  async function save(): Promise<void> {
    revision += 1;
    const progress = progressOf(finished ?? run, line, Date.now());
    line = await shortActivities.saveProgress({ insurerId, revision, progress });
  }
  /**
   * Keeps what has changed within ten seconds; while nothing changes nothing happens, so a run that waits for days costs nothing.
   */
  function saveSoon(): void {
    if (saveDue) return;
    saveDue = true;
    void sleep(saveAfterMs)
      .then(save)
      .catch(() => {}) // cancelled: the last progress is saved by whoever ends the run
      .finally(() => {
        saveDue = false;
      });
  }
  async function enter(phase: Run['phase']): Promise<void> {
    run = { ...run, phase };
    await save();
  }

  /** Steps 1 to 4. What could not be used is reported, and the run goes on with whoever is pending. */
  async function takeInList(): Promise<'applied' | 'unchanged' | 'unusable'> {
    listDue = false;
    for (let unusable = 0; unusable < unusableListsMax; unusable++) {
      lists += 1;
      const listId = `${runId}-${lists}`;
      await enter('list');
      const applied = await shortActivities.appliedList({ insurerId });
      const fetched = await lineActivities
        .fetchPatientList({ insurerId, listId, ...(applied !== undefined && { knownEtag: applied.etag }) })
        .catch(unlessUnusable);
      run = { ...run, lineUse: addLineUse(run.lineUse, fetched.lineUse) };
      if (fetched.kind === 'unchanged') {
        await endWaiting(); // the list that is applied whole is today's: whoever was to be removed is on it
        return 'unchanged';
      }
      if (fetched.kind === 'list') {
        await enter('split');
        const split = await bulkActivities
          .splitPatientList({ insurerId, runId, list: fetched.list })
          .catch(unlessUnusable);
        if ('shardParts' in split) {
          await endWaiting();
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
    await enter('diff');
    const parts = await inShardRanges((range) =>
      bulkActivities.applyList({ listId, shardParts: split.shardParts, ...range }),
    );
    const counts = parts.reduce(addCounts, zeroCounts);
    run = countList(run, counts, split.quarantined);
    await enter('apply');
    const removals = { listId, removals: counts.gone, ...(etag !== undefined && { etag }) };
    if (needsApproval({ removals: counts.gone, stored: counts.stored, limitPercent: input.removalLimitPercent })) {
      waiting = removals;
      run = { ...run, decision: { removals: counts.gone, stored: counts.stored } };
    } else {
      await applyRemovals(removals);
    }
  }

  async function applyRemovals({ listId, removals, etag }: WaitingRemovals): Promise<void> {
    if (removals > 0) await inShardRanges((range) => bulkActivities.removeGone({ listId, ...range }));
    run = countRemoved(run, removals);
    if (etag !== undefined) await shortActivities.setAppliedList({ insurerId, listId, etag });
    await bulkActivities.deleteList({ listId });
  }

  /** A newer list knows better who is gone; what an operator has decided about the older one is carried out first. */
  async function endWaiting(): Promise<void> {
    await carryOutDecision();
    if (waiting === undefined) return;
    const { listId } = waiting;
    waiting = undefined;
    run = withoutDecision(run);
    await bulkActivities.deleteList({ listId });
  }

  async function carryOutDecision(): Promise<void> {
    if (waiting === undefined || decision === undefined) return;
    const decided = waiting;
    const { decision: made } = decision;
    waiting = undefined;
    decision = undefined;
    if (made === 'approve') await applyRemovals(decided);
    else await bulkActivities.deleteList({ listId: decided.listId });
    await save();
  }

  /** Step 5, until all have had their turn, or something else has to be done first; then nothing is under way. */
  async function fetchCareRecords(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    let page: string[] = [];
    let next: PendingCursor | undefined = cursor;
    let failure: { error: unknown } | undefined;

    const oneMore = async (patientRef: string): Promise<void> => {
      const result = await syncPatient({
        insurerId,
        patientRef,
        syncId: runId,
        turn: 'bulk',
        maxTries: input.careMaxAttempts,
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
      while (failure === undefined && !listDue && decision === undefined && !workflowInfo().continueAsNewSuggested) {
        if (page.length === 0 && next !== undefined) {
          const listed = await bulkActivities.listPending({ ...next, limit: pendingPage });
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
        const patient = oneMore(patientRef)
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => underWay.delete(patient));
        underWay.add(patient);
        if (underWay.size >= input.syncWindow) await Promise.race(underWay);
      }
    } finally {
      await Promise.all(underWay); // cancelled ones too: each undoes what it had begun
    }
    if (failure !== undefined) throw failure.error;
  }

  try {
    for (;;) {
      if (listDue) {
        const taken = await takeInList();
        listFailed = taken === 'unusable';
        const { pending, stored } = await bulkActivities.takeStock();
        if (taken === 'unchanged') run = countUnchangedList(run, stored);
        run = countPending(run, pending);
        cursor = { shardIndex: 0 };
        await enter('care-records');
      }
      await carryOutDecision();
      if (cursor !== undefined) await fetchCareRecords();
      if (listDue || decision !== undefined) continue;
      if (workflowInfo().continueAsNewSuggested) {
        await save();
        await condition(allHandlersFinished);
        if (decision !== undefined) continue;
        // nothing is awaited from here on, so nothing can come in between
        const carried = {
          run,
          revision,
          lists,
          listDue,
          listFailed,
          ...(cursor && { cursor }),
          ...(waiting && { waiting }),
        };
        await continueAsNew<typeof dailySync>({ ...input, carried });
      }
      if (cursor !== undefined) continue;
      if (waiting !== undefined) {
        await save();
        await condition(() => listDue || decision !== undefined);
        continue;
      }
      await bulkActivities.sweepRun({ runId });
      if (listDue) continue; // a new day has come while the old one was put away
      finished = { ...run, phase: 'done', state: listFailed ? 'failed' : 'completed', finishedAtMs: Date.now() };
      await save();
      if (!listDue) break;
      finished = undefined; // until it is closed the run takes a new day in: so the query has told nobody yet that it has ended
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
  if (listFailed)
    throw ApplicationFailure.nonRetryable('the list could not be used; see the issues of the run', 'ListUnusable');
  return progressOf(run, line, Date.now());
}

/** Work on all shards side by side. Throws only when all of it has ended, so that whoever cleans up meets no late write. */
async function inShardRanges<Result>(work: (range: ShardRange) => Promise<Result>): Promise<Result[]> {
  const settled = await Promise.allSettled(shardRanges.map(work));
  return settled.map((part) => {
    if (part.status === 'rejected') throw part.reason;
    return part.value;
  });
}

function outcomeOf({ outcome, reason }: SyncPatientResult): PatientOutcome {
  if (outcome !== 'failed') return outcome;
  return reason === 'PatientUnknown' || reason === 'AnswerTooLarge' ? 'refused' : 'exhausted';
}

function withoutDecision({ decision: _, ...run }: Run): Run {
  return run;
}

/** The list is no list: fetched again. Everything else goes on as an error. */
function unlessUnusable(error: unknown): { readonly kind: 'unusable'; readonly lineUse: LineUse } {
  if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)) throw error;
  const { type, details } = error.cause;
  if (type !== 'ListUnusable') throw error;
  const detail = details?.[0] as { lineUse?: LineUse } | undefined;
  return { kind: 'unusable', lineUse: detail?.lineUse ?? zeroLineUse };
}
