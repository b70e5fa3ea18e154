import { createSecretKeyWrapper } from '../core/crypto/secret-key-wrapper.ts';
import { createPayloadCodec } from '../core/temporal/codec.ts';
import type { TestStack } from './stack.ts';

interface Payload {
  readonly metadata?: Readonly<Record<string, Uint8Array>> | null;
  readonly data?: Uint8Array | null;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Returns payloads in the form in which Temporal's web UI and CLI send them to a codec endpoint. */
export const codecBody = (payloads: readonly Payload[]) => ({
  payloads: payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
    data: base64(data ?? new Uint8Array()),
  })),
});

/** Encrypts a value as a workflow of the stack does. */
export async function encryptedBody({ environment }: Pick<TestStack, 'environment'>, value: unknown) {
  const codec = createPayloadCodec(createSecretKeyWrapper(environment['PAYLOAD_KEYS'] ?? ''));
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
  return codecBody(await codec.encode([payload]));
}

/** Returns the values in an answer of a codec endpoint. */
export const decodedValues = ({ payloads }: ReturnType<typeof codecBody>): unknown[] =>
  payloads.map(({ data }) => JSON.parse(Buffer.from(data, 'base64').toString('utf8')));
