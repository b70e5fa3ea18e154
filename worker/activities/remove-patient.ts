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
 * Removes a patient: mark, tell the access log, delete objects and records, delete the patient. Repeatable, whatever an
 * earlier attempt has left: marked, so that nothing can be stored any more; or gone, with records that were staged too late.
 * The access log stays. Its entry comes before anything is deleted, and after the mark, from which on the removal will be ended.
 * @throws as the leash does, when another attempt may be under way: that one ends it
 */
export async function removePatient(
  { patients, careRecords, accessLog }: RemovePatientDeps,
  patientRef: string,
  leash: WriteGuard,
): Promise<void> {
  const marked = await patients.markRemoving(patientRef, leash);
  if (marked) await accessLog.append(patientRef, [syncAccess('removal', patientRef, `removal:${marked.listId}`)]);
  await careRecords.deleteAll(patientRef, leash);
  leash.check();
  await patients.deleteRemoving(patientRef);
}

export const createRemovePatient = (deps: RemovePatientDeps): Pick<SyncActivities, 'removePatient'> => ({
  async removePatient({ patientRef }) {
    await withHeartbeats(undefined, async ({ writeGuard }) => await removePatient(deps, patientRef, writeGuard));
  },
});
