import type { AccessDraft } from '../../core/domain/access.ts';

/**
 * Creates an access entry for something that the sync itself does with a patient's data.
 * @param id identifies the operation, so that a repeated attempt appends nothing
 */
export const syncAccess = (
  operation: 'import' | 'change' | 'removal' | 'kvnr-change',
  patientRef: string,
  id: string,
  entity?: AccessDraft['entity'],
): AccessDraft => ({
  id,
  patientRef,
  recorded: new Date().toISOString(),
  operation,
  outcome: 'success',
  agent: { who: 'epa-sync', role: 'system' },
  source: { component: 'sync' },
  ...(entity && { entity }),
});

/**
 * Creates the access entries that link the logs of two patients who are the same person under two KVNRs: one entry for each
 * log. A reader of either log finds the other (docs/reference/access-log.md).
 */
export function kvnrChangeAccess(previousPatientRef: string, patientRef: string): [AccessDraft, AccessDraft] {
  const id = `kvnr-change:${previousPatientRef}:${patientRef}`;
  return [
    { ...syncAccess('kvnr-change', previousPatientRef, id), nextPatientRef: patientRef },
    { ...syncAccess('kvnr-change', patientRef, id), previousPatientRef },
  ];
}

/** Creates the access entry for care records that have become the patient's current ones. */
export const careRecordsAccess = (of: {
  readonly patientRef: string;
  readonly syncId: string;
  readonly careVersion: string;
}): AccessDraft =>
  syncAccess('import', of.patientRef, `care-records:${of.careVersion}`, { kind: 'sync', id: of.syncId });

/** Creates the access entry for an answer 404 about somebody who is not listed: there was nothing to import. */
export const unknownAccess = (patientRef: string, syncId: string): AccessDraft => ({
  ...syncAccess('import', patientRef, `unknown:${syncId}`, { kind: 'sync', id: syncId }),
  outcome: 'failed',
});
