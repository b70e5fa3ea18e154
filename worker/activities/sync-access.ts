import type { AccessDraft } from '../../core/domain/access.ts';

/**
 * What the sync itself does with a patient's data, for their access log.
 * @param id names the deed, so that an attempt that repeats it appends nothing
 */
export const syncAccess = (
  operation: 'import' | 'change' | 'removal',
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

/** Care records have become the patient's current ones. */
export const careRecordsAccess = (of: {
  readonly patientRef: string;
  readonly syncId: string;
  readonly careVersion: string;
}): AccessDraft =>
  syncAccess('import', of.patientRef, `care-records:${of.careVersion}`, { kind: 'sync', id: of.syncId });
