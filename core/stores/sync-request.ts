import type { RequestSyncInput } from '../contract/patient-record.ts';
import type { Kvnr } from '../domain/kvnr.ts';
import { isInProgress, type LastSync } from '../domain/patient.ts';
import type { Stores } from './open-stores.ts';

/**
 * Stores about whom the insurer will be asked, if nobody with this KVNR is stored: the access entry of the request, then an
 * inquiry. The KVNR is only in the table, so that Temporal never receives it. Idempotent.
 * @returns false if a patient is being removed
 * @throws AccessLogError `unavailable`
 */
export async function openInquiry(
  { patients, accessLog }: Pick<Stores, 'patients' | 'accessLog'>,
  kvnr: Kvnr,
  { access, syncId }: RequestSyncInput,
): Promise<boolean> {
  const { patientRef } = access;
  const known = await patients.readLastSync(patientRef);
  if (known !== undefined && known.standing !== 'inquiry') return true;
  const isJoining = known?.lastSync !== undefined && isInProgress(known.lastSync);
  if (!isJoining) await accessLog.append(patientRef, [{ ...access, entity: { kind: 'sync', id: syncId } }]);
  return await patients.inquire(patientRef, kvnr);
}

/**
 * Writes the access entry of a request for a sync, then the marker. Both the entity workflow and a caller that no
 * worker answers use it. Needs no rollback: an entry without a marker records an attempt, and a marker never exists
 * without its entry, because another request may have joined it. Idempotent.
 * @returns the promised sync, which is the new one or the one it joins; undefined if there is neither a patient nor an inquiry
 * @throws AccessLogError `unavailable`
 */
export async function writeSyncRequest(
  { patients, accessLog }: Pick<Stores, 'patients' | 'accessLog'>,
  { access, ...request }: RequestSyncInput,
): Promise<LastSync | undefined> {
  const { patientRef } = access;
  const patient = await patients.readLastSync(patientRef);
  if (patient === undefined) return undefined;
  const { lastSync } = patient;
  const id = lastSync !== undefined && isInProgress(lastSync) ? lastSync.syncId : request.syncId;
  await accessLog.append(patientRef, [{ ...access, entity: { kind: 'sync', id } }]);
  return await patients.requestSync(patientRef, request);
}
