import type { StoredPatient } from '../../core/domain/patient.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { Stores } from '../../core/stores/open-stores.ts';
import { Problem } from '../http/problems.ts';

/** How often a patient is read again if the care records are replaced meanwhile. */
const readsMax = 5;

/** A newer version of the care records has replaced the one that is being read. */
export class VersionGone extends Error {
  override readonly name = 'VersionGone';
}

/** Whether a newer version has replaced the one that was read, or the object of a document in it. */
const isReplaced = (error: unknown): boolean =>
  error instanceof VersionGone || (error instanceof PayloadError && error.fault === 'missing');

/** @throws Problem `patient-unknown` */
export async function readStored({ patients }: Stores, patientRef: string): Promise<StoredPatient> {
  const patient = await patients.get(patientRef);
  if (patient === undefined || patient.standing === 'inquiry') throw new Problem('patient-unknown');
  return patient;
}

/**
 * Reads a patient, and what `read` takes of the care records. Both again if the records are replaced meanwhile.
 * @throws Problem `patient-unknown`; `storage-unavailable` if the records are replaced during each read
 */
export async function readCurrent<Result>(
  stores: Stores,
  patientRef: string,
  read: (patient: StoredPatient) => Promise<Result>,
): Promise<Result> {
  for (let reads = 0; reads < readsMax; reads++) {
    const patient = await readStored(stores, patientRef);
    try {
      return await read(patient);
    } catch (error) {
      if (!isReplaced(error)) throw error;
    }
  }
  throw new Problem('storage-unavailable', {
    detail: 'The care records were replaced during each read. Repeat the request.',
  });
}
