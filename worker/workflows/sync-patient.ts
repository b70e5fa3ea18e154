import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
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

export interface SyncPatientInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** the request this sync belongs to; the daily run's is its runId */
  readonly syncId: string;
  readonly turn: Priority;
  /** CARE_MAX_ATTEMPTS: tries that reach the line */
  readonly maxTries: number;
}

/** done: stored, or made needless by a newer fetch; gone: the patient was removed meanwhile. */
export interface SyncPatientResult {
  readonly outcome: 'done' | 'gone' | 'not-insured' | 'failed';
  /** fixed words: why it failed */
  readonly reason?: string;
  readonly lineUse: LineUse;
}

/**
 * How long one attempt on the line may take. Nothing but a bound on the absurd: a slow body has no deadline (docs/explanation/the-line.md,
 * "The exchange"), a paused line may stay paused for days, and a dead worker is noticed by its missing heartbeat.
 */
const lineAttempt = {
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED', // compensation begins when the last byte has been staged, not before
} as const;

const onLine = {
  bulk: proxyActivities<LineActivities>({ ...lineAttempt, taskQueue: lineTaskQueue }),
  urgent: proxyActivities<LineActivities>({ ...lineAttempt, taskQueue: urgentLineTaskQueue }),
};
/** Not local ones, although those cost fewer events: side by side they do not replay (ADR 0014). */
const { storeCareRecords, removePatient } = proxyActivities<SyncActivities>({
  startToCloseTimeout: '2 hours', // 64 MiB in thousands of documents, at a throttled table's worst
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});
const { discardStaged, markCareFailed } = proxyActivities<SyncActivities>({
  startToCloseTimeout: '1 min', // no heartbeats: if Temporal misses the result, the next attempt starts after this time
  retry: { initialInterval: '1 s', maximumInterval: '30 s' },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/** How often a payload that was lost or spoilt between fetch and store is fetched once more. */
const lostPayloadsMax = 3;

/**
 * One patient's sync, whoever asked for it: fetch on the line, store, or undo (docs/explanation/the-daily-run.md, "Fetch care records"). On 410 the patient is
 * removed with all care records; whatever else goes wrong, nothing staged is left.
 * @throws CancelledFailure once what was staged has been discarded
 */
export async function syncPatient(input: SyncPatientInput): Promise<SyncPatientResult> {
  const { patientRef, syncId } = input;
  let lineUse = zeroLineUse;
  let fetched: FetchCareRecordsResult | undefined;
  try {
    for (let lost = 0; ; lost++) {
      fetched = await onLine[input.turn === 'person' ? 'urgent' : 'bulk'].fetchCareRecords(input);
      lineUse = addLineUse(lineUse, fetched.lineUse);
      const { payload, fetchOrder } = fetched;
      const { outcome } = await storeCareRecords({ patientRef, syncId, payload, fetchOrder });
      if (outcome !== 'payload-lost') return { outcome: outcome === 'gone' ? 'gone' : 'done', lineUse };
      if (lost + 1 === lostPayloadsMax) return { outcome: 'failed', reason: 'PayloadLost', lineUse };
    }
  } catch (error) {
    const staged = { patientRef, syncId, ...(fetched && { fetchOrder: fetched.fetchOrder }) };
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => discardStaged(staged));
      throw error;
    }
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    lineUse = addLineUse(lineUse, refusal.lineUse);
    return await CancellationScope.nonCancellable(async (): Promise<SyncPatientResult> => {
      await discardStaged(staged);
      switch (refusal.type) {
        case 'PatientNotInsured':
          await removePatient({ patientRef });
          return { outcome: 'not-insured', lineUse };
        case 'PatientGone':
          return { outcome: 'gone', lineUse };
        case 'PatientUnknown':
        case 'AnswerTooLarge':
          await markCareFailed({ patientRef });
          return { outcome: 'failed', reason: refusal.type, lineUse };
        default: // AttemptsExhausted, and what nobody foresaw: the patient stays pending for the next run
          return { outcome: 'failed', reason: refusal.lastFault ?? refusal.type, lineUse };
      }
    });
  }
}

/** What a final failure of an activity says; undefined for a failure of our own code, which must not be swallowed. */
function refusalOf(error: unknown): (FetchCareRecordsFailure & { type: string }) | undefined {
  if (!(error instanceof ActivityFailure)) return undefined;
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return { type: cause?.name ?? 'ActivityFailure', lineUse: zeroLineUse };
  const detail = cause.details?.[0] as Partial<FetchCareRecordsFailure> | undefined;
  return { lineUse: zeroLineUse, ...detail, type: cause.type ?? 'ApplicationFailure' };
}
