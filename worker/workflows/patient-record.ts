import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  defineUpdate,
  isCancellation,
  patched,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type PatientRecordActivities,
  type PatientRecordInput,
  type RequestSyncInput,
  recordAccessUpdate,
  requestSyncUpdate,
  syncRequestedSignal,
} from '../../core/contract/patient-record.ts';
import type { AccessDraft } from '../../core/domain/access.ts';
import { isInProgress, type LastSync } from '../../core/domain/patient.ts';
import { removePatient, syncPatient } from './sync-patient.ts';

export const requestSync = defineUpdate<LastSync, [RequestSyncInput]>(requestSyncUpdate);
export const syncRequested = defineSignal<[RequestSyncInput]>(syncRequestedSignal);
export const recordAccess = defineUpdate<void, [AccessDraft]>(recordAccessUpdate);

/**
 * Retried until they succeed. A caller that got no answer in time may still have promised a sync or returned patient data.
 * Regular activities, not local ones: see ADR 0014.
 */
const { writeSyncRequest, beginSync, endSync, appendAccess } = proxyActivities<PatientRecordActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '100 ms', maximumInterval: '10 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** Time after the last request until a workflow ends that was not started for an access entry. */
const idleTimeout = '1 minute';

/**
 * Serializes what people do with one patient (docs/explanation/architecture.md, "Temporal"): runs syncs one after the other
 * and appends access entries in batches. A promised sync is stored in the table first; the workflow carries it out. If the
 * workflow is terminated, the next one for this patient takes over the sync.
 * @throws CancelledFailure after a cancellation, once all requested syncs are marked as failed
 */
export async function patientRecord(input: PatientRecordInput): Promise<void> {
  const { insurerId, patientRef, careMaxRequests, access } = input;
  /** syncIds that were requested and have not started, in the order of their requests */
  const requested = new Set(input.carried?.syncIds);
  /** syncIds whose marker an activity may have read before their sync has ended: whether they are to be run, the table says */
  const uncertain = new Set(requested);
  let currentSyncId: string | undefined;
  let requestCount = 0;
  /** access entries that wait for the current append to end, and the append that will write them */
  let batch: { readonly drafts: AccessDraft[]; readonly appended: Promise<void> } | undefined;
  let lastAppended: Promise<void> = Promise.resolve();

  async function acceptRequest(request: RequestSyncInput): Promise<LastSync> {
    requestCount += 1;
    const lastSync = await CancellationScope.nonCancellable(() => writeSyncRequest(request));
    if (isInProgress(lastSync) && lastSync.syncId !== currentSyncId) requested.add(lastSync.syncId);
    return lastSync;
  }
  setHandler(
    requestSync,
    async (request) => {
      try {
        return await acceptRequest(request);
      } catch (error) {
        throw error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : error;
      }
    },
    { validator: ({ syncId, access }) => checkRequest(typeof syncId === 'string' && access.patientRef === patientRef) },
  );
  setHandler(syncRequested, async (request) => {
    await acceptRequest(request).catch((error: unknown) => {
      if (!(error instanceof ActivityFailure)) throw error; // PatientUnknown: the caller has found out, too
    });
  });

  /** Resolves once the entry is stored. Entries that come during an append are stored together by the next one. */
  async function append(draft: AccessDraft): Promise<void> {
    if (batch === undefined) {
      const drafts: AccessDraft[] = [];
      const appendBatch = async (): Promise<void> => {
        batch = undefined;
        await CancellationScope.nonCancellable(() => appendAccess({ patientRef, drafts }));
      };
      lastAppended = lastAppended.then(appendBatch, appendBatch);
      batch = { drafts, appended: lastAppended };
    }
    batch.drafts.push(draft);
    await batch.appended;
  }
  const firstAppended = access && append(access);
  firstAppended?.catch(() => {}); // it is awaited later, too
  setHandler(
    recordAccess,
    async (draft) => {
      requestCount += 1;
      await (draft.id === access?.id ? firstAppended : append(draft));
    },
    { validator: (draft) => checkRequest(typeof draft.id === 'string' && draft.patientRef === patientRef) },
  );

  async function sync(syncId: string): Promise<void> {
    currentSyncId = syncId;
    // The marker is stored, and nobody but this execution ends it. So nobody waits for the other state of the marker.
    const isCertain = !uncertain.has(syncId) && patched('begin-beside-the-fetch-2026-11');
    uncertain.add(syncId);
    const begun = isCertain
      ? CancellationScope.nonCancellable(() => beginSync({ patientRef, syncId }))
      : beginSync({ patientRef, syncId });
    begun.catch(() => {}); // it is awaited later, too
    if (isCertain || (await begun)) {
      const { outcome, reason, flags, revision, isSyncEnded } = await syncPatient({
        insurerId,
        patientRef,
        syncId,
        priority: 'person',
        maxRequests: careMaxRequests,
      });
      await begun;
      if (outcome === 'not-insured' || outcome === 'unknown') {
        const unknownIn = outcome === 'unknown' ? { unknownIn: syncId } : {};
        await CancellationScope.nonCancellable(() =>
          removePatient({ patientRef, ...(revision !== undefined && { revision }), ...unknownIn }),
        );
        // only if a list has named the person meanwhile, so that they were not removed
        if (patched('end-sync-of-a-kept-patient-2026-11'))
          await endSync({ patientRef, syncId, state: 'failed', error: 'PatientChanged' });
      }
      // a patient who is gone has no marker that could be updated: the access log records the removal
      if (outcome === 'done' && !isSyncEnded)
        await endSync({ patientRef, syncId, state: 'completed', ...(flags !== undefined && { flags }) });
      if (outcome === 'failed')
        await endSync({ patientRef, syncId, state: 'failed', ...(reason !== undefined && { error: reason }) });
    }
    currentSyncId = undefined;
  }

  try {
    for (;;) {
      const [syncId] = requested;
      if (workflowInfo().continueAsNewSuggested) {
        await firstAppended;
        await condition(allHandlersFinished);
        const { access: _, ...kept } = input;
        await continueAsNew<typeof patientRecord>({ ...kept, carried: { syncIds: [...requested] } });
      } else if (syncId !== undefined) {
        requested.delete(syncId);
        await sync(syncId);
      } else if (access !== undefined) {
        await firstAppended;
        await condition(() => requested.size > 0 || workflowInfo().continueAsNewSuggested || allHandlersFinished());
        if (requested.size === 0 && !workflowInfo().continueAsNewSuggested) return;
      } else {
        const countBefore = requestCount;
        const isWanted = await condition(
          () => requested.size > 0 || workflowInfo().continueAsNewSuggested,
          idleTimeout,
        );
        if (!isWanted && requestCount === countBefore && allHandlersFinished()) return;
      }
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      if (currentSyncId !== undefined)
        await endSync({ patientRef, syncId: currentSyncId, state: 'failed', error: 'Cancelled' });
      do {
        await condition(allHandlersFinished);
        const syncIds = [...requested];
        requested.clear();
        for (const syncId of syncIds) await endSync({ patientRef, syncId, state: 'failed', error: 'Cancelled' });
      } while (requested.size > 0 || !allHandlersFinished());
      await firstAppended;
    });
    throw error;
  }
}

/** Rejects a request for another patient, which must not enter this patient's log. Requests of our own client always pass. */
function checkRequest(isValid: boolean): void {
  if (!isValid) throw ApplicationFailure.nonRetryable('the request is not for this patient', 'RequestInvalid');
}
