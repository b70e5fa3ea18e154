import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import type { Leash } from '../../core/stores/leash.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface RemovePatientDeps {
  readonly patients: Pick<PatientsStore, 'markRemoving' | 'deleteRemoving'>;
  readonly careRecords: Pick<CareRecordsStore, 'deleteAll'>;
}

/**
 * Removes a patient: mark, delete objects and records, delete the patient. Repeatable, whatever an earlier attempt has
 * left: marked, so that nothing can be stored any more; or gone, with records that were staged too late. The access log stays.
 * @throws as the leash does, when another attempt may be under way: that one ends it
 */
export async function removePatient(
  { patients, careRecords }: RemovePatientDeps,
  patientRef: string,
  leash: Leash,
): Promise<void> {
  await patients.markRemoving(patientRef, leash);
  await careRecords.deleteAll(patientRef, leash);
  leash.check();
  await patients.deleteRemoving(patientRef);
}

export const createRemovePatient = (deps: RemovePatientDeps): Pick<SyncActivities, 'removePatient'> => ({
  async removePatient({ patientRef }) {
    await withHeartbeats(undefined, async ({ leash }) => await removePatient(deps, patientRef, leash));
  },
});
