import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setHandler,
  TemporalFailure,
} from '@temporalio/workflow';
import type { CareRefreshInput, CareRefreshState, RefreshActivities } from '../../core/contract/care-refresh.ts';
import { type CancelRequest, cancelRequestedSignal } from '../../core/contract/daily-sync.ts';
import { bulkTaskQueue } from '../../core/contract/names.ts';
import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { RefreshProgress } from '../../core/domain/freshness.ts';
import { flaggedIssuesMax } from '../../core/domain/issue.ts';
import { removePatient, syncPatient } from './sync-patient.ts';

export const cancelRequested = defineSignal<[CancelRequest]>(cancelRequestedSignal);

const { planRefresh, sweepRun } = proxyActivities<RefreshActivities & Pick<SyncActivities, 'sweepRun'>>({
  taskQueue: bulkTaskQueue,
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min' },
});
const { readStale, saveRefresh, recordIssue, holdPatient } = proxyActivities<RefreshActivities & SyncActivities>({
  startToCloseTimeout: '1 min',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** Patients of a plan: 700 KB in the bucket. */
const planLimit = 20_000;
/** Patients of one execution: about 2 000 events in the history. */
const pageSize = 100;
const dayMs = 24 * 60 * 60_000;

/**
 * Asks again for the care records of stored patients, the stalest first, one patient at a time (docs/adr/0055). Follows a
 * completed run, and ends once a newer run begins: at the latest after the patient in progress.
 * @throws CancelledFailure after a cancellation, once nothing staged is left
 */
export async function careRefresh(input: CareRefreshInput): Promise<void> {
  const { insurerId, runId, careMaxRequests } = input;
  const carried = input.carried ?? startRefresh(input);
  const { before } = carried;
  let { counts, revision, plan, after } = carried;
  let { position } = carried;
  let { cancellation } = carried;
  setHandler(cancelRequested, ({ runId: about = runId, operator, reason }) => {
    if (about === runId) cancellation = { by: operator, reason };
  });

  /** Returns whether the refresh may go on. */
  const save = async (state: RefreshProgress['state']): Promise<boolean> => {
    revision += 1;
    return await saveRefresh({
      insurerId,
      runId,
      revision,
      refresh: {
        state,
        ...(plan && { pending: Math.max(0, plan.stale - position) }),
        ...counts,
        ...(cancellation && { cancellation }),
      },
      unapprovedRemovals: input.unapprovedRemovals + counts.removed,
    });
  };

  /** Refreshes one patient. Returns false if the insurer answers 410 for too many. */
  const refresh = async (patientRef: string): Promise<boolean> => {
    const result = await syncPatient({
      insurerId,
      patientRef,
      syncId: runId,
      priority: 'bulk',
      maxRequests: careMaxRequests,
      refreshBefore: before,
    });
    const { outcome, revision: seen, flags } = result;
    const patient = { patientRef, ...(seen !== undefined && { revision: seen }) };
    if (outcome === 'not-insured' && counts.removed >= input.removalsLeft) {
      await CancellationScope.nonCancellable(() => holdPatient({ ...patient, heldFor: `${runId}-refresh` }));
      counts = { ...counts, held: (counts.held ?? 0) + 1 };
      return false;
    }
    if (outcome === 'not-insured' || outcome === 'unknown') {
      const unknownIn = outcome === 'unknown' ? { unknownIn: runId } : {};
      await CancellationScope.nonCancellable(() => removePatient({ ...patient, ...unknownIn }));
      counts = { ...counts, removed: counts.removed + 1 };
    }
    if (outcome === 'failed') {
      const issue = { kind: 'care-records', reason: result.reason ?? 'unknown', patientRef } as const;
      await recordIssue({ insurerId, runId, issue });
      counts = { ...counts, failed: counts.failed + 1 };
    }
    if (flags !== undefined) {
      const { flagged = 0 } = counts;
      if (flagged < flaggedIssuesMax)
        await recordIssue({ insurerId, runId, issue: { kind: 'flagged', reason: flags, patientRef } });
      counts = { ...counts, flagged: flagged + 1 };
    }
    if (outcome === 'done' && result.isUnchanged) counts = { ...counts, unchanged: counts.unchanged + 1 };
    else if (outcome === 'done') counts = { ...counts, done: counts.done + 1 };
    return true;
  };

  /** Refreshes the next patients. Returns the state of the refresh afterwards. */
  const proceed = async (): Promise<RefreshProgress['state']> => {
    if (!(await save('running'))) return 'stopped';
    plan ??= await planRefresh({ runId, before, limit: planLimit, ...(after && { after }) });
    if (plan === undefined) return 'completed';
    const page = await readStale({ plan, from: position, limit: pageSize });
    if (page === undefined) {
      plan = undefined; // the bucket has deleted it while the line was paused for weeks
      position = 0;
      return 'running';
    }
    for (const patientRef of page) {
      if (!(await save('running'))) return 'stopped';
      const mayGoOn = await refresh(patientRef);
      position += 1;
      if (!mayGoOn) return 'stopped';
    }
    if (position < plan.size) return 'running';
    if (plan.last === undefined) return 'completed';
    after = plan.last;
    plan = undefined;
    position = 0;
    return 'running';
  };

  /** Deletes the plan, and saves the end. */
  const end = async (state: 'completed' | 'stopped'): Promise<void> =>
    await CancellationScope.nonCancellable(async () => {
      await sweepRun({ insurerId, runId, listCount: 0 });
      await save(state);
    });

  try {
    const state = await proceed();
    if (state !== 'running') return await end(state);
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
  } catch (error) {
    if (error instanceof TemporalFailure) await end('stopped');
    throw error;
  }
  const more = { ...(plan && { plan }), ...(after && { after }), ...(cancellation && { cancellation }) };
  await continueAsNew<typeof careRefresh>({ ...input, carried: { before, counts, revision, position, ...more } });
}

const startRefresh = ({ afterDays }: CareRefreshInput): CareRefreshState => ({
  before: new Date(Date.now() - afterDays * dayMs).toISOString(),
  counts: { done: 0, unchanged: 0, failed: 0, removed: 0 },
  revision: 0,
  position: 0,
});
