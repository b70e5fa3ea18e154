import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { WriteGuard } from '../../core/stores/write-guard.ts';
import { withHeartbeats } from './heartbeats.ts';
import { syncAccess } from './sync-access.ts';

export interface RemovePatientDeps {
  readonly patients: Pick<PatientsStore, 'markRemoving' | 'deleteRemoving'>;
  readonly careRecords: Pick<CareRecordsStore, 'deleteAll'>;
  readonly accessLog: Pick<AccessLogStore, 'append'>;
}

/**
 * Removes a patient: sets the removal flag, appends an access entry, deletes objects and records, and deletes the patient.
 * Idempotent: an earlier attempt may have left the flag, which prevents new writes, or records that were staged after the
 * patient was deleted. The access log stays. Its entry is appended after the flag is set, because a patient with the flag
 * will be removed, and before anything is deleted.
 * @throws what the write guard throws if another attempt may be running; that one completes the removal
 */
export async function removePatient(
  { patients, careRecords, accessLog }: RemovePatientDeps,
  patientRef: string,
  writeGuard: WriteGuard,
): Promise<void> {
  const flagged = await patients.markRemoving(patientRef, writeGuard);
  if (flagged) await accessLog.append(patientRef, [syncAccess('removal', patientRef, `removal:${flagged.listId}`)]);
  await careRecords.deleteAll(patientRef, writeGuard);
  writeGuard.check();
  await patients.deleteRemoving(patientRef);
}

export const createRemovePatient = (deps: RemovePatientDeps): Pick<SyncActivities, 'removePatient'> => ({
  async removePatient({ patientRef }) {
    await withHeartbeats(undefined, async ({ writeGuard }) => await removePatient(deps, patientRef, writeGuard));
  },
});
