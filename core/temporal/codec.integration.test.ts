import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { isForeign } from '../contract/foreign-payload.ts';
import { createKmsKeyWrapper } from '../crypto/kms-key-wrapper.ts';
import { describeWrapping, greeting, plain } from './codec.fixture.ts';
import { createPayloadCodec, markingForeign } from './codec.ts';
import { payloadCodecOf } from './connection.ts';

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
      const reader = (own: string, ...old: string[]) =>
        markingForeign(createPayloadCodec(createKmsKeyWrapper(denied, own, old)));
      const [other, another] = [await newKmsKey(), await newKmsKey()];
      for (const named of [reader(key), reader(other, another, key)])
        await expect(named.decode(payloads)).rejects.toMatchObject({ fault: 'unavailable' });
      expect((await reader(other, another).decode(payloads)).map(isForeign)).toEqual([true]);
    }
  });

  test('that a process may not use is waited for if OLD_PAYLOAD_KEY_ARNS names it, and is foreign otherwise', async () => {
    const [old, own] = [await newKmsKey(), await newKmsKey()];
    const payloads = await createPayloadCodec(createKmsKeyWrapper(kms, old)).encode([greeting]);
    const denying = createServer((_, response) =>
      response
        .writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
        .end('{"__type":"AccessDeniedException"}'),
    );
    await once(denying.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void denying.close());
    vi.stubEnv('AWS_ENDPOINT_URL_KMS', `http://127.0.0.1:${(denying.address() as AddressInfo).port}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const reader = (OLD_PAYLOAD_KEY_ARNS: string[]) =>
      payloadCodecOf({ AWS_REGION: process.env['AWS_REGION'] ?? '', PAYLOAD_KMS_KEY: own, OLD_PAYLOAD_KEY_ARNS });
    await expect(reader([old]).decode(payloads)).rejects.toMatchObject({ fault: 'unavailable' });
    await expect(reader([]).decode(payloads)).rejects.toMatchObject({ fault: 'unknown-key' });
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
