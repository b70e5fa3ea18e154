import { createCipheriv, randomBytes } from 'node:crypto';
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPayloadCodec } from './codec.ts';
import { CodecError, type KeyWrapper } from './key-wrapper.ts';
import { createKmsKeyWrapper } from './kms-key-wrapper.ts';
import { createSecretKeyWrapper } from './secret-key-wrapper.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const greeting: Payload = { metadata: { encoding: bytes('json/plain') }, data: bytes('"Anna Müller"') };
const hourMs = 3_600_000;

const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const secret = (keys: string): KeyWrapper => createSecretKeyWrapper(keys);

async function encrypted(wrapper: KeyWrapper, payload = greeting) {
  const [result] = await createPayloadCodec(wrapper).encode([payload]);
  if (!result?.data || !result.metadata) throw new Error('no payload');
  return { metadata: result.metadata, data: result.data };
}

const decoded = async (wrapper: KeyWrapper, payload: Payload) =>
  (await createPayloadCodec(wrapper).decode([payload]))[0];

/** Payloads are compared by what they hold: protobuf gives back other classes of bytes. */
const plain = (payload: Payload | undefined) => ({
  metadata: Object.fromEntries(
    Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value)]),
  ),
  data: Buffer.from(payload?.data ?? []),
});

/** The same bytes with one bit changed in one of them. */
function withOneOther(value: Uint8Array, index: number): Uint8Array {
  const changed = Uint8Array.from(value);
  changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
  return changed;
}

/** Counts what a wrapper is asked; while `isAway` it answers nothing. */
function counted(wrapper: KeyWrapper) {
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

let kms: KMSClient;
beforeAll(() => {
  kms = new KMSClient({});
});
afterAll(() => kms.destroy());

async function newKmsKey(): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
  if (KeyMetadata?.Arn === undefined) throw new Error('no key');
  return KeyMetadata.Arn;
}

/** Wrappers before, during and after a change of keys: with the old one, with both, with the new one. */
const ways = [
  {
    name: 'keys of a secret',
    async open() {
      const [old, fresh] = [newKey('2026'), newKey('2027')];
      return { old: secret(old), both: secret(`${fresh},${old}`), fresh: secret(fresh), freshId: '2027' };
    },
  },
  {
    name: 'KMS',
    async open() {
      const [old, freshId] = [await newKmsKey(), await newKmsKey()];
      const fresh = createKmsKeyWrapper(kms, freshId);
      return { old: createKmsKeyWrapper(kms, old), both: fresh, fresh, freshId };
    },
  },
];

