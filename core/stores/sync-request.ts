import type { RequestSyncInput } from '../contract/patient-record.ts';
import { isUnderWay, type LastSync } from '../domain/patient.ts';
import type { Stores } from './open-stores.ts';

/**
 * Access entry, then marker: of one who asks for a sync, by the entity workflow or by a caller whom no worker answers.
 * Nothing has to be taken back: an entry without a marker tells of an attempt, and a marker that somebody may have joined
 * is never without its entry. Repeatable.
 * @returns what is promised, its own sync or the one it joins; undefined when the patient is unknown
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
  const id = lastSync !== undefined && isUnderWay(lastSync) ? lastSync.syncId : request.syncId;
  await accessLog.append(patientRef, [{ ...access, entity: { kind: 'sync', id } }]);
  return await patients.requestSync(patientRef, request);
}
