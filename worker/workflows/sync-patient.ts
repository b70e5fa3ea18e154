import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  patched,
  proxyActivities,
} from '@temporalio/workflow';
import type {
  FetchCareRecordsFailure,
  FetchCareRecordsResult,
  LineActivities,
} from '../../core/contract/line-activities.ts';
import { lineTaskQueue, urgentLineTaskQueue } from '../../core/contract/names.ts';
import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { addLineUse, type LineUse, type Priority, zeroLineUse } from '../../core/domain/line.ts';
import { payloadRefused, refusals } from './refuse-foreign.ts';

export interface SyncPatientInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** ID of the request that this sync belongs to; the runId in a daily sync */
  readonly syncId: string;
  readonly priority: Priority;
  /** CARE_MAX_ATTEMPTS: the maximum number of requests that reach the insurer */
  readonly maxRequests: number;
  /** of a refresh: FetchCareRecordsInput.refreshBefore */
  readonly refreshBefore?: string;
}

export interface SyncPatientResult {
  /**
   * - done: stored, or superseded by a newer fetch
   * - gone: the patient was removed meanwhile
   * - not-insured: the insurer has answered 410, and the caller must remove the patient or hold it
   * - unknown: the insurer has answered 404 about somebody who is not listed, and the caller must remove them
   */
  readonly outcome: 'done' | 'gone' | 'not-insured' | 'unknown' | 'failed';
  /** of done: the stored care records have not changed */
  readonly isUnchanged?: true;
  /** of done, for a person: the sync is marked as completed */
  readonly isSyncEnded?: true;
  /** of not-insured: no list has named the person, so no guard counts them */
  readonly isUnlisted?: true;
  /** a fixed code, or fixed words and JSON paths: why the sync failed */
  readonly reason?: string;
  /** what in the stored answer breaks the contract, in fixed words and JSON paths */
  readonly flags?: string;
  /** of not-insured and unknown: the revision of the patient before the request; absent if an activity of 0.2.0 has made it */
  readonly revision?: number;
  readonly lineUse: LineUse;
}

/**
 * Options of the activities on the line. The timeout only limits extreme cases. A slow body has no deadline
 * (docs/explanation/the-line.md, "The exchange"), and a line can stay paused for days. A missing heartbeat reveals a dead
 * worker.
 */
const lineActivityOptions = {
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED', // compensation starts only after the last byte has been staged
} as const;

