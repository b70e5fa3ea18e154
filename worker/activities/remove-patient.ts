import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';

export interface RemovePatientDeps {
  readonly patients: PatientsStore;
  readonly careRecords: CareRecordsStore;
}

/**
 * Removes a patient: mark, delete objects and records, delete the patient. Repeatable, whatever an earlier attempt has
 * left: marked, so that nothing can be stored any more; or gone, with records that were staged too late. The access log stays.
 */
export async function removePatient({ patients, careRecords }: RemovePatientDeps, patientRef: string): Promise<void> {
  await patients.markRemoving(patientRef);
  await careRecords.deleteAll(patientRef);
  await patients.delete(patientRef);
}

export const createRemovePatient = (deps: RemovePatientDeps): Pick<SyncActivities, 'removePatient'> => ({
  async removePatient({ patientRef }) {
    await removePatient(deps, patientRef);
  },
});
