import type { AccessDraft } from '../domain/access.ts';
import type { LastSync, SyncEnd } from '../domain/patient.ts';

export const patientRecordWorkflow = 'patientRecord';

export interface PatientRecordInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxAttempts: number;
  /** what continue-as-new hands on: syncs that were requested and have not begun */
  readonly carried?: { readonly syncIds: readonly string[] };
}

export interface SyncRequest {
  /** UUID made by the caller: update, signal and marker with the same one are the same request */
  readonly syncId: string;
  /** the token's `sub` */
  readonly requestedBy: string;
  /** ISO 8601 UTC with milliseconds */
  readonly requestedAt: string;
}

/**
 * Update: returns once the access entry and the marker `lastSync` (`requested`) are in their tables; the sync follows. One that
 * is under way is joined: the answer then has its syncId. Fails with the type `PatientUnknown` or `AccessLogUnavailable`.
 */
export const requestSyncUpdate = 'requestSync';
export interface RequestSyncInput extends SyncRequest {
  readonly access: AccessDraft;
}

/** Signal, with a RequestSyncInput: the same for a caller whom no worker has answered in time. */
export const syncRequestedSignal = 'syncRequested';

/** Update, with an AccessDraft: returns once the entry is in the table. Fails with the type `AccessLogUnavailable`. */
export const recordAccessUpdate = 'recordAccess';

/** The activities of the entity itself; each can be repeated. Those of its syncs: LineActivities, SyncActivities. */
export interface PatientRecordActivities {
  /**
   * Access entry, then marker; with the answer of the update.
   * @throws ApplicationFailure non-retryable `PatientUnknown`; `AccessLogUnavailable` retryable
   */
  writeSyncRequest(input: RequestSyncInput): Promise<LastSync>;
  /** Marks a sync as running; false when it is not the patient's last one, or over: there is nothing to do. */
  beginSync(input: { readonly patientRef: string; readonly syncId: string }): Promise<boolean>;
  /** Says what came of it, unless the patient has been removed or has a newer one. */
  endSync(input: SyncEnd & { readonly patientRef: string; readonly syncId: string }): Promise<void>;
  /** @throws ApplicationFailure `AccessLogUnavailable` retryable */
  appendAccess(input: { readonly patientRef: string; readonly drafts: readonly AccessDraft[] }): Promise<void>;
}
