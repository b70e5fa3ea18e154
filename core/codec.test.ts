import { randomBytes } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError, createPayloadCodec } from './codec.ts';

const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const bytes = (text: string) => new TextEncoder().encode(text);
const greeting: Payload = { metadata: { encoding: bytes('json/plain') }, data: bytes('"Anna Müller"') };

async function encrypted(keys: string, payload = greeting) {
  const [result] = await createPayloadCodec(keys).encode([payload]);
  if (!result?.data || !result.metadata) throw new Error('no payload');
  return { metadata: result.metadata, data: result.data };
}

const decoded = async (keys: string, payload: Payload) => (await createPayloadCodec(keys).decode([payload]))[0];

/** Payloads are compared by what they hold: protobuf gives back other classes of bytes. */
const plain = (payload: Payload | undefined) => ({
  metadata: Object.fromEntries(
    Object.entries(payload?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value)]),
  ),
  data: Buffer.from(payload?.data ?? []),
});

test('whatever a payload holds comes back byte by byte', async () => {
  const keys = newKey('k1');
  const payloads = fc.record({
    metadata: fc.dictionary(fc.string({ minLength: 1 }), fc.uint8Array()),
    data: fc.uint8Array({ maxLength: 2000 }),
  });
  await fc.assert(
    fc.asyncProperty(payloads, async (payload) => {
      expect(plain(await decoded(keys, await encrypted(keys, payload)))).toEqual(plain(payload));
    }),
  );
});

test('neither the value nor its metadata can be read in what Temporal keeps, and no two are alike', async () => {
  const keys = newKey('k1');
  const [one, other] = [await encrypted(keys), await encrypted(keys)];
  expect(Buffer.from(one.data).toString('latin1')).not.toMatch(/Anna|json\/plain/);
  expect(Buffer.from(one.data).equals(other.data)).toBe(false);
  expect(Object.keys(one.metadata)).toEqual(['encoding', 'keyId']);
});

test('after a change of keys the old payloads are still read, and new ones use the new key', async () => {
  const [old, fresh] = [newKey('2026'), newKey('2027')];
  const before = await encrypted(old);
  expect(plain(await decoded(`${fresh},${old}`, before))).toEqual(plain(greeting));
  const after = await encrypted(`${fresh},${old}`);
  expect(plain(await decoded(fresh, after))).toEqual(plain(greeting));
});

test('a payload under a key that is not known is refused as such', async () => {
  await expect(decoded(newKey('k2'), await encrypted(newKey('k1')))).rejects.toMatchObject({ fault: 'unknown-key' });
});

test('a payload whose key has another value under the same name is refused', async () => {
  await expect(decoded(newKey('k1'), await encrypted(newKey('k1')))).rejects.toMatchObject({ fault: 'tampered' });
});

test('a payload is bound to the name of its key', async () => {
  const key = randomBytes(32).toString('base64');
  const payload = await encrypted(`k1:${key}`);
  const renamed = { ...payload, metadata: { ...payload.metadata, keyId: bytes('k2') } };
  await expect(decoded(`k2:${key}`, renamed)).rejects.toMatchObject({ fault: 'tampered' });
});

test('a payload of which any one bit was changed is refused', async () => {
  const keys = newKey('k1');
  const payload = await encrypted(keys);
  for (let index = 0; index < payload.data.length; index++) {
    const data = Uint8Array.from(payload.data);
    data[index] = (data[index] ?? 0) ^ (1 << (index % 8));
    await expect(decoded(keys, { ...payload, data })).rejects.toMatchObject({ fault: 'tampered' });
  }
});

test('a payload cut at any length is refused', async () => {
  const keys = newKey('k1');
  const payload = await encrypted(keys);
  for (let length = 0; length < payload.data.length; length++) {
    const cut = { ...payload, data: payload.data.subarray(0, length) };
    await expect(decoded(keys, cut)).rejects.toMatchObject({ fault: 'tampered' });
  }
});

test('a payload that nobody encrypted passes as it is', async () => {
  expect(await decoded(newKey('k1'), greeting)).toBe(greeting);
});

test.each(['', 'k1', 'k1:short', `:${'A'.repeat(43)}=`, `k1:${'A'.repeat(43)}=,k1:${'B'.repeat(43)}=`])(
  'keys that cannot be right are refused at the start, without being shown: %j',
  (keys) => {
    expect(() => createPayloadCodec(keys)).toThrow(CodecError);
    expect(() => createPayloadCodec(keys)).toThrow('payload codec bad-keys');
  },
);
