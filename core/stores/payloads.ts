import type { PayloadReference } from '../contract/payload-reference.ts';
import { type Bucket, deleteObjects, deletePrefix, getObject, putObject } from './objects.ts';

/** Whose payload it is: the sync that fetched it, and the patient. */
export interface PayloadOwner {
  readonly syncId: string;
  readonly patientRef: string;
}

/** Objects `payloads/{syncId}/{patientRef}/{sha256}`: what was fetched and is not stored yet (docs/explanation/architecture.md, "Tables"). */
export interface PayloadsStore {
  /** Repeatable: keyed by content. */
  put(owner: PayloadOwner, body: Uint8Array): Promise<PayloadReference>;
  /** @throws PayloadError `missing`; `corrupt` when size or SHA-256 are not those of the reference */
  get(reference: PayloadReference): Promise<Buffer>;
  delete(reference: PayloadReference): Promise<void>;
  /** Deletes the payloads of a sync, of one patient or of all. */
  deleteAllOf(owner: { readonly syncId: string; readonly patientRef?: string }): Promise<void>;
}

export const createPayloadsStore = (bucket: Bucket): PayloadsStore => ({
  put: async ({ syncId, patientRef }, body) => await putObject(bucket, `payloads/${syncId}/${patientRef}/`, body),
  get: async (reference) => await getObject(bucket, reference),
  delete: async ({ key }) => await deleteObjects(bucket, [key]),
  deleteAllOf: async ({ syncId, patientRef }) =>
    await deletePrefix(bucket, patientRef === undefined ? `payloads/${syncId}/` : `payloads/${syncId}/${patientRef}/`),
});
