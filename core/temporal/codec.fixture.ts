import { randomBytes } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { isUnbound } from '../contract/foreign-payload.ts';
import { CodecError, type KeyWrapper } from '../crypto/key-wrapper.ts';
import { createSecretKeyWrapper } from '../crypto/secret-key-wrapper.ts';
import { createPayloadCodec } from './codec.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
export const greeting: Payload = { metadata: { encoding: bytes('json/plain') }, data: bytes('"Anna Müller"') };

const anna = { type: 'workflow', namespace: 'default', workflowId: 'patient:anna' } as const;
const activityOf = (activityId: string) => ({ ...anna, type: 'activity', activityId, isLocal: false }) as const;

export const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
export const secret = (keys: string): KeyWrapper => createSecretKeyWrapper(keys);

export async function encrypted(wrapper: KeyWrapper, payload = greeting) {
  const [result] = await createPayloadCodec(wrapper).encode([payload]);
  if (!result?.data || !result.metadata) throw new Error('no payload');
  return { metadata: result.metadata, data: result.data };
}

const decoded = async (wrapper: KeyWrapper, payload: Payload) =>
  (await createPayloadCodec(wrapper).decode([payload]))[0];

/** Returns a payload in a comparable form, because protobuf returns other classes for bytes. */
export const plain = (payload: Payload | undefined) => ({
  metadata: Object.fromEntries(
    Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value)]),
  ),
  data: Buffer.from(payload?.data ?? []),
});

/** Returns a copy with one bit changed. */
function withOneBitChanged(value: Uint8Array, index: number): Uint8Array {
  const changed = Uint8Array.from(value);
  changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
  return changed;
}

/** Counts the calls to a wrapper. While `isAway` is set, all calls fail. */
export function counted(wrapper: KeyWrapper) {
  const asked = { created: 0, unwrapped: 0, isAway: false };
  const away = () => {
    if (asked.isAway) throw new CodecError('unavailable');
  };
  const counting: KeyWrapper = {
    async createDataKey() {
      asked.created += 1;
      away();
      return await wrapper.createDataKey();
    },
    async unwrap(keyId, wrappedKey) {
      asked.unwrapped += 1;
      away();
      return await wrapper.unwrap(keyId, wrappedKey);
    },
  };
  return { counting, asked };
}

/** Wrappers before, during and after a key rotation: with the old key, with both keys, with the new key. */
interface Wrappers {
  readonly old: KeyWrapper;
  readonly both: KeyWrapper;
  readonly fresh: KeyWrapper;
  readonly freshId: string;
  /** of keys that this process can never have */
  readonly impossibleIds: readonly string[];
}

