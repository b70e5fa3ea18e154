import type { LineUse, Priority } from '../domain/line.ts';
import type { SeenPatient } from '../domain/patient.ts';
import type { PayloadReference } from './payload-reference.ts';

/**
 * The two activities that call the insurer. They run only in the line process, on `lineTaskQueue` (bulk, list) or
 * `urgentLineTaskQueue` (people who wait). Both heartbeat while they queue and while a request is in flight. Their
 * heartbeat details contain what is done, so that the next attempt continues where the last one ended.
 */
export interface LineActivities {
  /**
   * Streams the patient list into the bucket. If the insurer rejects the token, the line pauses itself and the attempt waits.
   * @throws ApplicationFailure non-retryable `ListUnusable`, with one detail: FetchCareRecordsFailure, after 40 consecutive
   *   answers that are not a list; `LineError.<fault>` retryable
   */
  fetchPatientList(input: FetchPatientListInput): Promise<FetchPatientListResult>;
  /**
   * Fetches a patient's care records and stores the answer in the bucket.
   * @throws ApplicationFailure non-retryable, with one detail: FetchCareRecordsFailure. `PatientNotInsured` (410),
   *   `PatientUnknown` (404), `PersonNotInsured` and `PersonUnknown` (410 and 404 about somebody who is not listed),
   *   `PatientGone`, `AnswerTooLarge`, `RequestsExhausted` after `maxRequests` requests.
   *   `AnswerUnusable`: the insurer has sent the same complete answer twice, and it cannot be stored; also without a request,
   *   if that was on the same day.
   *   `PatientReported`: a person asks, and the daily sync has received a 410 before. `PatientChanged`: a list or another
   *   sync has changed the patient since the request was sent.
   *   Retryable, not for a person: `LineError.<fault>` after 8 failed requests, so that a failing patient frees its slot for
   *   a second.
   */
  fetchCareRecords(input: FetchCareRecordsInput): Promise<FetchCareRecordsResult | UnchangedCareRecords>;
}

export interface FetchPatientListInput {
  readonly insurerId: string;
  /** ID of one import of a list: its objects are under `lists/{listId}/` */
  readonly listId: string;
  /** the strong or weak ETag of the last list that was applied completely, sent as If-None-Match */
  readonly knownEtag?: string;
}

export type FetchPatientListResult = { readonly lineUse: LineUse } & (
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'list'; readonly list: PatientListReference }
);

/** A list in the bucket. Its segments, in order, are the body as the insurer sent it (ADR 0006). */
export interface PatientListReference {
  readonly listId: string;
  /** object with the references of the segments, because a slow list has too many for this message */
  readonly manifest: PayloadReference;
  /** total size of all segments */
  readonly sizeBytes: number;
  /** of the bytes, as TextDecoder names it; absent: UTF-8 */
  readonly charset?: string;
  readonly etag?: string;
  /** of the first request of the transfer, as FetchCareRecordsResult.fetchOrder; absent if 0.2.0 has fetched the list */
  readonly fetchOrder?: string;
}

export interface FetchCareRecordsInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** ID of the request that this fetch belongs to; the runId in a daily sync. The payload is under `payloads/{syncId}/{patientRef}/` */
  readonly syncId: string;
  readonly priority: Priority;
  /** CARE_MAX_ATTEMPTS: the maximum number of requests that reach the insurer */
  readonly maxRequests: number;
  /**
   * of a refresh: nothing is asked if the care records were received at this time or later, ISO 8601 UTC. The request has
   * `If-None-Match` if the stored ones have an ETag
   */
  readonly refreshBefore?: string;
}

/** The stored care records have not changed. Their date is renewed. */
export interface UnchangedCareRecords {
  readonly isUnchanged: true;
  readonly lineUse: LineUse;
}

export interface FetchCareRecordsResult {
  /** the decoded body as UTF-8: JSON that can be stored, otherwise exactly as the insurer sent it */
  readonly payload: PayloadReference;
  /**
   * Orders all fetches on this line: `{leaseNumber, 15 digits}-{number within the process, 9 digits}`. Grows from fetch to
   * fetch across all workers, because the lease number grows. Becomes the patient's careVersion.
   */
  readonly fetchOrder: string;
  /** when the answer was received, ISO 8601 UTC; absent in results of 0.2.0 */
  readonly receivedAt?: string;
  /** of the answer; absent if it had none, or none that can be kept */
  readonly etag?: string;
  /** the patient as read before the first request of the attempt; absent in results of 0.2.0 */
  readonly seen?: SeenPatient;
  readonly lineUse: LineUse;
  /** what in the answer breaks the contract, in fixed words and JSON paths; absent if nothing does */
  readonly flags?: string;
}

export interface FetchCareRecordsFailure {
  /** of the activity's input: a failure of another patient or run decides nothing; absent in `ListUnusable`, and in failures of 0.2.0 */
  readonly about?: Pick<FetchCareRecordsInput, 'patientRef' | 'syncId'>;
  /** the patient as read before the first request of the attempt; absent if there was none, and in failures of 0.2.0 */
  readonly seen?: SeenPatient;
  readonly lineUse: LineUse;
  readonly lastFault?: string;
  /** of AnswerUnusable and ListUnusable: what is wrong, in fixed words and JSON paths */
  readonly problem?: string;
}
