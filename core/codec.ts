import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  type DataConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
  type Payload,
  type PayloadCodec,
} from '@temporalio/common';
import proto from '@temporalio/proto';
import { failureConverter } from './failure-converter.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const encoding = Buffer.from('binary/encrypted');
const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const ivBytes = 12; // what GCM is made for; random: under one key, 2^32 payloads are safe
const tagBytes = 16;

export type CodecFault = 'bad-keys' | 'unknown-key' | 'tampered';

export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly fault: CodecFault;
  constructor(fault: CodecFault, options?: ErrorOptions) {
    super(`payload codec ${fault}`, options);
    this.fault = fault;
  }
}

/**
 * How everything that Temporal keeps is encrypted: payloads, and the messages and stack traces of failures. For workers
 * and clients alike.
 * @param payloadKeys PAYLOAD_KEYS: `id:base64` of 32 bytes, comma-separated; the first one encrypts, all decrypt
 * @throws CodecError `bad-keys`
 */
export function createDataConverter(payloadKeys: string): DataConverter {
  return {
    payloadCodecs: [createPayloadCodec(payloadKeys)],
    failureConverterPath: fileURLToPath(new URL('./failure-converter.ts', import.meta.url)),
  };
}

/** The same for a client in a bundle, which has no file beside it that could be loaded by its path. @throws CodecError `bad-keys` */
export const createLoadedDataConverter = (payloadKeys: string): LoadedDataConverter => ({
  payloadConverter: defaultPayloadConverter,
  failureConverter,
  payloadCodecs: [createPayloadCodec(payloadKeys)],
});

/**
 * Encrypts a payload whole, its metadata too, by AES-256-GCM: data = IV (12 bytes) + ciphertext + tag (16 bytes),
 * bound to the key's id. A payload that is not encrypted passes `decode` as it is: clients and server add some of their own.
 * @throws CodecError `bad-keys`; from decode `unknown-key`, or `tampered` for whatever is not as it was written
 */
export function createPayloadCodec(payloadKeys: string): PayloadCodec {
  const keys = parseKeys(payloadKeys);
  const [first] = keys;
  if (first === undefined) throw new CodecError('bad-keys');
  const [currentId, currentKey] = first;
  return {
    encode: async (payloads) => payloads.map((payload) => encrypt(payload, currentId, currentKey)),
    decode: async (payloads) => payloads.map((payload) => decrypt(payload, keys)),
  };
}

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

function encrypt(payload: Payload, keyId: string, key: Buffer): Payload {
  const iv = randomBytes(ivBytes);
  const boundTo = Buffer.from(keyId);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(boundTo);
  const ciphertext = [cipher.update(PayloadMessage.encode(payload).finish()), cipher.final()];
  return { metadata: { encoding, keyId: boundTo }, data: Buffer.concat([iv, ...ciphertext, cipher.getAuthTag()]) };
}

function decrypt(payload: Payload, keys: ReadonlyMap<string, Buffer>): Payload {
  const { metadata, data } = payload;
  if (!encoding.equals(metadata?.['encoding'] ?? Buffer.alloc(0))) return payload;
  const boundTo = metadata?.['keyId'] ?? Buffer.alloc(0);
  const key = keys.get(Buffer.from(boundTo).toString());
  if (key === undefined) throw new CodecError('unknown-key');
  if (!data || data.length < ivBytes + tagBytes) throw new CodecError('tampered');
  try {
    const decipher = createDecipheriv(algorithm, key, data.subarray(0, ivBytes), { authTagLength: tagBytes })
      .setAAD(boundTo)
      .setAuthTag(data.subarray(data.length - tagBytes));
    const plain = [decipher.update(data.subarray(ivBytes, data.length - tagBytes)), decipher.final()];
    return PayloadMessage.decode(Buffer.concat(plain));
  } catch (cause) {
    throw new CodecError('tampered', { cause });
  }
}
