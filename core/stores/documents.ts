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

/**
 * The objects `documents/{patientRef}/{careVersion}/{sha256}` hold documents of care records, as the text that the
 * insurer sent, and records that are too large for an item. 0.2.0 stored
 * list entries that are too large for an item under `documents/{patientRef}/entry/`.
 */
export interface DocumentsStore {
  /** @param text well-formed Unicode, because UTF-8 cannot represent lone surrogates */
  put(patientRef: string, careVersion: string, text: string): Promise<PayloadReference>;
  /** @throws PayloadError `missing`, `corrupt` */
  get(reference: PayloadReference): Promise<string>;
  /**
   * Returns a presigned URL of the text; undefined if the object is gone.
   * @param origin of S3, if it has another address for the reader than for this process
   */
  linkTo(reference: PayloadReference, lifetimeSeconds: number, origin?: string): Promise<string | undefined>;
  delete(reference: PayloadReference): Promise<void>;
  deleteVersion(patientRef: string, careVersion: string): Promise<void>;
  /** Deletes the objects of versions before this one. */
  deleteOlderThan(patientRef: string, careVersion: string): Promise<void>;
  /** Lists the keys of all objects of a patient, including large master data. */
  listAll(patientRef: string): Promise<string[]>;
  deleteKeys(keys: readonly string[]): Promise<void>;
}

export const createDocumentsStore = (bucket: Bucket): DocumentsStore => {
  return {
    put: async (patientRef, careVersion, text) =>
      await putObject(bucket, `documents/${patientRef}/${careVersion}/`, Buffer.from(text, 'utf8')),
    get: async (reference) => (await getObject(bucket, reference)).toString('utf8'),
    linkTo: async ({ key }, lifetimeSeconds, origin) =>
      (await hasObject(bucket, key)) ? await linkToText(bucket, key, lifetimeSeconds, origin) : undefined,
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
    listAll: async (patientRef) => await Array.fromAsync(listKeys(bucket, `documents/${patientRef}/`)),
    deleteKeys: async (keys) => await deleteObjects(bucket, keys),
  };
};
