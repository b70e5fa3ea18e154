import type { AccessDraft } from '../domain/access.ts';
import type { LastSync } from '../domain/patient.ts';

export const patientRecordWorkflow = 'patientRecord';

export interface PatientRecordInput {
  readonly insurerId: string;
  readonly patientRef: string;
  /** CARE_MAX_ATTEMPTS */
  readonly careMaxAttempts: number;
  /** what continue-as-new hands on: a sync that was requested and has not begun */
  readonly carried?: { readonly requested?: SyncRequest };
}

export interface SyncRequest {
  /** made by the caller: update, signal and marker with the same one are the same request */
  readonly syncId: string;
  /** the token's `sub` */
  readonly requestedBy: string;
  /** ISO 8601 UTC */
  readonly requestedAt: string;
}

/**
 * Update: returns once the marker `lastSync` (`requested`) and the access entry are in their tables; the sync follows. One that is
 * under way is joined: the answer then has its syncId. Fails with the type `PatientUnknown`.
 */
export const requestSyncUpdate = 'requestSync';
export interface RequestSyncInput extends SyncRequest {
  readonly access: AccessDraft;
}
export type RequestSyncAnswer = LastSync;

/** Signal: the caller has written marker and access entry itself, as no worker answered in time. */
export const syncRequestedSignal = 'syncRequested';

/** Update: returns once the entry is in the table. */
export const recordAccessUpdate = 'recordAccess';