/** Tests what every key wrapper must do. */
export function describeWrapping(name: string, open: () => Promise<Wrappers>): void {
  describe(`data keys wrapped by ${name}`, () => {
    let keys: Wrappers;
    beforeAll(async () => {
      keys = await open();
    });

    test('any payload is decoded to the same bytes', async () => {
      const codec = createPayloadCodec(keys.old);
      const payloads = fc.record({
        metadata: fc.dictionary(fc.string({ minLength: 1 }), fc.uint8Array()),
        data: fc.uint8Array({ maxLength: 2000 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(payloads, { maxLength: 5 }), async (several) => {
          const back = await codec.decode(await codec.encode(several));
          expect(back.map(plain)).toEqual(several.map(plain));
        }),
      );
    });

    test('another process decrypts what one process encrypts', async () => {
      expect(plain(await decoded(keys.old, await encrypted(keys.old)))).toEqual(plain(greeting));
    });

    test('what Temporal stores shows neither value, metadata nor data key, and equal payloads differ', async () => {
      const dataKeys: Buffer[] = [];
      const telling: KeyWrapper = {
        ...keys.old,
        async createDataKey() {
          const made = await keys.old.createDataKey();
          dataKeys.push(made.key);
          return made;
        },
      };
      const [one, other] = await createPayloadCodec(telling).encode([greeting, greeting]);
      expect(Object.keys(one?.metadata ?? {})).toEqual(['encoding', 'keyId', 'wrappedKey']);
      expect(one?.data).not.toEqual(other?.data);
      const kept = Buffer.concat([...Object.values(one?.metadata ?? {}), one?.data ?? bytes('')]);
      expect(kept.toString('latin1')).not.toMatch(/Anna|json\/plain/);
      expect(dataKeys.map((key) => [key.length, kept.includes(key)])).toEqual([[32, false]]);
    });

    test('after a key rotation, old payloads are still decrypted, and new ones use the new key', async () => {
      const before = await encrypted(keys.old);
      expect(plain(await decoded(keys.both, before))).toEqual(plain(greeting));
      const after = await encrypted(keys.both);
      expect(Buffer.from(after.metadata['keyId'] ?? []).toString()).toBe(keys.freshId);
      expect(plain(await decoded(keys.fresh, after))).toEqual(plain(greeting));
    });

    test('a payload that names an impossible key is refused: it would block its workflow for ever', async () => {
      const payload = await encrypted(keys.old);
      for (const keyId of ['', 'arn:aws:kms', 'a,b', ...keys.impossibleIds]) {
        const renamed = { ...payload, metadata: { ...payload.metadata, keyId: bytes(keyId) } };
        await expect(decoded(keys.old, renamed)).rejects.toMatchObject({ fault: 'tampered' });
      }
    });

    test('a payload with another key ID is rejected', async () => {
      const payload = await encrypted(keys.old);
      const renamed = { ...payload, metadata: { ...payload.metadata, keyId: bytes(keys.freshId) } };
      await expect(decoded(keys.both, renamed)).rejects.toMatchObject({ fault: 'tampered' });
    });

    test('a payload with another data key is rejected', async () => {
      const [payload, other] = [await encrypted(keys.old), await encrypted(keys.old)];
      const mixed = { ...payload, metadata: other.metadata };
      await expect(decoded(keys.old, mixed)).rejects.toMatchObject({ fault: 'tampered' });
      const { wrappedKey: _, ...without } = payload.metadata;
      await expect(decoded(keys.old, { ...payload, metadata: without })).rejects.toBeInstanceOf(CodecError);
    });

    test('a payload with one changed bit is rejected', async () => {
      const codec = createPayloadCodec(keys.old);
      const payload = await encrypted(keys.old);
      for (const [index] of payload.data.entries()) {
        const changed = { ...payload, data: withOneBitChanged(payload.data, index) };
        await expect(codec.decode([changed])).rejects.toMatchObject({ fault: 'tampered' });
      }
    });

    test('a truncated payload is rejected', async () => {
      const codec = createPayloadCodec(keys.old);
      const payload = await encrypted(keys.old);
      for (const [length] of payload.data.entries()) {
        const truncated = { ...payload, data: payload.data.subarray(0, length) };
        await expect(codec.decode([truncated])).rejects.toMatchObject({ fault: 'tampered' });
      }
    });

    test('a changed or truncated wrapped key is rejected', async () => {
      const payload = await encrypted(keys.old);
      const wrappedKey = payload.metadata['wrappedKey'] ?? bytes('');
      const wrong = [
        ...Array.from({ length: 16 }, (_, step) => withOneBitChanged(wrappedKey, wrappedKey.length - 1 - 3 * step)),
        ...[1, 12, 28, wrappedKey.length - 1].map((length) => wrappedKey.subarray(0, length)),
      ];
      for (const other of wrong) {
        const changed = { ...payload, metadata: { ...payload.metadata, wrappedKey: other } };
        await expect(decoded(keys.old, changed)).rejects.toMatchObject({ fault: 'tampered' });
      }
    });

    test('a payload that is not encrypted is refused, even if it is empty', async () => {
      const { metadata } = greeting;
      const plaintexts = [greeting, { metadata: { encoding: bytes('binary/null') } }, { data: bytes('x') }, {}];
      for (const payload of [...plaintexts, { metadata: { ...metadata, keyId: bytes('k1') }, data: bytes('1') }])
        await expect(decoded(keys.old, payload)).rejects.toMatchObject({ fault: 'plaintext' });
    });

    test('a payload of one workflow is refused in another, and at another place', async () => {
      const codec = createPayloadCodec(keys.old);
      const payloads = await codec.encode([greeting], anna);
      for (const context of [anna, undefined])
        expect((await codec.decode(payloads, context)).map(plain)).toEqual([plain(greeting)]);
      for (const context of [{ ...anna, workflowId: 'patient:ben' }, activityOf('1')])
        await expect(codec.decode(payloads, context)).rejects.toMatchObject({ fault: 'elsewhere' });
    });

    test('a payload of one activity is refused in another one of the same workflow', async () => {
      const codec = createPayloadCodec(keys.old);
      const payloads = await codec.encode([greeting], activityOf('5'));
      expect((await codec.decode(payloads, activityOf('5'))).map(plain)).toEqual([plain(greeting)]);
      for (const context of [activityOf('9'), { ...activityOf('5'), workflowId: 'patient:ben' }, anna])
        await expect(codec.decode(payloads, context)).rejects.toMatchObject({ fault: 'elsewhere' });
    });

    test('a payload that is not bound has a mark where it is read, as those of 0.2.0', async () => {
      const codec = createPayloadCodec(keys.old);
      const isMarked = async (...contexts: Parameters<typeof codec.decode>[1][]) => {
        const [written, read] = contexts;
        return (await codec.decode(await codec.encode([greeting], written), read)).map(isUnbound);
      };
      expect(await isMarked(undefined, anna)).toEqual([true]);
      expect(await isMarked(undefined, activityOf('5'))).toEqual([true]);
      expect(await isMarked(anna, anna)).toEqual([false]);
      expect(await isMarked(activityOf('5'), activityOf('5'))).toEqual([false]);
    });

    test('a thousand payloads need one data key, and one unwrap in another process', async () => {
      const writer = counted(keys.old);
      const codec = createPayloadCodec(writer.counting);
      const batches = await Promise.all(Array.from({ length: 100 }, () => codec.encode(Array(10).fill(greeting))));
      expect(await codec.decode(batches.flat())).toHaveLength(1_000);
      expect(writer.asked).toMatchObject({ created: 1, unwrapped: 0 });
      const reader = counted(keys.old);
      const other = createPayloadCodec(reader.counting);
      await Promise.all(batches.map((batch) => other.decode(batch)));
      expect(reader.asked).toMatchObject({ created: 0, unwrapped: 1 });
    });
  });
}
