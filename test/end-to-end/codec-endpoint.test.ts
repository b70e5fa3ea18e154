import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Payload } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { patientRecordId } from '../../core/contract/names.ts';
import type { AccessEntry } from '../../core/domain/access.ts';
import { problemType } from '../../lambdas/http/problems.ts';
import { ensurePythonTools } from '../../local/python-tools.ts';
import { findTemporal } from '../../local/temporal.ts';
import { testDir } from '../../tools/test-dir.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';
import { historiesOf } from '../histories.fixture.ts';
import { codecBody, decodedValues, encryptedBody } from '../payloads.fixture.ts';

let day: Day;
let api: NonNullable<Day['stack']['api']>;
let call: CallWithPermittedRole;
let tokens: Awaited<ReturnType<typeof openApi>>['tokens'];
let patientRef: string;
/** payloads in the history of the patient's workflow */
let stored: Payload[];

beforeAll(async () => {
  day = await startDay({ patients: 3, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  if (day.stack.api === undefined) throw new Error('the stack has no API');
  api = day.stack.api;
  await day.startWorker();
  await day.runToEnd();
  ({ call, tokens } = await openApi(day.stack));
  [patientRef = ''] = await day.storedRefs();
  await call('requestPatientSync', { body: { patientRef } });
  const [{ history } = { history: undefined }] = await historiesOf(day.client, patientRecordId(patientRef));
  stored = (history?.events ?? []).flatMap(
    ({ workflowExecutionStartedEventAttributes: started, workflowExecutionUpdateAcceptedEventAttributes: accepted }) =>
      [started?.input?.payloads ?? [], accepted?.acceptedRequest?.input?.args?.payloads ?? []].flat() as Payload[],
  );
}, 300_000);
afterAll(async () => await day[Symbol.asyncDispose]());

async function readEntries(ref = patientRef): Promise<AccessEntry[]> {
  const { entries } = await day.stores.accessLog.read(ref, 500);
  return entries.filter(({ operation }) => operation === 'read-workflow-payload');
}

const tampered = (): ReturnType<typeof codecBody> => {
  const [first, ...rest] = codecBody(stored).payloads;
  const data = Buffer.from(first?.data ?? '', 'base64');
  data[20] = (data[20] ?? 0) ^ 1;
  return { payloads: [{ metadata: first?.metadata ?? {}, data: data.toString('base64') }, ...rest] };
};

test('only operators can decrypt payloads, and only payloads that epa-sync has written', async () => {
  expect(stored.length).toBeGreaterThan(1);
  const rejected = await call('decodePayloads', { body: codecBody(stored), token: tokens.get('clinician') });
  expect([rejected.status, rejected.json.type]).toEqual([403, problemType('forbidden')]);
  const other = { ...day.stack, environment: { PAYLOAD_KEYS: `test:${Buffer.alloc(32).toString('base64')}` } };
  const unknown = { ...day.stack, environment: { PAYLOAD_KEYS: `none:${Buffer.alloc(32).toString('base64')}` } };
  for (const body of [
    tampered(),
    await encryptedBody(other, { patientRef }),
    await encryptedBody(unknown, { patientRef }),
  ]) {
    const { status, json } = await call('decodePayloads', { body });
    expect([status, json.type]).toEqual([422, problemType('payload-unreadable')]);
  }
  expect(await readEntries()).toEqual([]);
});

test('an operator reads payloads of Temporal, with one entry in the access log per view', async () => {
  for (let time = 0; time < 3; time++) {
    const { status, json, headers } = await call('decodePayloads', { body: codecBody(stored) });
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(api.temporalUiOrigin);
    const values = decodedValues(json);
    expect(values).toHaveLength(stored.length);
    expect(values[0]).toMatchObject({ patientRef });
    expect(JSON.stringify(values)).toContain('requestedBy');
  }
  const entries = await readEntries();
  expect(entries.length).toBeLessThanOrEqual(2); // two only if a new period of five minutes has begun
  expect(entries[0]).toMatchObject({ outcome: 'success', agent: { role: 'operator' }, source: { component: 'api' } });
  expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
});

test('an unencrypted payload is returned unchanged, without an entry in an access log', async () => {
  const ref = 'ab'.repeat(16);
  const body = codecBody([{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${ref}"`) }]);
  expect((await call('decodePayloads', { body })).json).toEqual(body);
  expect(await readEntries(ref)).toEqual([]);
});

test('every patient named in the payloads gets an entry', async () => {
  const refs = await day.storedRefs();
  const { json } = await call('decodePayloads', { body: await encryptedBody(day.stack, { patientRefs: refs }) });
  expect(decodedValues(json)).toEqual([{ patientRefs: refs }]);
  for (const ref of refs) expect((await readEntries(ref)).length).toBeGreaterThan(0);
});

test('the Temporal CLI reads a workflow through the endpoint, but not without a token', async () => {
  const command = await findTemporal(process.env, await ensurePythonTools(testDir));
  const show = async (...more: string[]) => {
    const { TEMPORAL_ADDRESS = '' } = day.stack.environment;
    const of = ['--address', TEMPORAL_ADDRESS, '--workflow-id', patientRecordId(patientRef), '--output', 'json'];
    const args = ['workflow', 'show', ...of, ...more];
    return (await promisify(execFile)(command, args, { maxBuffer: 64 << 20 })).stdout;
  };
  const { json } = await call('decodePayloads', { body: codecBody(stored) });
  const [decrypted] = (json as ReturnType<typeof codecBody>).payloads; // the CLI also shows it as protobuf JSON
  expect(await show()).not.toContain(decrypted?.data);
  const endpoint = ['--codec-endpoint', `${api.url}/codec`];
  expect(await show(...endpoint, '--codec-auth', `Bearer ${tokens.get('operator')}`)).toContain(decrypted?.data);
  // the CLI retries after any answer other than 200
  await expect(show(...endpoint, '--command-timeout', '5s')).rejects.toThrow(/failed getting next history event/);
});

test('only the origin of the Temporal web UI may call the endpoint', async () => {
  const { headers, status } = await fetch(`${api.url}/codec/decode`, {
    method: 'OPTIONS',
    headers: {
      origin: api.temporalUiOrigin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-namespace',
    },
  });
  expect([status, headers.get('access-control-allow-origin')]).toEqual([204, api.temporalUiOrigin]);
  expect(headers.get('access-control-allow-headers')).toBe('authorization,content-type,x-namespace');
});

test('the endpoint does not encrypt', async () => {
  const { status } = await fetch(`${api.url}/codec/encode`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get('operator')}`, 'content-type': 'application/json' },
    body: JSON.stringify(codecBody(stored)),
  });
  expect(status).toBe(404);
});
