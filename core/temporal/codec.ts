import { fileURLToPath } from 'node:url';
import {
  type DataConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
  type Payload,
  type PayloadCodec,
} from '@temporalio/common';
import proto from '@temporalio/proto';
import { createDataKeys } from '../crypto/data-keys.ts';
import { decryptBytes, encryptBytes } from '../crypto/encrypted-bytes.ts';
import { CodecError, type DataKey, type KeyWrapper } from '../crypto/key-wrapper.ts';
import { failureConverter } from './failure-converter.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const encoding = Buffer.from('binary/encrypted');

export const failureConverterPath = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/**
 * Creates the data converter of workers and clients. It encrypts everything that Temporal stores: payloads, and the
 * messages and stack traces of failures.
 */
export const createDataConverter = (codec: PayloadCodec): DataConverter => ({
  payloadCodecs: [codec],
  failureConverterPath,
});

/** Creates the same data converter for a bundled client, which cannot load the failure converter by its path. */
export const createLoadedDataConverter = (codec: PayloadCodec): LoadedDataConverter => ({
  payloadConverter: defaultPayloadConverter,
  failureConverter,
  payloadCodecs: [codec],
});

/**
 * Creates a codec that encrypts whole payloads, including metadata, with AES-256-GCM and a data key of this process
 * (ADR 0023). The new metadata holds `wrappedKey`, the wrapped data key, and `keyId`, the ID of the wrapping key. Both
 * are authenticated together with the payload. `decode` returns unencrypted payloads unchanged, because clients and the
 * server add some of their own.
 * @throws CodecError from encode `unavailable`; from decode `unknown-key`, `unavailable`, or `tampered` if a payload
 *   was changed
 */
export function createPayloadCodec(wrapper: KeyWrapper, nowMs?: () => number): PayloadCodec {
  const dataKeys = createDataKeys(wrapper, nowMs);
  const decrypt = async (payload: Payload): Promise<Payload> => {
    if (!isEncrypted(payload)) return payload;
    const { metadata, data } = payload;
    const keyId = Buffer.from(metadata?.['keyId'] ?? []).toString();
    const wrappedKey = metadata?.['wrappedKey'];
    if (!wrappedKey) throw new CodecError('tampered');
    const key = await dataKeys.unwrapped(keyId, wrappedKey);
    return readPayload(decryptBytes(key, data ?? Buffer.alloc(0), additionalDataOf(keyId, wrappedKey)));
  };
  return {
    async encode(payloads) {
      if (payloads.length === 0) return [];
      const dataKey = await dataKeys.current(payloads.length);
      return payloads.map((payload) => encrypt(payload, dataKey));
    },
    decode: async (payloads) => await Promise.all(payloads.map(decrypt)),
  };
}

export const isEncrypted = ({ metadata }: Payload): boolean =>
  encoding.equals(metadata?.['encoding'] ?? Buffer.alloc(0));

function encrypt(payload: Payload, { key, wrappedKey, keyId }: DataKey): Payload {
  const plain = PayloadMessage.encode(payload).finish();
  return {
    metadata: { encoding, keyId: Buffer.from(keyId), wrappedKey },
    data: encryptBytes(key, plain, additionalDataOf(keyId, wrappedKey)),
  };
}

/** Returns the data that is authenticated with a payload. Key IDs contain no zero byte, so the result is unambiguous. */
const additionalDataOf = (keyId: string, wrappedKey: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(keyId), Buffer.of(0), wrappedKey]);

function readPayload(plain: Uint8Array): Payload {
  try {
    return PayloadMessage.decode(plain);
  } catch (cause) {
    throw new CodecError('tampered', { cause });
  }
}
