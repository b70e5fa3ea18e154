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

/** A Lambda as it is deployed to AWS: KMS wraps, and its secret holds no payload keys. */
beforeAll(async () => {
  const PAYLOAD_KMS_KEY = await newKey();
  keys = { AWS_REGION: process.env['AWS_REGION'] ?? '', PAYLOAD_KMS_KEY };
  api = await openApi({ PAYLOAD_KMS_KEY, TEMPORAL_UI_ORIGIN: `${temporalUi}/namespaces` });
});

async function newKey(): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
  return KeyMetadata?.Arn ?? '';
}

/** A value as a worker with its own data key keeps it. */
async function encrypted(value: unknown, config = keys) {
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
  return codecBody(await payloadCodecOf(config as Parameters<typeof payloadCodecOf>[0]).encode([payload]));
}

test('what a worker has encrypted is read with the key of KMS, by a page of Temporal’s', async () => {
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

test('what no key of ours can open is a problem, whoever else is in the same request, and nobody’s access', async () => {
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

test('a key that KMS does not let anyone use for now is told apart from a payload that nobody can read', async () => {
  const PAYLOAD_KMS_KEY = await newKey();
  const body = await encrypted({}, { ...keys, PAYLOAD_KMS_KEY });
  await kms.send(new ScheduleKeyDeletionCommand({ KeyId: PAYLOAD_KMS_KEY, PendingWindowInDays: 7 }));
  const { status, json } = await api.ask('decodePayloads', { role: 'operator', body });
  expect([status, json.type]).toEqual([503, problemType('unavailable')]);
});
