import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { accessLogTable } from '../core/stores/access-log.ts';
import { bundleLambdas } from '../infra/lambda-bundle.ts';
import { type Api, type Ask, newKvnr, openApi } from './api.fixture.ts';
import { problemType } from './problems.ts';
import { type Group, groups, type Operation, type OperationName, operations } from './routes.ts';
import { problem } from './schemas.ts';

/** Each Lambda as it is deployed: one file, in a process of its own. */
let api: Api;
let dir: string;
beforeAll(async () => {
  api = await openApi({ POWERTOOLS_LOG_LEVEL: 'DEBUG', POWERTOOLS_METRICS_DISABLED: 'false' });
  dir = mkdtempSync(join(tmpdir(), 'epa-sync-bundles-'));
  bundleLambdas(dir);
});
afterAll(() => rmSync(dir, { recursive: true }));

const host = `
  import { writeSync } from 'node:fs';
  import { createInterface } from 'node:readline';
  const { handler } = await import(process.argv[1]);
  for await (const line of createInterface({ input: process.stdin })) {
    writeSync(3, JSON.stringify(await handler(JSON.parse(line), {})) + '\\n');
  }
  process.exit(0);`;

/** Starts the Lambda of a group, asks it one thing after the other, and resolves with its answers and all that it printed. */
async function run(
  group: Group,
  asks: readonly (readonly [OperationName, Ask])[],
  environment: Readonly<Record<string, string>> = {},
) {
  const events = await Promise.all(asks.map(async ([name, ask]) => await api.eventOf(name, ask)));
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', host, join(dir, `${group}.mjs`)], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  process_.stdin.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const [answers, printed, complaints] = await Promise.all(
    [process_.stdio[3], process_.stdout, process_.stderr].map((stream) => text(stream as NodeJS.ReadableStream)),
  );
  const results = (answers ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as APIGatewayProxyResult);
  return { results, printed: `${printed}${complaints}` };
}

