import { randomBytes } from 'node:crypto';
import { decryptBytes, encryptBytes } from './encrypted-bytes.ts';
import { CodecError, type KeyWrapper, keyBytes, keyPurpose } from './key-wrapper.ts';

/**
 * Wraps data keys with the keys of a secret, on a laptop. Uses AES-256-GCM and authenticates the ID of the wrapping key.
 * @param payloadKeys PAYLOAD_KEYS: `id:base64` of 32 bytes, comma-separated. The first key wraps; all keys unwrap
 * @throws CodecError `bad-keys`
 */
export function createSecretKeyWrapper(payloadKeys: string): KeyWrapper {
  const keys = parseKeys(payloadKeys);
  const [first] = keys;
  if (first === undefined) throw new CodecError('bad-keys');
  const [keyId, wrappingKey] = first;
  return {
    async createDataKey() {
      const key = randomBytes(keyBytes);
      return { key, wrappedKey: encryptBytes(wrappingKey, key, purposeOf(keyId)), keyId };
    },
    async unwrap(id, wrappedKey) {
      if (!payloadKeyId.test(id)) throw new CodecError('tampered'); // no rotation makes it ours
      const unwrapping = keys.get(id);
      if (unwrapping === undefined) throw new CodecError('unknown-key');
      return decryptBytes(unwrapping, wrappedKey, purposeOf(id));
    },
  };
}

/** What PAYLOAD_KEYS can name. */
const payloadKeyId = /^[\w-]+$/;

const purposeOf = (keyId: string): Buffer => Buffer.from(`${keyPurpose} ${keyId}`);

function parseKeys(payloadKeys: string): ReadonlyMap<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const entry of payloadKeys.split(',')) {
    const separator = entry.indexOf(':');
    const keyId = entry.slice(0, separator);
    const key = Buffer.from(entry.slice(separator + 1), 'base64');
    if (separator < 1 || key.length !== keyBytes || keys.has(keyId)) throw new CodecError('bad-keys');
    keys.set(keyId, key);
  }
  return keys;
}
