import type { AccessDraft } from '../domain/access.ts';
import type { LastSync, SyncEnd } from '../domain/patient.ts';

export const patientRecordWorkflow = 'patientRecord';

export interface PatientRecordInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxRequests: number;
  /**
   * The access entry for which the workflow is started, the same as in the update: it is appended even if the update is lost. The
   * workflow then ends as soon as nothing is left to do. Otherwise it waits for a minute, with a timer, which is billed.
   */
  readonly access?: AccessDraft;
  /** state from before continue-as-new: syncs that were requested and have not started */
  readonly carried?: { readonly syncIds: readonly string[] };
}

export interface SyncRequest {
  /** UUID from the caller: an update, a signal and a marker with the same UUID are the same request */
  readonly syncId: string;
  /** the token's `sub` */
  readonly requestedBy: string;
  /** ISO 8601 UTC with milliseconds */
  readonly requestedAt: string;
}

/**
 * Update: returns once the access entry and the marker `lastSync` (`requested`) are stored; the sync follows. If a sync is
 * already in progress, the request joins it and the answer has that sync's ID. Fails with the type `PatientUnknown` or
 * `AccessLogUnavailable`.
 */
export const requestSyncUpdate = 'requestSync';
export interface RequestSyncInput extends SyncRequest {
  readonly access: AccessDraft;
}

/** Signal, with a RequestSyncInput: the same request, for a caller that got no answer from a worker in time. */
export const syncRequestedSignal = 'syncRequested';

/** Update, with an AccessDraft: returns once the entry is stored. Fails with the type `AccessLogUnavailable`. */
export const recordAccessUpdate = 'recordAccess';

/** The workflow's own activities; each is idempotent. Its syncs use LineActivities and SyncActivities. */
export interface PatientRecordActivities {
  /**
   * Writes the access entry, then the marker. Returns the answer of the update.
   * @throws ApplicationFailure non-retryable `PatientUnknown` if there is neither a patient nor an inquiry; `AccessLogUnavailable` retryable
   */
  writeSyncRequest(input: RequestSyncInput): Promise<LastSync>;
  /** Marks a sync as running. Returns false if it has ended or is not the patient's last one, so nothing is to be done. */
  beginSync(input: { readonly patientRef: string; readonly syncId: string }): Promise<boolean>;
  /** Stores the result of a sync, unless the patient has been removed or has a newer sync. */
  endSync(input: SyncEnd & { readonly patientRef: string; readonly syncId: string }): Promise<void>;
  /** Appends access entries. @throws ApplicationFailure `AccessLogUnavailable` retryable */
  appendAccess(input: { readonly patientRef: string; readonly drafts: readonly AccessDraft[] }): Promise<void>;
}
