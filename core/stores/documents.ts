import type { PayloadReference } from '../contract/payload-reference.ts';
import type { DocumentFile } from '../domain/document-file.ts';
import { contentDisposition } from '../domain/file-headers.ts';
import {
  type Bucket,
  deleteObject,
  deleteObjects,
  deletePrefix,
  getObject,
  hasObject,
  linkToObject,
  listKeys,
  putObject,
} from './objects.ts';

/** What an object holds. A file has headers of its own; objects of earlier versions have none. */
export const objectForms = ['file', 'text', 'record'] as const;
export type ObjectForm = (typeof objectForms)[number];
const mediaTypes = { file: undefined, text: 'text/plain; charset=utf-8', record: 'application/json' } as const;

/**
 * The objects `documents/{patientRef}/{careVersion}/{sha256}` hold texts of care records: records that are too large for an
 * item, and contents of documents as the insurer sent them. `…/{hash of SHA-256 and headers}` are documents as files, with their
 * media type and name as the object's headers. 0.2.0 stored list entries that are too large for an item under
 * `documents/{patientRef}/entry/`.
 */
export interface DocumentsStore {
  /** @param text well-formed Unicode, because UTF-8 cannot represent lone surrogates */
  put(patientRef: string, careVersion: string, text: string): Promise<PayloadReference>;
  putFile(patientRef: string, careVersion: string, file: DocumentFile): Promise<PayloadReference>;
  /** @throws PayloadError `missing`, `corrupt` */
  get(reference: PayloadReference): Promise<string>;
  /** @throws PayloadError `missing`, `corrupt` */
  getFile(reference: PayloadReference): Promise<Uint8Array>;
  /**
   * Returns a presigned URL of an object; undefined if the object is gone.
   * @param origin of S3, if it has another address for the reader than for this process
   */
  linkTo(
    reference: Pick<PayloadReference, 'key'>,
    form: ObjectForm,
    lifetimeSeconds: number,
    origin?: string,
  ): Promise<string | undefined>;
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
    putFile: async (patientRef, careVersion, { bytes, mediaType, name }) =>
      await putObject(bucket, `documents/${patientRef}/${careVersion}/`, bytes, {
        contentType: mediaType,
        contentDisposition: contentDisposition(name),
      }),
    get: async (reference) => (await getObject(bucket, reference)).toString('utf8'),
    getFile: async (reference) => await getObject(bucket, reference),
    linkTo: async (reference, form, lifetimeSeconds, origin) =>
      (await hasObject(bucket, reference.key))
        ? await linkToObject(bucket, reference, lifetimeSeconds, mediaTypes[form], origin)
        : undefined,
    delete: async ({ key }) => await deleteObject(bucket, key),
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
