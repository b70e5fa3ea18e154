import type { LineUse, Priority } from '../domain/line.ts';
import type { PayloadReference } from './payload-reference.ts';

/**
 * The two activities that talk to the insurer. They run in the line's process only, on `lineTaskQueue` (bulk, list) or
 * `urgentLineTaskQueue` (people who wait). Both heartbeat while queueing and while under way, and carry what they have
 * in the heartbeat details, so that the next attempt goes on where the last one ended.
 */
export interface LineActivities {
  /**
   * @throws ApplicationFailure non-retryable `ListUnusable`, with one detail: FetchCareRecordsFailure, once the insurer has
   *   answered 40 times in a row with what is no list; `LineError.<fault>` retryable. When the token is refused nothing is
   *   thrown: the line pauses itself and the attempt waits
   */
  fetchPatientList(input: FetchPatientListInput): Promise<FetchPatientListResult>;
  /**
   * @throws ApplicationFailure non-retryable: `PatientNotInsured` (410), `PatientUnknown` (404), `AnswerTooLarge`,
   *   `AttemptsExhausted` after `maxTries` tries that reached the line; each with one detail: FetchCareRecordsFailure.
   *   Retryable: `LineError.<fault>` after some inner tries, so that no hopeless patient occupies a slot.
   */
  fetchCareRecords(input: FetchCareRecordsInput): Promise<FetchCareRecordsResult>;
}

export interface FetchPatientListInput {
  readonly insurerId: string;
  /** one taking-in of a list: names the objects under `lists/{listId}/` */
  readonly listId: string;
  /** the strong or weak ETag of the last list that was applied whole, sent as If-None-Match */
  readonly knownEtag?: string;
}

export type FetchPatientListResult = { readonly lineUse: LineUse } & (
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'list'; readonly list: PatientListReference }
);

/** A list in the bucket: its segments, in order, are the body as the insurer sent it (ADR 0006). */
export interface PatientListReference {
  readonly listId: string;
  /** names the segments: of a slow list there are too many to stand here */
  readonly manifest: PayloadReference;
  /** of all segments */
  readonly sizeBytes: number;
  readonly etag?: string;
}

export interface FetchCareRecordsInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** the request this fetch belongs to; the daily run's is its runId. The payload lies under `payloads/{syncId}/{patientRef}/` */
  readonly syncId: string;
  readonly priority: Priority;
  /** CARE_MAX_ATTEMPTS */
  readonly maxRequests: number;
}

export interface FetchCareRecordsResult {
  /** the answer's body, decoded, exactly as the insurer sent it: UTF-8 JSON that fits CareRecordsAnswer */
  readonly payload: PayloadReference;
  /**
   * Orders all fetches over this line: `{leaseNumber, 15 digits}-{number within the process, 9 digits}`. Grows from
   * fetch to fetch over all workers, because the lease number does; becomes the patient's careVersion.
   */
  readonly fetchOrder: string;
  readonly lineUse: LineUse;
}

export interface FetchCareRecordsFailure {
  readonly lineUse: LineUse;
  readonly lastFault?: string;
}
