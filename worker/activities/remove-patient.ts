import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import type { PatientsStore, RemovingAnswer } from '../../core/stores/patients.ts';
import type { WriteGuard } from '../../core/stores/write-guard.ts';
import { withHeartbeats } from './heartbeats.ts';
import { kvnrChangeAccess, syncAccess, unknownAccess } from './sync-access.ts';

export interface RemovePatientDeps {
  readonly patients: Pick<PatientsStore, 'markRemoving' | 'closeVersions' | 'deleteRemoving'>;
  readonly careRecords: Pick<CareRecordsStore, 'listAll' | 'deleteListed'>;
  readonly accessLog: Pick<AccessLogStore, 'append'>;
}

/**
 * Removes a patient or an inquiry, if it has this revision: sets the removal flag, appends an access entry, deletes objects and
 * records, and replaces the patient with a tombstone. Idempotent: an earlier attempt may have left the flag, which prevents
 * new writes. The access log stays. Its entry is appended after the flag is set, because a patient with the flag will be
 * removed, and before anything is deleted. If the person has another KVNR now, the access logs of both are linked.
 *
 * What is to be deleted is listed before `closeVersions` confirms that the patient has not been stored again. So an attempt
 * that stands still afterwards deletes only what belonged to the removed patient.
 * @param answer of the insurer; absent if a list or an operator removes the patient
 * @throws what the write guard throws if another attempt may be running; that one completes the removal
 */
export async function removePatient(
  { patients, careRecords, accessLog }: RemovePatientDeps,
  patientRef: string,
  seenRevision: number | undefined,
  writeGuard: WriteGuard,
  answer?: RemovingAnswer,
): Promise<void> {
  const flagged = await patients.markRemoving(patientRef, seenRevision, writeGuard, answer);
  if (flagged === undefined) return;
  const { storedBy, revision, cause, unknownIn, successor } = flagged;
  const [link, linkBack] = successor === undefined ? [] : kvnrChangeAccess(patientRef, successor);
  await accessLog.append(patientRef, [
    ...(unknownIn === undefined ? [] : [unknownAccess(patientRef, unknownIn)]),
    syncAccess('removal', patientRef, `removal:${storedBy}`, cause),
    ...(link ? [link] : []),
  ]);
  if (linkBack !== undefined) await accessLog.append(linkBack.patientRef, [linkBack]);
  const listed = await careRecords.listAll(patientRef);
  if (!(await patients.closeVersions(patientRef, revision, listed.newestVersion ?? '0', writeGuard))) return;
  await careRecords.deleteListed(patientRef, listed, writeGuard);
  await patients.deleteRemoving(patientRef, revision, writeGuard);
}

export const createRemovePatient = (deps: RemovePatientDeps): Pick<SyncActivities, 'removePatient'> => ({
  async removePatient({ patientRef, revision, unknownIn }) {
    await withHeartbeats(
      undefined,
      async ({ writeGuard }) =>
        await removePatient(deps, patientRef, revision, writeGuard, unknownIn === undefined ? {} : { unknownIn }),
    );
  },
});
