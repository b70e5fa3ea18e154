import { CreateKeyCommand, KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { beforeAll, expect, test } from 'vitest';
import { payloadCodecOf } from '../../core/temporal/connection.ts';
import { codecBody, decodedValues } from '../../test/payloads.fixture.ts';
import { type Api, openApi } from '../http/api.fixture.ts';
import { problemType } from '../http/problems.ts';

const temporalUi = 'https://cloud.temporal.io';
const kms = new KMSClient({});
let api: Api;
let keys: { readonly AWS_REGION: string; readonly PAYLOAD_KMS_KEY: string };

/** Tests the Lambda as it is deployed to AWS: KMS wraps data keys, and the secret holds no payload keys. */
beforeAll(async () => {
  const PAYLOAD_KMS_KEY = await newKey();
  keys = { AWS_REGION: process.env['AWS_REGION'] ?? '', PAYLOAD_KMS_KEY };
  api = await openApi({ PAYLOAD_KMS_KEY, TEMPORAL_UI_ORIGIN: `${temporalUi}/namespaces` });
});

async function newKey(): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
  return KeyMetadata?.Arn ?? '';
}

/** Returns a value as a worker encrypts it with its own data key. */
async function encrypted(value: unknown, config = keys) {
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
  return codecBody(await payloadCodecOf(config as Parameters<typeof payloadCodecOf>[0]).encode([payload]));
}

test('the Temporal UI reads what a worker has encrypted, with the KMS key', async () => {
  const { patientRef } = await api.storePatient();
  const body = await encrypted({ patientRef });
  const { status, json, headers } = await api.ask('decodePayloads', { role: 'operator', body });
  expect(status).toBe(200);
  expect(decodedValues(json)).toEqual([{ patientRef }]);
  expect(headers).toMatchObject({ 'access-control-allow-origin': temporalUi, 'cache-control': 'no-store' });
  const { entries } = await api.stores.accessLog.read(patientRef, 10);
  expect(entries).toMatchObject([
    { operation: 'read-workflow-payload', outcome: 'success', agent: { who: 'operator-1', role: 'operator' } },
  ]);
});

test('a payload that cannot be decrypted is a problem for the whole request, and no access is recorded', async () => {
  const { patientRef } = await api.storePatient();
  const good = await encrypted({ patientRef });
  const foreign = `${keys.PAYLOAD_KMS_KEY.slice(0, -1)}x`;
  const [payload] = good.payloads;
  const metadata = { ...payload?.metadata, keyId: Buffer.from(foreign).toString('base64') };
  const body = { payloads: [...good.payloads, { ...payload, metadata }] };
  const { status, json } = await api.ask('decodePayloads', { role: 'operator', body });
  expect([status, json.type]).toEqual([422, problemType('payload-unreadable')]);
  expect((await api.stores.accessLog.read(patientRef, 10)).entries).toEqual([]);
});

test('a disabled KMS key is reported differently from a payload that cannot be decrypted', async () => {
  const PAYLOAD_KMS_KEY = await newKey();
  const body = await encrypted({}, { ...keys, PAYLOAD_KMS_KEY });
  await kms.send(new ScheduleKeyDeletionCommand({ KeyId: PAYLOAD_KMS_KEY, PendingWindowInDays: 7 }));
  const { status, json } = await api.ask('decodePayloads', { role: 'operator', body });
  expect([status, json.type]).toEqual([503, problemType('unavailable')]);
});