const lineActivities = {
  bulk: proxyActivities<LineActivities>({ ...lineActivityOptions, taskQueue: lineTaskQueue }),
  urgent: proxyActivities<LineActivities>({ ...lineActivityOptions, taskQueue: urgentLineTaskQueue }),
};
/** Regular activities, not local ones: see ADR 0014. The workflows call `removePatient` after a 410. */
export const { storeCareRecords, removePatient } = proxyActivities<SyncActivities>({
  startToCloseTimeout: '2 hours', // 64 MiB in thousands of documents, on a throttled table
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const { discardStaged, markCareFailed } = proxyActivities<SyncActivities>({
  startToCloseTimeout: '1 min', // no heartbeats: if Temporal misses the result, the next attempt starts after this time
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** Number of fetches after which a sync fails if each payload was lost or corrupted between fetch and store. */
const lostPayloadsMax = 3;
/** Types of failures after which a patient is removed, held, or not asked about again. */
const decidingTypes: ReadonlySet<string> = new Set([
  'PatientNotInsured',
  'PersonNotInsured',
  'PersonUnknown',
  'PatientUnknown',
  'AnswerTooLarge',
]);

/**
 * Syncs one patient, for a daily sync or on demand: fetches on the line, then stores, or undoes what was staged
 * (docs/explanation/the-daily-run.md, "Fetch care records"). After a failure nothing staged is left.
 * @throws CancelledFailure once everything that was staged has been discarded
 */
export async function syncPatient(input: SyncPatientInput): Promise<SyncPatientResult> {
  const { patientRef, syncId } = input;
  let lineUse = zeroLineUse;
  let fetched: FetchCareRecordsResult | undefined;
  try {
    for (let lost = 0; ; lost++) {
      const answer = await lineActivities[input.priority === 'person' ? 'urgent' : 'bulk'].fetchCareRecords(input);
      lineUse = addLineUse(lineUse, answer.lineUse);
      if ('isUnchanged' in answer) return { outcome: 'done', isUnchanged: true, lineUse };
      if (!answer.payload.key.startsWith(`payloads/${syncId}/${patientRef}/`)) {
        refusals.tell('activity result');
        await CancellationScope.nonCancellable(() => discardStaged({ patientRef, syncId }));
        return { outcome: 'failed', reason: payloadRefused, lineUse };
      }
      fetched = answer;
      const { payload, fetchOrder, receivedAt, etag, flags } = fetched;
      const received = { ...(receivedAt !== undefined && { receivedAt }), ...(etag !== undefined && { etag }) };
      const ofAnswer = flags !== undefined && { flags };
      const { outcome, isSyncEnded } = await storeCareRecords({
        ...{ patientRef, syncId, payload, fetchOrder, ...received },
        ...(input.priority === 'person' && { endsSync: { ...ofAnswer } }),
      });
      if (outcome !== 'payload-lost')
        return {
          outcome: outcome === 'gone' ? 'gone' : 'done',
          ...{ lineUse, ...ofAnswer, ...(isSyncEnded && { isSyncEnded }) },
        };
      if (lost + 1 === lostPayloadsMax) return { outcome: 'failed', reason: 'PayloadLost', lineUse };
    }
  } catch (error) {
    const staged = { patientRef, syncId, ...(fetched && { fetchOrder: fetched.fetchOrder }) };
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => discardStaged(staged));
      throw error;
    }
    const failure = finalFailureOf(error);
    if (failure === undefined) throw error;
    const isRefused =
      decidingTypes.has(failure.type) && !isAbout(failure, input) && patched('failure-names-its-patient-2026-11');
    lineUse = addLineUse(lineUse, failure.lineUse);
    return await CancellationScope.nonCancellable(async (): Promise<SyncPatientResult> => {
      await discardStaged(staged);
      if (isRefused) {
        refusals.tell('activity result');
        return { outcome: 'failed', reason: payloadRefused, lineUse };
      }
      const seen = failure.seen ?? fetched?.seen; // storing an answer that is too large fails without it
      switch (failure.type) {
        case 'PatientNotInsured':
          return { outcome: 'not-insured', ...(seen && { revision: seen.revision }), lineUse };
        case 'PersonNotInsured':
          return { outcome: 'not-insured', isUnlisted: true, ...(seen && { revision: seen.revision }), lineUse };
        case 'PersonUnknown':
          return { outcome: 'unknown', ...(seen && { revision: seen.revision }), lineUse };
        case 'PatientGone':
          return { outcome: 'gone', lineUse };
        case 'PatientUnknown':
        case 'AnswerTooLarge':
          await markCareFailed({ patientRef, ...(seen && { seen }) });
          return { outcome: 'failed', reason: failure.type, lineUse };
        case 'AnswerUnusable': // the patient stays pending for the next run
          return { outcome: 'failed', reason: failure.problem ?? failure.type, lineUse };
        default: // RequestsExhausted and unexpected failures: the patient stays pending for the next run
          return { outcome: 'failed', reason: failure.lastFault ?? failure.type, lineUse };
      }
    });
  }
}

/**
 * Returns whether a failure is about this patient and this request. Activity IDs repeat each day, so the binding of payloads
 * does not stop a copy from an earlier run (ADR 0059). For the same reason the key of a payload is checked.
 */
const isAbout = ({ about }: FetchCareRecordsFailure, { patientRef, syncId }: SyncPatientInput): boolean =>
  about?.patientRef === patientRef && about.syncId === syncId;

/** Returns the details of an activity's final failure; undefined for a failure of our own code, which must be rethrown. */
function finalFailureOf(error: unknown): (FetchCareRecordsFailure & { type: string }) | undefined {
  if (!(error instanceof ActivityFailure)) return undefined;
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return { type: cause?.name ?? 'ActivityFailure', lineUse: zeroLineUse };
  const detail = cause.details?.[0] as Partial<FetchCareRecordsFailure> | undefined;
  return { lineUse: zeroLineUse, ...detail, type: cause.type ?? 'ApplicationFailure' };
}
