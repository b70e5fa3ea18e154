import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isForeign } from '../contract/foreign-payload.ts';
import { createKmsKeyWrapper } from '../crypto/kms-key-wrapper.ts';
import { describeWrapping, greeting, plain } from './codec.fixture.ts';
import { createPayloadCodec, markingForeign } from './codec.ts';

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

describeWrapping('KMS', async () => {
  const [old, freshId] = [await newKmsKey(), await newKmsKey()];
  const fresh = createKmsKeyWrapper(kms, freshId);
  const impossibleIds = ['Größling', old.replace(/(?<=:kms:)[\w-]+/, 'eu-north-9'), old.replace(':key/', ':alias/')];
  return { old: createKmsKeyWrapper(kms, old), both: fresh, fresh, freshId, impossibleIds };
});

describe('a KMS key', () => {
  test('that is disabled makes payloads unavailable, but a process with the data key continues', async () => {
    const key = await newKmsKey();
    const codec = createPayloadCodec(createKmsKeyWrapper(kms, key));
    const payloads = await codec.encode([greeting]);
    await kms.send(new DisableKeyCommand({ KeyId: key }));
    expect((await codec.decode(await codec.encode([greeting]))).map(plain)).toEqual([plain(greeting)]);
    const other = createPayloadCodec(createKmsKeyWrapper(kms, key));
    await expect(other.encode([greeting])).rejects.toMatchObject({ fault: 'unavailable' });
    await expect(other.decode(payloads)).rejects.toMatchObject({ fault: 'unavailable' });
  });

  test('that this process may not use at the moment, or that is gone, makes payloads unavailable, and not foreign', async () => {
    const key = await newKmsKey();
    const payloads = await createPayloadCodec(createKmsKeyWrapper(kms, key)).encode([greeting]);
    for (const name of ['AccessDeniedException', 'NotFoundException']) {
      const denied = Object.create(kms, {
        send: { value: async () => await Promise.reject(Object.assign(new Error(), { name })) },
      });
      const reader = (own: string) => markingForeign(createPayloadCodec(createKmsKeyWrapper(denied, own)));
      await expect(reader(key).decode(payloads)).rejects.toMatchObject({ fault: 'unavailable' });
      const other = await newKmsKey();
      expect((await reader(other).decode(payloads)).map(isForeign)).toEqual([true]);
    }
  });

  test('that cannot be reached stops only processes without a data key', async () => {
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