const nowhere = { TEMPORAL_ADDRESS: '127.0.0.1:9', AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' };

/** What a role that may asks of each operation that needs a token, for a patient who is stored. */
async function asks(): Promise<[OperationName, Ask][]> {
  const { patientRef, kvnr } = await api.storePatient('[{"id": "r1", "title": "Rückenschule"}]');
  const bodies: Partial<Record<OperationName, unknown>> = {
    decideRemovals: { decision: 'approve' },
    lookUpPatient: { kvnr },
    requestPatientSync: { kvnr },
  };
  return (Object.entries(operations) as [OperationName, Operation][]).flatMap(([name, { roles, params, body }]) => {
    if (!Array.isArray(roles)) return [];
    const ask = { role: roles[0], ...(params && { params: { patientRef } }) };
    return [[name, body ? { ...ask, body: bodies[name] ?? { reason: 'a test' } } : ask]];
  });
}

const ofGroup = (all: readonly [OperationName, Ask][], group: Group) =>
  all.filter(([name]) => operations[name].group === group);

test.each(['sync', 'line', 'patients', 'access-log'] as const)(
  'the Lambda %s works as one file, and prints no person, no token and no event',
  async (group) => {
    await api.stores.gateOf(api.insurerId).read();
    const all = ofGroup(await asks(), group);
    const token = await api.tokenOf('auditor');
    const { results, printed } = await run(group, [
      ...all,
      ...all.map(([name]) => [name, { token, body: { kvnr: 'A123456780' } }] as const),
    ]);
    for (const { statusCode } of results.slice(0, all.length)) expect([200, 202, 404, 409, 503]).toContain(statusCode);
    expect(printed).toContain('"correlationId"');
    expect(printed).toContain('"CloudWatchMetrics"');
    expect(printed).not.toMatch(/Größling|Rückenschule|A123456780|X\d{9}|eyJ|authorization/i);
    if (group === 'sync') await api.endRun();
  },
);

test('the Lambda openapi needs no settings but the origin that may read it', async () => {
  const { results } = await run('openapi', [['readOpenApi', {}]], { SECRET_ID: '', OIDC_ISSUER: '' });
  expect(results[0]?.statusCode).toBe(200);
  expect(JSON.parse(results[0]?.body ?? '').paths['/sync']).toBeDefined();
});

/** What can be done all the same. */
const stillDone = {
  Temporal: /^(read|list|lookUp|verify|pause|resume)/,
  DynamoDB: /^(startSync|cancelSync)$/,
  both: /^$/,
};

test.each([
  ['Temporal', { TEMPORAL_ADDRESS: nowhere.TEMPORAL_ADDRESS }],
  ['DynamoDB', { AWS_ENDPOINT_URL_DYNAMODB: nowhere.AWS_ENDPOINT_URL_DYNAMODB }],
  ['both', nowhere],
] as const)(
  'without %s, each operation answers what it documents, and shows and promises nothing that it cannot keep',
  async (what, environment) => {
    const all = await asks();
    const asked = groups.map(async (group) => {
      const own = ofGroup(all, group);
      if (own.length === 0) return;
      const { results, printed } = await run(group, own, environment);
      for (const [index, [name]] of own.entries()) {
        const result = results[index];
        const { access, answer, problems } = operations[name] as Operation;
        if (result?.statusCode === answer.status) {
          expect(name).toMatch(stillDone[what]);
          continue;
        }
        const { type } = problem.parse(JSON.parse(result?.body ?? ''));
        const expected = [...problems, ...(access ? (['access-log-unavailable'] as const) : [])];
        expect({ name, type, printed }).toEqual({ name, type: expect.toBeOneOf(expected.map(problemType)), printed });
        if (what !== 'Temporal') expect(result?.statusCode).toBe(503);
      }
    });
    await Promise.all(asked);
  },
  120_000,
);

/** The emulator's DynamoDB, but that one table answers every call with a failure of its own. */
async function startWithoutTable(table: string): Promise<string> {
  const emulator = process.env['AWS_ENDPOINT_URL'] ?? '';
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    if (body.includes(`"${table}"`)) {
      response
        .writeHead(500, { 'content-type': 'application/x-amz-json-1.0' })
        .end('{"__type": "InternalServerError"}');
      return;
    }
    const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
    const relayed = await fetch(emulator, { method: 'POST', headers, body });
    response.writeHead(relayed.status, { 'content-type': 'application/x-amz-json-1.0' }).end(await relayed.text());
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('while the access log alone cannot be written, nothing about a patient is answered: no data, no refusal, no «not found»', async () => {
  const environment = { AWS_ENDPOINT_URL_DYNAMODB: await startWithoutTable(accessLogTable) };
  const kvnr = newKvnr();
  const unknown: Ask = { role: 'clinician', params: { patientRef: api.refOf(kvnr) } };
  const { json } = await api.ask('readPatient', {
    role: 'clinician',
    params: {
      patientRef: (await api.storePatient('[{"id": "r1", "documents": [{"contentBase64": "QUJD"}]}]')).patientRef,
    },
  });
  const token = json.careRecords[0].documents[0].contentBase64.href.split('/').at(-1);
  const onPatients = (await asks()).filter(([name]) => (operations[name] as Operation).access !== undefined);
  const all: [OperationName, Ask][] = [
    ...onPatients,
    ...onPatients.map(([name, ask]): [OperationName, Ask] => [name, { ...ask, role: 'none' }]),
    ['readPatient', unknown],
    ['readLastSync', unknown],
    ['lookUpPatient', { role: 'clinician', body: { kvnr } }],
    ['readDocument', { params: { token } }],
  ];
  const asked = (['patients', 'access-log'] as const).map(async (group) => {
    const own = ofGroup(all, group);
    const { results } = await run(group, own, environment);
    expect(results).toHaveLength(own.length);
    for (const [index, { statusCode, headers, body }] of results.entries()) {
      const { type } = problem.parse(JSON.parse(body));
      const told = { ask: own[index], statusCode, type, location: headers?.['location'] };
      expect(told).toEqual({
        ...told,
        statusCode: 503,
        type: problemType('access-log-unavailable'),
        location: undefined,
      });
    }
  });
  await Promise.all(asked);
  const open = await run('sync', [['listRuns', { role: 'operator' }]], environment);
  expect(open.results[0]?.statusCode).toBe(200); // what concerns no patient goes on
}, 120_000);
