/**
 * bad-keys: PAYLOAD_KEYS is not what it has to be. unknown-key: nobody here can unwrap with the key that is named.
 * tampered: not as it was written. unavailable: the keys cannot be had for now.
 */
export type CodecFault = 'bad-keys' | 'unknown-key' | 'tampered' | 'unavailable';

export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly fault: CodecFault;
  constructor(fault: CodecFault, options?: ErrorOptions) {
    super(`payload codec ${fault}`, options);
    this.fault = fault;
  }
}

/** AES-256 for keys of either kind. */
export const keyBytes = 32;

/** Says what a wrapped key is for: it opens for nothing else. */
export const keyPurpose = 'epa-sync temporal payload';

/** A key that encrypts payloads, and what is kept of it beside each of them. */
export interface DataKey {
  /** 32 bytes; never leaves the process */
  readonly key: Buffer;
  readonly wrappedKey: Buffer;
  /** which wrapping key */
  readonly keyId: string;
}

/** Who wraps data keys: KMS, or the keys of a secret. */
export interface KeyWrapper {
  /** @throws CodecError `unavailable` */
  createDataKey(): Promise<DataKey>;
  /** @throws CodecError `unknown-key`, `tampered`, `unavailable` */
  unwrap(keyId: string, wrappedKey: Uint8Array): Promise<Buffer>;
  /** The key by that name which encrypted payloads itself, as keys did before there were data keys. */
  oldKey?(keyId: string): Buffer | undefined;
}