describe.each(ways)('data keys wrapped by $name', ({ open }) => {
  let keys: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    keys = await open();
  });

  test('whatever a payload holds comes back byte by byte', async () => {
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

  test('what one process encrypts another one reads', async () => {
    expect(plain(await decoded(keys.old, await encrypted(keys.old)))).toEqual(plain(greeting));
  });

  test('neither value, metadata nor data key can be read in what Temporal keeps, and no two are alike', async () => {
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

  test('after a change of keys the old payloads are still read, and new ones use the new key', async () => {
    const before = await encrypted(keys.old);
    expect(plain(await decoded(keys.both, before))).toEqual(plain(greeting));
    const after = await encrypted(keys.both);
    expect(Buffer.from(after.metadata['keyId'] ?? []).toString()).toBe(keys.freshId);
    expect(plain(await decoded(keys.fresh, after))).toEqual(plain(greeting));
  });

  test('a payload whose data key was wrapped with a key that is not known is refused as such', async () => {
    const payload = await encrypted(keys.old);
    for (const keyId of ['2025', '', 'Größling']) {
      const renamed = { ...payload, metadata: { ...payload.metadata, keyId: bytes(keyId) } };
      await expect(decoded(keys.old, renamed)).rejects.toMatchObject({ fault: 'unknown-key' });
    }
  });

  test('a payload is bound to the name of the wrapping key', async () => {
    const payload = await encrypted(keys.old);
    const renamed = { ...payload, metadata: { ...payload.metadata, keyId: bytes(keys.freshId) } };
    await expect(decoded(keys.both, renamed)).rejects.toMatchObject({ fault: 'tampered' });
  });

  test('a payload is bound to its own data key', async () => {
    const [payload, other] = [await encrypted(keys.old), await encrypted(keys.old)];
    const mixed = { ...payload, metadata: other.metadata };
    await expect(decoded(keys.old, mixed)).rejects.toMatchObject({ fault: 'tampered' });
    const { wrappedKey: _, ...without } = payload.metadata;
    await expect(decoded(keys.old, { ...payload, metadata: without })).rejects.toBeInstanceOf(CodecError);
  });

  test('a payload of which any one bit was changed is refused', async () => {
    const codec = createPayloadCodec(keys.old);
    const payload = await encrypted(keys.old);
    for (const [index] of payload.data.entries()) {
      const changed = { ...payload, data: withOneOther(payload.data, index) };
      await expect(codec.decode([changed])).rejects.toMatchObject({ fault: 'tampered' });
    }
  });

  test('a payload cut at any length is refused', async () => {
    const codec = createPayloadCodec(keys.old);
    const payload = await encrypted(keys.old);
    for (const [length] of payload.data.entries()) {
      const cut = { ...payload, data: payload.data.subarray(0, length) };
      await expect(codec.decode([cut])).rejects.toMatchObject({ fault: 'tampered' });
    }
  });

  test('a wrapped key that was changed or cut is refused', async () => {
    const payload = await encrypted(keys.old);
    const wrappedKey = payload.metadata['wrappedKey'] ?? bytes('');
    const wrong = [
      ...Array.from({ length: 16 }, (_, step) => withOneOther(wrappedKey, wrappedKey.length - 1 - 3 * step)),
      ...[1, 12, 28, wrappedKey.length - 1].map((length) => wrappedKey.subarray(0, length)),
    ];
    for (const other of wrong) {
      const changed = { ...payload, metadata: { ...payload.metadata, wrappedKey: other } };
      await expect(decoded(keys.old, changed)).rejects.toMatchObject({ fault: 'tampered' });
    }
  });

  test('a payload that nobody encrypted passes as it is', async () => {
    expect(await decoded(keys.old, greeting)).toBe(greeting);
  });

  test('a thousand payloads cost one data key, and their decoding elsewhere one unwrap', async () => {
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

describe('the data key of a process', () => {
  const openClock = () => {
    const clock = { nowMs: 0 };
    const { counting, asked } = counted(secret(newKey('k1')));
    const codec = createPayloadCodec(counting, () => clock.nowMs);
    const wrappedKey = async () => {
      const [payload] = await codec.encode([greeting]);
      return Buffer.from(payload?.metadata?.['wrappedKey'] ?? []).toString('base64');
    };
    return { clock, asked, codec, wrappedKey };
  };

  test('is another one each hour', async () => {
    const { clock, asked, wrappedKey } = openClock();
    const first = await wrappedKey();
    clock.nowMs = hourMs - 1;
    expect(await wrappedKey()).toBe(first);
    clock.nowMs = hourMs;
    await wrappedKey();
    await expect.poll(wrappedKey).not.toBe(first);
    expect(asked.created).toBe(2);
  });

  test('goes on while no other is to be had, for a day, and is asked for once a minute', async () => {
    const { clock, asked, codec, wrappedKey } = openClock();
    const before = await codec.encode([greeting]);
    const first = await wrappedKey();
    asked.isAway = true;
    for (clock.nowMs = hourMs; clock.nowMs < 2 * hourMs; clock.nowMs += 10_000) expect(await wrappedKey()).toBe(first);
    expect(asked.created).toBe(1 + 60);
    clock.nowMs = 24 * hourMs;
    await expect(codec.encode([greeting])).rejects.toMatchObject({ fault: 'unavailable' });
    expect((await codec.decode(before)).map(plain)).toEqual([plain(greeting)]); // what was unwrapped is read on
    asked.isAway = false;
    expect(await wrappedKey()).not.toBe(first);
  });

  test('is made anew for whoever comes after a first one that failed', async () => {
    const { asked, codec } = openClock();
    asked.isAway = true;
    await expect(Promise.all([codec.encode([greeting]), codec.encode([greeting])])).rejects.toMatchObject({
      fault: 'unavailable',
    });
    expect(asked.created).toBe(1);
    asked.isAway = false;
    expect(await codec.encode([greeting])).toHaveLength(1);
  });

  test('that could not be unwrapped once is asked for again', async () => {
    const wrapper = secret(newKey('k1'));
    const payload = await encrypted(wrapper);
    const { counting, asked } = counted(wrapper);
    const codec = createPayloadCodec(counting);
    asked.isAway = true;
    await expect(codec.decode([payload])).rejects.toMatchObject({ fault: 'unavailable' });
    asked.isAway = false;
    expect((await codec.decode([payload])).map(plain)).toEqual([plain(greeting)]);
    expect(asked.unwrapped).toBe(2);
  });
});

describe('a key of KMS', () => {
  test('that is disabled for now is no reason to give up a payload, and who has its data key goes on', async () => {
    const key = await newKmsKey();
    const codec = createPayloadCodec(createKmsKeyWrapper(kms, key));
    const payloads = await codec.encode([greeting]);
    await kms.send(new DisableKeyCommand({ KeyId: key }));
    expect((await codec.decode(await codec.encode([greeting]))).map(plain)).toEqual([plain(greeting)]);
    const other = createPayloadCodec(createKmsKeyWrapper(kms, key));
    await expect(other.encode([greeting])).rejects.toMatchObject({ fault: 'unavailable' });
    await expect(other.decode(payloads)).rejects.toMatchObject({ fault: 'unavailable' });
  });

  test('while KMS is away, whoever has a data key goes on, and who has none is told so', async () => {
    const away = new KMSClient({ endpoint: 'http://127.0.0.1:9', maxAttempts: 1 });
    const near = createKmsKeyWrapper(kms, await newKmsKey());
    const far = createKmsKeyWrapper(away, await newKmsKey());
    let wrapper = near;
    const codec = createPayloadCodec({
      createDataKey: async () => await wrapper.createDataKey(),
      unwrap: async (keyId, wrappedKey) => await wrapper.unwrap(keyId, wrappedKey),
    });
    const payloads = await codec.encode([greeting]);
    wrapper = far;
    expect((await codec.decode([...payloads, ...(await codec.encode([greeting]))])).map(plain)).toEqual([
      plain(greeting),
      plain(greeting),
    ]);
    await expect(createPayloadCodec(far).encode([greeting])).rejects.toMatchObject({ fault: 'unavailable' });
    await expect(createPayloadCodec(far).decode(payloads)).rejects.toMatchObject({ fault: 'unavailable' });
    away.destroy();
  });
});

/** As payloads were written before there were data keys: the key of the secret itself, bound to its name alone. */
function oldPayload(keyId: string, key: Buffer): Payload {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(bytes(keyId));
  const text = cipher.update(proto.temporal.api.common.v1.Payload.encode(greeting).finish());
  const data = Buffer.concat([iv, text, cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: bytes('binary/encrypted'), keyId: bytes(keyId) }, data };
}

test('payloads that were written before there were data keys are still read, with their keys', async () => {
  const key = randomBytes(32);
  const wrapper = secret(`${newKey('2027')},old:${key.toString('base64')}`);
  const payload = oldPayload('old', key);
  expect(plain(await decoded(wrapper, payload))).toEqual(plain(greeting));
  const changed = { ...payload, data: withOneOther(payload.data ?? bytes(''), 20) };
  await expect(decoded(wrapper, changed)).rejects.toMatchObject({ fault: 'tampered' });
  await expect(decoded(secret(newKey('old')), payload)).rejects.toMatchObject({ fault: 'tampered' });
  await expect(decoded(secret(newKey('k1')), payload)).rejects.toMatchObject({ fault: 'unknown-key' });
  const byKms = createKmsKeyWrapper(kms, await newKmsKey());
  await expect(decoded(byKms, payload)).rejects.toMatchObject({ fault: 'unknown-key' });
});

test.each(['', 'k1', 'k1:short', `:${'A'.repeat(43)}=`, `k1:${'A'.repeat(43)}=,k1:${'B'.repeat(43)}=`])(
  'keys that cannot be right are refused at the start, without being shown: %j',
  (keys) => {
    expect(() => secret(keys)).toThrow(CodecError);
    expect(() => secret(keys)).toThrow('payload codec bad-keys');
  },
);
