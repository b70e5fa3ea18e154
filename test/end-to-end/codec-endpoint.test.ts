import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Payload } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { patientRecordId } from '../../core/contract/names.ts';
import type { AccessEntry } from '../../core/domain/access.ts';
import { problemType } from '../../lambdas/http/problems.ts';
import { ensurePythonTools } from '../../local/python-tools.ts';
import { findTemporal } from '../../local/temporal.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';
import { historiesOf } from '../histories.fixture.ts';
import { codecBody, decodedValues, encryptedBody } from '../payloads.fixture.ts';
import { testDir } from '../stack.ts';

let day: Day;
let api: NonNullable<Day['stack']['api']>;
let ask: CallWithPermittedRole;
let tokens: Awaited<ReturnType<typeof openApi>>['tokens'];
let patientRef: string;
/** what Temporal has kept of the patient's workflow: who asked for a sync */
let kept: Payload[];

beforeAll(async () => {
  day = await startDay({ patients: 3, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  if (day.stack.api === undefined) throw new Error('the stack has no API');
  api = day.stack.api;
  await day.startWorker();
  await day.runToEnd();
  ({ ask, tokens } = await openApi(day.stack));
  [patientRef = ''] = await day.storedRefs();
  await ask('requestPatientSync', { body: { patientRef } });
  const [{ history } = { history: undefined }] = await historiesOf(day.client, patientRecordId(patientRef));
  kept = (history?.events ?? []).flatMap(
    ({ workflowExecutionStartedEventAttributes: started, workflowExecutionUpdateAcceptedEventAttributes: accepted }) =>
      [started?.input?.payloads ?? [], accepted?.acceptedRequest?.input?.args?.payloads ?? []].flat() as Payload[],
  );
}, 300_000);
afterAll(async () => await day[Symbol.asyncDispose]());

async function looks(ref = patientRef): Promise<AccessEntry[]> {
  const { entries } = await day.stores.accessLog.read(ref, 500);
  return entries.filter(({ operation }) => operation === 'read-workflow-payload');
}

const tampered = (): ReturnType<typeof codecBody> => {
  const [first, ...rest] = codecBody(kept).payloads;
  const data = Buffer.from(first?.data ?? '', 'base64');
  data[20] = (data[20] ?? 0) ^ 1;
  return { payloads: [{ metadata: first?.metadata ?? {}, data: data.toString('base64') }, ...rest] };
};

test('who is no operator reads nothing, and neither does anyone who sends what nobody of ours has written', async () => {
  expect(kept.length).toBeGreaterThan(1);
  const refused = await ask('decodePayloads', { body: codecBody(kept), token: tokens.get('clinician') });
  expect([refused.status, refused.json.type]).toEqual([403, problemType('forbidden')]);
  const other = { ...day.stack, environment: { PAYLOAD_KEYS: `test:${Buffer.alloc(32).toString('base64')}` } };
  const unknown = { ...day.stack, environment: { PAYLOAD_KEYS: `none:${Buffer.alloc(32).toString('base64')}` } };
  for (const body of [
    tampered(),
    await encryptedBody(other, { patientRef }),
    await encryptedBody(unknown, { patientRef }),
  ]) {
    const { status, json } = await ask('decodePayloads', { body });
    expect([status, json.type]).toEqual([422, problemType('payload-unreadable')]);
  }
  expect(await looks()).toEqual([]);
});

test('an operator reads what Temporal keeps, and the patient has it in their log, once for a look', async () => {
  for (let time = 0; time < 3; time++) {
    const { status, json, headers } = await ask('decodePayloads', { body: codecBody(kept) });
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(api.temporalUiOrigin);
    const values = decodedValues(json);
    expect(values).toHaveLength(kept.length);
    expect(values[0]).toMatchObject({ patientRef });
    expect(JSON.stringify(values)).toContain('requestedBy');
  }
  const entries = await looks();
  expect(entries.length).toBeLessThanOrEqual(2); // two only when five minutes have turned meanwhile
  expect(entries[0]).toMatchObject({ outcome: 'success', agent: { role: 'operator' }, source: { component: 'api' } });
  expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
});

test('what is not encrypted passes as it is, and is nobody’s access', async () => {
  const ref = 'ab'.repeat(16);
  const body = codecBody([{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(`"${ref}"`) }]);
  expect((await ask('decodePayloads', { body })).json).toEqual(body);
  expect(await looks(ref)).toEqual([]);
});

test('everyone whom the payloads name has an entry', async () => {
  const refs = await day.storedRefs();
  const { json } = await ask('decodePayloads', { body: await encryptedBody(day.stack, { patientRefs: refs }) });
  expect(decodedValues(json)).toEqual([{ patientRefs: refs }]);
  for (const ref of refs) expect((await looks(ref)).length).toBeGreaterThan(0);
});

test('Temporal’s own CLI reads a workflow by way of the endpoint, and not without a token', async () => {
  const command = await findTemporal(process.env, await ensurePythonTools(testDir));
  const show = async (...more: string[]) => {
    const { TEMPORAL_ADDRESS = '' } = day.stack.environment;
    const of = ['--address', TEMPORAL_ADDRESS, '--workflow-id', patientRecordId(patientRef), '--output', 'json'];
    const args = ['workflow', 'show', ...of, ...more];
    return (await promisify(execFile)(command, args, { maxBuffer: 64 << 20 })).stdout;
  };
  const { json } = await ask('decodePayloads', { body: codecBody(kept) });
  const [decrypted] = (json as ReturnType<typeof codecBody>).payloads; // the CLI shows it as JSON of protobuf, too
  expect(await show()).not.toContain(decrypted?.data);
  const endpoint = ['--codec-endpoint', `${api.url}/codec`];
  expect(await show(...endpoint, '--codec-auth', `Bearer ${tokens.get('operator')}`)).toContain(decrypted?.data);
  // it asks again and again, as for any answer that is not 200
  await expect(show(...endpoint, '--command-timeout', '5s')).rejects.toThrow(/failed getting next history event/);
});

test('Temporal’s page may ask, and no other page', async () => {
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

test('there is no way to have anything encrypted', async () => {
  const { status } = await fetch(`${api.url}/codec/encode`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get('operator')}`, 'content-type': 'application/json' },
    body: JSON.stringify(codecBody(kept)),
  });
  expect(status).toBe(404);
});
