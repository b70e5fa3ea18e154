import type { PayloadReference } from '../contract/payload-reference.ts';
import { type Bucket, deleteObject, deletePrefix, getObject, putObject } from './objects.ts';

/** The sync that fetched a payload, and the patient. */
export interface PayloadOwner {
  readonly syncId: string;
  readonly patientRef: string;
}

/**
 * The objects `payloads/{syncId}/{patientRef}/{sha256}`: fetched answers that are not stored yet
 * (docs/explanation/architecture.md, "Tables").
 */
export interface PayloadsStore {
  /** Stores a payload. Idempotent, because the key is derived from the content. */
  put(owner: PayloadOwner, body: Uint8Array): Promise<PayloadReference>;
  /** @throws PayloadError `missing`; `corrupt` if size or SHA-256 differ from the reference */
  get(reference: PayloadReference): Promise<Buffer>;
  delete(reference: PayloadReference): Promise<void>;
  /** Deletes the payloads of a sync, for one patient or for all patients. */
  deleteAllOf(owner: { readonly syncId: string; readonly patientRef?: string }): Promise<void>;
}

export const createPayloadsStore = (bucket: Bucket): PayloadsStore => ({
  put: async ({ syncId, patientRef }, body) => await putObject(bucket, `payloads/${syncId}/${patientRef}/`, body),
  get: async (reference) => await getObject(bucket, reference),
  delete: async ({ key }) => await deleteObject(bucket, key),
  deleteAllOf: async ({ syncId, patientRef }) =>
    await deletePrefix(bucket, patientRef === undefined ? `payloads/${syncId}/` : `payloads/${syncId}/${patientRef}/`),
});
