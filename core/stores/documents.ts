import type { PayloadReference } from '../contract/payload-reference.ts';
import {
  type Bucket,
  deleteObjects,
  deletePrefix,
  getObject,
  hasObject,
  linkToText,
  listKeys,
  putObject,
} from './objects.ts';

/** Where a patient's large master data lies. A careVersion begins with a digit, and so comes before it. */
const entryPlace = 'entry';

/**
 * Objects `documents/{patientRef}/{careVersion}/{sha256}`: documents of care records as the text that the insurer sent,
 * and what is too large for an item; `documents/{patientRef}/entry/{sha256}`: master data too large for an item.
 */
export interface DocumentsStore {
  /** @param text well-formed Unicode, or it would not come back as it is */
  put(patientRef: string, careVersion: string, text: string): Promise<PayloadReference>;
  putEntry(patientRef: string, body: string): Promise<PayloadReference>;
  /** @throws PayloadError `missing`, `corrupt` */
  get(reference: PayloadReference): Promise<string>;
  /** An address that gives the text to whoever has it, for so long; undefined when it is gone. */
  linkTo(reference: PayloadReference, lifetimeSeconds: number): Promise<string | undefined>;
  delete(reference: PayloadReference): Promise<void>;
  deleteVersion(patientRef: string, careVersion: string): Promise<void>;
  /** Deletes what belongs to versions before that one. */
  deleteOlderThan(patientRef: string, careVersion: string): Promise<void>;
  /** Deletes all that a patient has here, large master data too. */
  deleteAll(patientRef: string): Promise<void>;
}

export const createDocumentsStore = (bucket: Bucket): DocumentsStore => {
  const put = async (patientRef: string, place: string, text: string) =>
    await putObject(bucket, `documents/${patientRef}/${place}/`, Buffer.from(text, 'utf8'));
  return {
    put,
    putEntry: async (patientRef, body) => await put(patientRef, entryPlace, body),
    get: async (reference) => (await getObject(bucket, reference)).toString('utf8'),
    linkTo: async ({ key }, lifetimeSeconds) =>
      (await hasObject(bucket, key)) ? await linkToText(bucket, key, lifetimeSeconds) : undefined,
    delete: async ({ key }) => await deleteObjects(bucket, [key]),
    deleteVersion: async (patientRef, careVersion) =>
      await deletePrefix(bucket, `documents/${patientRef}/${careVersion}/`),
    async deleteOlderThan(patientRef, careVersion) {
      const older: string[] = [];
      for await (const key of listKeys(bucket, `documents/${patientRef}/`)) {
        if (key >= `documents/${patientRef}/${careVersion}/`) break;
        older.push(key);
      }
      await deleteObjects(bucket, older);
    },
    deleteAll: async (patientRef) => await deletePrefix(bucket, `documents/${patientRef}/`),
  };
};
