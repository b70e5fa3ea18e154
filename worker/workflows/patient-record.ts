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
import { isUnderWay, type LastSync } from '../../core/domain/patient.ts';
import { syncPatient } from './sync-patient.ts';

export const requestSync = defineUpdate<LastSync, [RequestSyncInput]>(requestSyncUpdate);
export const syncRequested = defineSignal<[RequestSyncInput]>(syncRequestedSignal);
export const recordAccess = defineUpdate<void, [AccessDraft]>(recordAccessUpdate);

/** Tried until they succeed: a caller who was told nothing in time may yet have promised something, or given data away. */
const { writeSyncRequest, beginSync, endSync, appendAccess } = proxyActivities<PatientRecordActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '100 ms', maximumInterval: '10 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** So long it stays for more after the last request: a person's look at one patient is some requests in a row. */
const idleTimeout = '1 minute';

/**
 * What people do with one patient, in order (docs/explanation/architecture.md, "Temporal"): their syncs one after the other, access entries
 * appended together. What is promised stands in the table: the entity only carries it out, and whoever comes after one that
 * was terminated takes over what it has left. Reordering steps takes `patched('what-changed-2026-11')` and a replay of
 * `test/histories/`.
 * @throws CancelledFailure once what was requested is marked as failed
 */
export async function patientRecord(input: PatientRecordInput): Promise<void> {
  const { insurerId, patientRef, careMaxAttempts } = input;
  /** syncIds that were requested and have not begun, in this order */
  const requested = new Set(input.carried?.syncIds);
  let underWay: string | undefined;
  let uses = 0;
  /** access entries that wait for the append under way to end, and theirs */
  let gathered: { readonly drafts: AccessDraft[]; readonly appended: Promise<void> } | undefined;
  let lastAppended: Promise<void> = Promise.resolve();

  async function takeRequest(request: RequestSyncInput): Promise<LastSync> {
    uses += 1;
    const lastSync = await CancellationScope.nonCancellable(() => writeSyncRequest(request));
    if (isUnderWay(lastSync) && lastSync.syncId !== underWay) requested.add(lastSync.syncId);
    return lastSync;
  }
  setHandler(
    requestSync,
    async (request) => {
      try {
        return await takeRequest(request);
      } catch (error) {
        throw error instanceof ActivityFailure && error.cause instanceof ApplicationFailure ? error.cause : error;
      }
    },
    { validator: ({ syncId, access }) => checkRequest(typeof syncId === 'string' && access.patientRef === patientRef) },
  );
  setHandler(syncRequested, async (request) => {
    await takeRequest(request).catch((error: unknown) => {
      if (!(error instanceof ActivityFailure)) throw error; // PatientUnknown: its caller has seen that too
    });
  });

  setHandler(
    recordAccess,
    async (draft) => {
      uses += 1;
      if (gathered === undefined) {
        const drafts: AccessDraft[] = [];
        const append = async (): Promise<void> => {
          gathered = undefined;
          await CancellationScope.nonCancellable(() => appendAccess({ patientRef, drafts }));
        };
        lastAppended = lastAppended.then(append, append);
        gathered = { drafts, appended: lastAppended };
      }
      gathered.drafts.push(draft);
      await gathered.appended;
    },
    { validator: (draft) => checkRequest(typeof draft.id === 'string' && draft.patientRef === patientRef) },
  );

  async function sync(syncId: string): Promise<void> {
    underWay = syncId;
    if (await beginSync({ patientRef, syncId })) {
      const { outcome, reason } = await syncPatient({
        insurerId,
        patientRef,
        syncId,
        turn: 'person',
        maxTries: careMaxAttempts,
      });
      // of one who is gone nothing is left that could be marked: the access log tells of it
      if (outcome === 'done') await endSync({ patientRef, syncId, state: 'completed' });
      if (outcome === 'failed')
        await endSync({ patientRef, syncId, state: 'failed', ...(reason !== undefined && { error: reason }) });
    }
    underWay = undefined;
  }

  try {
    for (;;) {
      const [syncId] = requested;
      if (workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof patientRecord>({ ...input, carried: { syncIds: [...requested] } });
      } else if (syncId !== undefined) {
        requested.delete(syncId);
        await sync(syncId);
      } else {
        const usesBefore = uses;
        const isWanted = await condition(
          () => requested.size > 0 || workflowInfo().continueAsNewSuggested,
          idleTimeout,
        );
        if (!isWanted && uses === usesBefore && allHandlersFinished()) return;
      }
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      if (underWay !== undefined) await endSync({ patientRef, syncId: underWay, state: 'failed', error: 'Cancelled' });
      do {
        await condition(allHandlersFinished);
        const syncIds = [...requested];
        requested.clear();
        for (const syncId of syncIds) await endSync({ patientRef, syncId, state: 'failed', error: 'Cancelled' });
      } while (requested.size > 0 || !allHandlersFinished());
    });
    throw error;
  }
}

/** What comes from our own client always fits; a request for somebody else must not get into this patient's log. */
function checkRequest(fits: boolean): void {
  if (!fits) throw ApplicationFailure.nonRetryable('not a request for this patient', 'RequestRefused');
}
