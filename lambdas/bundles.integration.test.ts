import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { APIGatewayProxyResult } from 'aws-lambda';
import { afterAll, beforeAll, expect, type OnTestFinishedHandler, test } from 'vitest';
import { defaultTables } from '../core/stores/tables.ts';
import { bundleLambdas } from '../infra/lambda-bundle.ts';
import { encryptedBody } from '../test/payloads.fixture.ts';
import { type Api, type Ask, newKvnr, openApi } from './http/api.fixture.ts';
import { startIssuer } from './http/issuer.fixture.ts';
import { readProblem } from './http/problem.fixture.ts';
import { problemType } from './http/problems.ts';
import { type Group, type Operation, type OperationName, operations } from './http/routes.ts';

/**
 * Tests each Lambda as it is deployed: one file, in its own process. A run is in progress, but no worker. The tests run
 * concurrently, because most of their time is spent waiting for limits.
 */
const { PAYLOAD_KEYS = '' } = process.env; // read before openApi moves them to the secret
let api: Api;
let dir: string;
beforeAll(async () => {
  api = await openApi({ POWERTOOLS_LOG_LEVEL: 'DEBUG', POWERTOOLS_METRICS_DISABLED: 'false' });
  dir = mkdtempSync(join(tmpdir(), 'epa-sync-bundles-'));
  bundleLambdas(dir);
  await api.stores.gateOf(api.insurerId).read();
  await api.ask('startSync', { role: 'operator' });
});
afterAll(async () => {
  await api.endRun();
  rmSync(dir, { recursive: true });
});

const host = `
  import { writeSync } from 'node:fs';
  import { text } from 'node:stream/consumers';
  const [, dir, order] = process.argv;
  const answer = async ({ group, event }) => {
    const { handler } = await import(dir + '/' + group + '.mjs');
    const startedMs = performance.now();
    const result = await handler(event, {});
    return { ...result, tookMs: performance.now() - startedMs };
  };
  const asked = JSON.parse(await text(process.stdin));
  const answers = order === 'concurrently' ? await Promise.all(asked.map(answer)) : [];
  if (order === 'one by one') for (const one of asked) answers.push(await answer(one));
  writeSync(3, JSON.stringify(answers));
  process.exit(0);`;

/**
 * Calls the Lambdas of some operations in one process. Returns their answers and everything that they
 * printed. Lambda works `one by one`; `concurrently` saves time if answers take as long as a limit.
 */
async function run(
  order: 'one by one' | 'concurrently',
  asks: readonly (readonly [OperationName, Ask])[],
  environment: Readonly<Record<string, string>> = {},
) {
  const asked = asks.map(async ([name, ask]) => ({
    group: operations[name].group,
    event: await api.eventOf(name, ask),
  }));
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', host, dir, order], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  process_.stdin.end(JSON.stringify(await Promise.all(asked)));
  const [answers = '', printed, complaints] = await Promise.all(
    [process_.stdio[3], process_.stdout, process_.stderr].map((stream) => text(stream as NodeJS.ReadableStream)),
  );
  const results: readonly (APIGatewayProxyResult & { readonly tookMs: number })[] = JSON.parse(answers);
  expect(results).toHaveLength(asks.length);
  return { results, printed: `${printed}${complaints}` };
}

