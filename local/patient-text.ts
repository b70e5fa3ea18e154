import type { Stores } from '../core/clients.ts';
import { putRecordTogether } from '../core/domain/answer-parts.ts';
import type { StoredPatient } from '../core/domain/patient.ts';

/** How often a patient is read anew when its care records are swapped just then. */
const readsMax = 5;

/**
 * A patient with all care records as JSON text: `{patient, careRecords, lastSync?}`, each as the insurer sent it, bit by
 * bit. Put together as text, because a parser would change numbers.
 * @returns undefined when there is no such patient
 */
export async function patientText(
  { patients, careRecords }: Pick<Stores, 'patients' | 'careRecords'>,
  patientRef: string,
): Promise<string | undefined> {
  for (let read = 0; read < readsMax; read++) {
    const patient = await patients.get(patientRef);
    if (patient === undefined) return undefined;
    const records = await recordTexts(careRecords, patient);
    if (records === undefined) continue; // the next version has taken its place
    const lastSync = patient.lastSync === undefined ? '' : `,\n"lastSync": ${JSON.stringify(patient.lastSync)}`;
    return `{\n"patient": ${patient.body},\n"careRecords": [${records.map((text) => `\n${text}`).join(',')}]${lastSync}\n}\n`;
  }
  throw new Error('the care records change faster than they can be read: try again');
}

async function recordTexts(
  careRecords: Stores['careRecords'],
  { patientRef, careVersion }: StoredPatient,
): Promise<string[] | undefined> {
  if (careVersion === undefined) return [];
  const page = await careRecords.read(patientRef, careVersion);
  if (page === undefined) return undefined;
  const texts: string[] = [];
  for (const record of page.records)
    texts.push(putRecordTogether({ body: record.body, documents: await careRecords.readDocuments(record) }));
  return texts;
}
