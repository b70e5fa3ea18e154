/**
 * `bad-keys`: PAYLOAD_KEYS is malformed. `unknown-key`: the named key is none of this process, so it is taken for foreign. `tampered`: the
 * data was changed, or it names what cannot be a key of this deployment. `plaintext`: it is not encrypted. `elsewhere`: it was encrypted for another workflow, or for another
 * activity or purpose in this one. `unavailable`: the keys of this process cannot be used at the moment.
 */
export type CodecFault = 'bad-keys' | 'unknown-key' | 'tampered' | 'plaintext' | 'elsewhere' | 'unavailable';

export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly fault: CodecFault;
  constructor(fault: CodecFault, options?: ErrorOptions) {
    super(`payload codec ${fault}`, options);
    this.fault = fault;
  }
}

/** Size of data keys and wrapping keys (AES-256). */
export const keyBytes = 32;

/** The purpose of a wrapped key. It can be unwrapped for this purpose only. */
export const keyPurpose = 'epa-sync temporal payload';

/** A key that encrypts payloads, and its wrapped form, which is stored with each payload. */
export interface DataKey {
  /** 32 bytes. Never leaves the process. */
  readonly key: Buffer;
  readonly wrappedKey: Buffer;
  /** ID of the wrapping key */
  readonly keyId: string;
}

/** Wraps data keys, with KMS or with the keys of a secret. */
export interface KeyWrapper {
  /** @throws CodecError `unavailable` */
  createDataKey(): Promise<DataKey>;
  /** @throws CodecError `unknown-key`, `tampered`, `unavailable` */
  unwrap(keyId: string, wrappedKey: Uint8Array): Promise<Buffer>;
}