const nowhere = { TEMPORAL_ADDRESS: '127.0.0.1:9', AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' };

/** Returns a valid request for each operation that needs a token, with a permitted role, for a stored patient. */
async function asks(): Promise<[OperationName, Ask][]> {
  const { patientRef, kvnr } = await api.storePatient('[{"id": "r1", "title": "Rückenschule"}]');
  const birthDate = new Date(randomInt(0, 1_000_000_000_000)).toISOString().slice(0, 10); // which no other test uses
  await api.storePatient(undefined, JSON.stringify({ familyName: 'Müller', givenName: 'Anna', birthDate }));
  const bodies: Partial<Record<OperationName, unknown>> = {
    decideRemovals: { decision: 'approve' },
    acknowledgeIssues: { issueIds: ['0'.repeat(32)], note: 'a test' },
    setPace: { requestsPerMinute: null, reason: 'a test' },
    reportAccessLog: { language: 'de', format: 'pdf' },
    lookUpPatient: { kvnr },
    searchPatients: { birthDate, familyName: 'Mü' },
    requestPatientSync: { kvnr },
    decodePayloads: await encryptedBody({ environment: { PAYLOAD_KEYS } }, { patientRef }),
    searchFhirPatients: { identifier: `http://fhir.de/sid/gkv/kvid-10|${kvnr}` },
  };
  return (Object.entries(operations) as [OperationName, Operation][]).flatMap(([name, { roles, params, body }]) => {
    if (!Array.isArray(roles)) return [];
    const id = `${patientRef}-${'0'.repeat(24)}`; // no resource has it
    const exportId = '20261130T050000Z-00000000';
    const of = params?.shape['id'] ? { id } : params?.shape['exportId'] ? { exportId } : { patientRef };
    const named = params && { params: of };
    const query = /^searchFhir(?!Patients)/.test(name) && { query: { patient: patientRef } };
    const ask = { role: roles[0], ...named, ...query };
    return [[name, body ? { ...ask, body: bodies[name] ?? { reason: 'a test' } } : ask]];
  });
}

/** Returns the token of a link to a stored document. */
async function linkToken(): Promise<string> {
  const { patientRef } = await api.storePatient('[{"id": "r1", "documents": [{"contentBase64": "QUJD"}]}]');
  const { json } = await api.ask('readPatient', { role: 'clinician', params: { patientRef } });
  return json.careRecords[0].documents[0].content.href.split('/').at(-1);
}

/** Returns the problems that an operation documents itself, as types. */
function outagesOf(name: OperationName): string[] {
  const { access, problems } = operations[name] as Operation;
  return [...problems, ...(access ? (['access-log-unavailable'] as const) : [])].map(problemType);
}

const ofGroup = (all: readonly [OperationName, Ask][], group: Group) =>
  all.filter(([name]) => operations[name].group === group);

test.concurrent.each(['sync', 'line', 'patients', 'access-log', 'fhir', 'changes', 'exports', 'codec'] as const)(
  'the Lambda %s works as one file, and prints no personal data, no token and no event',
  async (group) => {
    const all = ofGroup(await asks(), group);
    const token = await api.tokenOf('auditor');
    const { results, printed } = await run('one by one', [
      ...all,
      ...all.map(([name]) => [name, { token, body: { kvnr: 'A123456780' } }] as const),
    ]);
    for (const { statusCode } of results.slice(0, all.length)) expect([200, 202, 404, 409, 503]).toContain(statusCode);
    expect(printed).toContain('"correlationId"');
    expect(printed).toContain('"CloudWatchMetrics"');
    expect(printed).not.toMatch(/Größling|Rückenschule|A123456780|X\d{9}|eyJ|authorization/i);
  },
);

test.concurrent('the Lambda openapi needs no settings except the allowed origin', async () => {
  const { results } = await run('one by one', [['readOpenApi', {}]], { SECRET_ID: '', OIDC_ISSUER: '' });
  expect(results[0]?.statusCode).toBe(200);
  expect(JSON.parse(results[0]?.body ?? '').paths['/sync']).toBeDefined();
});

/** Operations that still work during an outage. */
const stillWorking = {
  Temporal: /^(read|list|search|lookUp|verify|report|pause|lift|setPace|resume|decode)/,
  DynamoDB: /^(startSync|cancelSync|checkAccessLogs)$/,
  'Temporal and DynamoDB': /^$/,
};

test.concurrent.each([
  ['Temporal', { TEMPORAL_ADDRESS: nowhere.TEMPORAL_ADDRESS }],
  ['DynamoDB', { AWS_ENDPOINT_URL_DYNAMODB: nowhere.AWS_ENDPOINT_URL_DYNAMODB }],
  ['Temporal and DynamoDB', nowhere],
] as const)(
  'without %s, each operation returns a documented answer, and promises nothing that it cannot keep',
  async (what, environment) => {
    const all = await asks();
    const { results, printed } = await run('concurrently', all, environment);
    for (const [index, [name]] of all.entries()) {
      const result = results[index];
      if (result?.statusCode === operations[name].answer.status) {
        expect(name).toMatch(stillWorking[what]);
        continue;
      }
      const { type } = readProblem(name, JSON.parse(result?.body ?? ''));
      expect({ name, type, printed }).toEqual({ name, type: expect.toBeOneOf(outagesOf(name)), printed });
      // one that needs no table may also answer 409: another test has just cancelled the run
      if (what !== 'Temporal' && !stillWorking[what].test(name))
        expect({ name, status: result?.statusCode }).toEqual({ name, status: 503 });
    }
  },
  60_000,
);

/** Closes a server and its connections when the test ends. */
function endWithTest(server: Server, onTestFinished: (end: OnTestFinishedHandler) => void): void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

/** Listens on loopback. @returns host and port */
async function listen(server: Server): Promise<string> {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** timeout of API Gateway, ms */
const gatewayMs = 29_000;

test.concurrent.for(['all storage and Temporal', 'the bucket', 'the secret'] as const)(
  'if calls to %s hang, the API answers with a problem before API Gateway times out',
  { timeout: 60_000 },
  async (what, { onTestFinished }) => {
    const silent = createTcpServer();
    endWithTest(silent, onTestFinished);
    const address = await listen(silent);
    const endpoint = `http://${address}`;
    const environment = {
      'all storage and Temporal': {
        AWS_ENDPOINT_URL_DYNAMODB: endpoint,
        AWS_ENDPOINT_URL_S3: endpoint,
        TEMPORAL_ADDRESS: address,
      },
      'the bucket': { AWS_ENDPOINT_URL_S3: endpoint },
      'the secret': { AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint },
    }[what];
    const ofBucket: [OperationName, Ask][] = [['readDocument', { params: { token: await linkToken() } }]];
    const all = what === 'the bucket' ? ofBucket : [...(await asks()), ...ofBucket];
    const { results } = await run('concurrently', all, environment);
    for (const [index, { statusCode, body, tookMs }] of results.entries()) {
      const name = all[index]?.[0] as OperationName;
      const expected = what === 'the secret' ? [problemType('unavailable')] : outagesOf(name);
      const { type } = readProblem(name, JSON.parse(body));
      const answer = { name, statusCode, type, tookMs };
      expect(answer).toEqual({ ...answer, statusCode: 503, type: expect.toBeOneOf(expected) });
      expect(tookMs).toBeLessThan(gatewayMs);
    }
  },
);

/** Starts a proxy to the emulator's DynamoDB. Calls to one table fail with InternalServerError. */
async function startWithoutTable(table: string, onTestFinished: (end: OnTestFinishedHandler) => void): Promise<string> {
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
  endWithTest(server, onTestFinished);
  return `http://${await listen(server)}`;
}

test.concurrent('if only the access log cannot be written, nothing about a patient is answered: no data, no rejection, no «not found»', async ({
  onTestFinished,
}) => {
  const environment = { AWS_ENDPOINT_URL_DYNAMODB: await startWithoutTable(defaultTables.accessLog, onTestFinished) };
  const kvnr = newKvnr();
  const unknown: Ask = { role: 'clinician', params: { patientRef: api.refOf(kvnr) } };
  const onPatients = (await asks()).filter(([name]) => (operations[name] as Operation).access !== undefined);
  const all: [OperationName, Ask][] = [
    ...onPatients,
    // a rejected request to the codec endpoint, or a rejected search, names no patient
    ...onPatients
      .filter(([name]) => name !== 'decodePayloads' && name !== 'searchPatients')
      .map(([name, ask]): [OperationName, Ask] => [name, { ...ask, role: 'none' }]),
    ['readPatient', unknown],
    ['readLastSync', unknown],
    ['lookUpPatient', { role: 'clinician', body: { kvnr } }],
    ['readDocument', { params: { token: await linkToken() } }],
  ];
  const { results } = await run('concurrently', all, environment);
  for (const [index, { statusCode, headers, body }] of results.entries()) {
    const { type } = readProblem(all[index]?.[0] as OperationName, JSON.parse(body));
    const answer = { ask: all[index], statusCode, type, location: headers?.['location'] };
    expect(answer).toEqual({
      ...answer,
      statusCode: 503,
      type: problemType('access-log-unavailable'),
      location: undefined,
    });
  }
  const open = await run('one by one', [['listRuns', { role: 'operator' }]], environment);
  expect(open.results[0]?.statusCode).toBe(200); // operations without a patient still work
}, 60_000);

test.concurrent('while the issuer is away, a Lambda that has just started still answers with its last keys', async () => {
  const issuer = await startIssuer();
  const s3 = new S3Client({ region: process.env['AWS_REGION'] ?? '' });
  const environment = { OIDC_ISSUER: issuer.url, BUCKET_NAME: `issuer-away-${process.pid}` };
  await s3.send(new CreateBucketCommand({ Bucket: environment.BUCKET_NAME }));
  const token = await issuer.sign({ sub: 'olga', roles: ['operator'] });
  const pause = [['pauseLine', { token, body: { reason: 'a test' } }]] as const;
  const before = await run('one by one', pause, environment);
  await issuer.stop();
  const after = await run('one by one', pause, environment);
  expect(after.results[0]?.statusCode).toBe(before.results[0]?.statusCode); // 503 line-not-silent, because no worker runs
  expect(after.results[0]?.body).not.toContain(problemType('unavailable'));
  expect(after.printed).toContain('"IssuerFailures":1');
  expect(before.printed).toContain('"IssuerFailures":0');
}, 60_000);

test.concurrent.for([
  ['on-demand', 0],
  ['provisioned-concurrency', 1],
] as const)(
  'a container that starts as %s has read its secret %i times before a request needs it',
  async ([how, times], { onTestFinished }) => {
    let reads = 0;
    const secrets = createServer((_, response) => {
      reads += 1;
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' }).end('{"__type": "DecryptionFailure"}');
    });
    endWithTest(secrets, onTestFinished);
    const environment = {
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://${await listen(secrets)}`,
      AWS_LAMBDA_INITIALIZATION_TYPE: how,
    };
    const withoutToken = [['readPatient', { params: { patientRef: api.refOf(newKvnr()) } }]] as const;
    const { results } = await run('one by one', withoutToken, environment);
    expect(results[0]?.statusCode).toBe(401); // a start that fails ends in no error of the Lambda
    expect(reads).toBe(times);
  },
);
