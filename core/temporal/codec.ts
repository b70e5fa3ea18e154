import { fileURLToPath } from 'node:url';
import {
  type DataConverter,
  defaultPayloadConverter,
  type LoadedDataConverter,
  type Payload,
  type PayloadCodec,
  type SerializationContext,
} from '@temporalio/common';
import proto from '@temporalio/proto';
import { foreignPayload, markUnbound } from '../contract/foreign-payload.ts';
import { createDataKeys } from '../crypto/data-keys.ts';
import { decryptBytes, encryptBytes } from '../crypto/encrypted-bytes.ts';
import { CodecError, type CodecFault, type DataKey, type KeyWrapper } from '../crypto/key-wrapper.ts';
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
 * are authenticated together with the payload. If the SDK names the workflow or the activity, the payload is bound to it:
 * no other one takes it (ADR 0059). Payloads of 0.2.0 are not bound. A reader with a place gets them with a mark.
 * @throws CodecError from encode `unavailable`; from decode `unknown-key`, `unavailable`, `plaintext`, `elsewhere`, or
 *   `tampered` if a payload was changed
 */
export function createPayloadCodec(wrapper: KeyWrapper, nowMs?: () => number): PayloadCodec {
  const dataKeys = createDataKeys(wrapper, nowMs);
  const decrypt = async (payload: Payload, boundTo: string | undefined): Promise<Payload> => {
    if (!isEncrypted(payload)) throw new CodecError('plaintext');
    const { metadata, data } = payload;
    const keyId = Buffer.from(metadata?.['keyId'] ?? []).toString();
    const wrappedKey = metadata?.['wrappedKey'];
    if (!wrappedKey) throw new CodecError('tampered');
    const key = await dataKeys.unwrapped(keyId, wrappedKey);
    const plain = readPayload(decryptBytes(key, data ?? Buffer.alloc(0), additionalDataOf(keyId, wrappedKey)));
    return unbind(plain, boundTo);
  };
  return {
    async encode(payloads, context) {
      if (payloads.length === 0) return [];
      const dataKey = await dataKeys.current(payloads.length);
      const boundTo = purposeOf(context);
      return payloads.map((payload) => encrypt(bind(payload, boundTo), dataKey));
    },
    decode: async (payloads, context) =>
      await Promise.all(payloads.map((payload) => decrypt(payload, purposeOf(context)))),
  };
}

/** Returns a codec that decrypts what is encrypted, and returns the rest unchanged. For the codec endpoint only (ADR 0023). */
export const passingPlaintext = ({ encode, decode }: PayloadCodec): PayloadCodec => ({
  encode,
  decode: async (payloads) =>
    await Promise.all(
      payloads.map(async (payload) => (isEncrypted(payload) ? ((await decode([payload]))[0] ?? payload) : payload)),
    ),
});

/** Calls `tell` if a payload cannot be decrypted, unless the keys are away. Never with the payload. */
export const tellingRefused = (
  { encode, decode }: PayloadCodec,
  tell: (fault: CodecFault) => unknown,
): PayloadCodec => ({
  encode,
  decode: async (payloads, context) =>
    await decode(payloads, context).catch((error: unknown) => {
      if (error instanceof CodecError && error.fault !== 'unavailable') tell(error.fault);
      throw error;
    }),
});

const foreignFaults: ReadonlySet<CodecFault> = new Set(['plaintext', 'tampered', 'elsewhere', 'unknown-key']);

/**
 * Returns a codec for the worker that runs workflows. An error of `decode` would fail the workflow task, and Temporal would
 * repeat it for ever. So a payload that epa-sync has not written for this place becomes a marked `undefined`, and
 * `refuseForeign` in worker/workflows/ refuses what carries it (ADR 0059). That includes a key that none of our processes
 * should have. If the keys are away, it still throws, because the payload may be ours.
 */
export const markingForeign = ({ encode, decode }: PayloadCodec): PayloadCodec => ({
  encode,
  decode: async (payloads, context) =>
    await Promise.all(
      payloads.map(async (payload) => {
        try {
          return (await decode([payload], context))[0] ?? payload;
        } catch (error) {
          if (error instanceof CodecError && foreignFaults.has(error.fault)) return foreignPayload();
          throw error;
        }
      }),
    ),
});

/** Metadata within the encrypted payload: for which workflow or activity it was encrypted. */
const bindingName = 'boundTo';

/**
 * @returns `workflow` and its ID, or `activity` with the workflow's ID and its own; undefined without a context, as in the
 *   codec endpoint. The SDK names the activity where its arguments, heartbeats, results and failures are written and read
 */
function purposeOf(context: SerializationContext | undefined): string | undefined {
  if (context === undefined) return undefined;
  const { type, workflowId = '' } = context;
  return type === 'activity' ? `${type} ${workflowId} ${context.activityId ?? ''}` : `${type} ${workflowId}`;
}

const bind = (payload: Payload, boundTo: string | undefined): Payload =>
  boundTo === undefined
    ? payload
    : { ...payload, metadata: { ...payload.metadata, [bindingName]: Buffer.from(boundTo) } };

/** @param boundTo undefined: the reader is no workflow, and does not check it @throws CodecError `elsewhere` */
function unbind(payload: Payload, boundTo: string | undefined): Payload {
  const { [bindingName]: bound, ...metadata } = payload.metadata ?? {};
  if (bound === undefined) return boundTo === undefined ? payload : markUnbound(payload);
  if (boundTo !== undefined && Buffer.from(bound).toString() !== boundTo) throw new CodecError('elsewhere');
  return { ...payload, metadata };
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
