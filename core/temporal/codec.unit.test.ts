import { describe, expect, test } from 'vitest';
import { isForeign } from '../contract/foreign-payload.ts';
import { CodecError } from '../crypto/key-wrapper.ts';
import { counted, describeWrapping, encrypted, greeting, newKey, plain, secret } from './codec.fixture.ts';
import { createPayloadCodec, markingForeign } from './codec.ts';

const hourMs = 3_600_000;

describeWrapping('keys of a secret', async () => {
  const [old, fresh] = [newKey('2026'), newKey('2027')];
  const ids = { freshId: '2027', impossibleIds: ['Größling', 'a b'] };
  return { old: secret(old), both: secret(`${fresh},${old}`), fresh: secret(fresh), ...ids };
});

test('a payload whose data key was wrapped with an unknown key is foreign to a worker; keys that are away are not', async () => {
  const { counting, asked } = counted(secret(newKey('2026')));
  const codec = createPayloadCodec(counting);
  const worker = markingForeign(codec);
  for (const keyId of ['2025', 'next-year']) {
    const payload = await encrypted(secret(newKey(keyId)));
    await expect(codec.decode([payload])).rejects.toMatchObject({ fault: 'unknown-key' });
    expect((await worker.decode([payload])).map(isForeign)).toEqual([true]);
    asked.isAway = true;
    await expect(worker.decode([payload])).rejects.toMatchObject({ fault: 'unavailable' });
    asked.isAway = false;
  }
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

  test('is replaced each hour', async () => {
    const { clock, asked, wrappedKey } = openClock();
    const first = await wrappedKey();
    clock.nowMs = hourMs - 1;
    expect(await wrappedKey()).toBe(first);
    clock.nowMs = hourMs;
    await wrappedKey();
    await expect.poll(wrappedKey).not.toBe(first);
    expect(asked.created).toBe(2);
  });

  test('is used for a day if no new key is available, and is retried once a minute', async () => {
    const { clock, asked, codec, wrappedKey } = openClock();
    const before = await codec.encode([greeting]);
    const first = await wrappedKey();
    asked.isAway = true;
    for (clock.nowMs = hourMs; clock.nowMs < 2 * hourMs; clock.nowMs += 10_000) expect(await wrappedKey()).toBe(first);
    expect(asked.created).toBe(1 + 60);
    clock.nowMs = 24 * hourMs;
    await expect(codec.encode([greeting])).rejects.toMatchObject({ fault: 'unavailable' });
    expect((await codec.decode(before)).map(plain)).toEqual([plain(greeting)]); // unwrapped keys stay in the cache
    asked.isAway = false;
    expect(await wrappedKey()).not.toBe(first);
  });

  test('is requested again after a first failure', async () => {
    const { asked, codec } = openClock();
    asked.isAway = true;
    await expect(Promise.all([codec.encode([greeting]), codec.encode([greeting])])).rejects.toMatchObject({
      fault: 'unavailable',
    });
    expect(asked.created).toBe(1);
    asked.isAway = false;
    expect(await codec.encode([greeting])).toHaveLength(1);
  });

  test('is unwrapped again after a failure', async () => {
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

test.each(['', 'k1', 'k1:short', `:${'A'.repeat(43)}=`, `k1:${'A'.repeat(43)}=,k1:${'B'.repeat(43)}=`])(
  'malformed keys are rejected at the start, without being shown: %j',
  (keys) => {
    expect(() => secret(keys)).toThrow(CodecError);
    expect(() => secret(keys)).toThrow('payload codec bad-keys');
  },
);
