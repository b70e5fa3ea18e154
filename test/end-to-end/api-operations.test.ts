import { randomUUID } from 'node:crypto';
import { DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessEntry, type Role, roles } from '../../core/domain/access.ts';
import { systems } from '../../core/domain/fhir/uris.ts';
import { paceMax } from '../../core/domain/gate.ts';
import { defaultTables } from '../../core/stores/tables.ts';

import { isFhir, problemMediaType, problemTypeIn, readProblem } from '../../lambdas/http/problem.fixture.ts';
import { type ProblemName, problems, problemType } from '../../lambdas/http/problems.ts';
import { type Operation, type OperationName, operations, problemsOf } from '../../lambdas/http/routes.ts';
import { audience } from '../../local/issuer-process.ts';
import { readIssuerKeys } from '../../local/oidc/issuer-keys.ts';
import { fetchToken } from '../../local/oidc/token.ts';
import { type Answer, type ApiCall, callApi, linksIn } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';
import { encryptedBody } from '../payloads.fixture.ts';

interface Wrong {
  readonly call: ApiCall;
  readonly problem: ProblemName;
  /** the request names the patient, so that the attempt is in their access log */
  readonly isNamed?: true;
}
/** Requests to one operation: valid ones, invalid ones, and one without parameters. */
interface Case {
  readonly valid: ApiCall;
  /** the answer to a valid request, if it is a problem */
  readonly problem?: ProblemName;
  readonly invalid: readonly Wrong[];
  /** absent if the operation takes no parameters */
  readonly missing?: Wrong;
}

let day: Day;
let api: NonNullable<Day['stack']['api']>;
let patientRef: string;
let kvnr: string;
let link: string;
const tokens = new Map<Role, string>();
/** expected entries in the patient's access log, by correlation ID */
const attempts = new Map<string, Pick<AccessEntry, 'operation' | 'outcome'> & { readonly role: string }>();

beforeAll(async () => {
  day = await startDay({ patients: 30, rate: 0, malformedEntries: 1, notInsuredShare: 0 }, {}, { api: true });
  if (day.stack.api === undefined) throw new Error('the stack has no API');
  api = day.stack.api;
  await day.startWorker();
  await day.runToEnd();
  await day.line.pause({ operator: 'test', reason: 'keeps a run in progress' });
  for (const role of roles) tokens.set(role, await fetchToken(api.issuer, api.issuerKeys, role));
  for (const patient of day.insurer.patients()) {
    [patientRef, kvnr] = [day.refOf(patient.kvnr), patient.kvnr];
    link = await linkOf(patientRef);
    if (link !== '') return;
  }
  throw new Error('no patient has a document');
}, 300_000);
afterAll(async () => await day[Symbol.asyncDispose]());

/** Returns the token of a link to a document of the patient, or '' if there is none. */
const linkOf = async (patientRef: string): Promise<string> =>
  linksIn((await call('readPatient', { params: { patientRef }, token: tokens.get('clinician') })).json)[0] ?? '';

const call = async (name: OperationName, wanted?: ApiCall): Promise<Answer> => await callApi(api.url, name, wanted);

/** Details of the implementation, which no answer may contain. */
const internals =
  /node_modules|\.ts:\d|\.js:\d|\bat \w+ \(|middy|\bzod\b|\bjose\b|dynamo|temporal|aws-sdk|powertools|\bError:|sqlite/i;

/** Expects that an answer is documented and matches its schema. */
function expectDocumented(name: OperationName, answer: Answer): void {
  const operation: Operation = operations[name];
  const { status, headers, text, json } = answer;
  expect(headers.get('x-correlation-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('access-control-allow-origin')).toBe(
    name === 'decodePayloads' ? api.temporalUiOrigin : api.consoleOrigin,
  );
  if (status === operation.answer.status) {
    if (status === 302) expect(headers.get('location')).toMatch(/^http/);
    (operation.answer.schema ?? operation.answer.fhir)?.parse(json);
    return;
  }
  expect(headers.get('content-type')).toBe(problemMediaType(name));
  const { type } = readProblem(name, json);
  const documented = problemsOf(operation).filter((problem) => problems[problem].status === status);
  expect(documented.map(problemType)).toContain(type);
  expect(`${text}\n${[...headers].join('\n')}`).not.toMatch(internals);
}

/** Calls an operation with the token of a role. Remembers the attempt if the access log must contain it. */
async function attempt(name: OperationName, role: Role | 'nobody', wanted: ApiCall, isNamed: boolean): Promise<Answer> {
  const { access, roles: allowed }: Operation = operations[name];
  const correlationId = randomUUID();
  const headers = { ...wanted.headers, 'x-correlation-id': correlationId };
  const answer = await call(name, { ...wanted, headers, token: role === 'nobody' ? undefined : tokens.get(role) });
  expectDocumented(name, answer);
  expect(answer.headers.get('x-correlation-id')).toBe(correlationId);
  if (access === undefined || !isNamed || answer.status === 401) return answer;
  const outcome = answer.status === 403 ? 'refused' : answer.status < 400 ? 'success' : 'failed';
  // a link acts for the reader to whom it was issued
  attempts.set(correlationId, { operation: access, outcome, role: allowed === 'link' ? 'clinician' : role });
  return answer;
}

const resultOf = ({ status, json }: Answer): unknown => (status < 400 ? status : problemTypeIn(json));

const unknownField: Wrong = { call: { query: '?colour=red' }, problem: 'invalid-request' };
const brokenJson: Wrong = { call: { body: '{"a":' }, problem: 'invalid-request' };
const emptyBody: Wrong = { call: {}, problem: 'unsupported-media-type' };
const noPath: Wrong = { call: {}, problem: 'not-found' };
const badRefs = (): Wrong[] =>
  ['x', '..%5C..%5Cetc', patientRef.toUpperCase(), kvnr].map((ref) => ({
    call: { params: { patientRef: ref } },
    problem: 'invalid-request',
  }));
const badTokens = (): Wrong[] =>
  ['', 'x', link, 'a.b.c.d.e'].map((nextToken) => ({
    call: { params: { patientRef }, query: `?nextToken=${nextToken}` },
    problem: 'invalid-request',
    isNamed: true,
  }));
const acceptFhir = { accept: 'application/fhir+json' };
/** Requests that search resources of the patient. */
const search = (): Case => ({
  valid: { query: `?patient=Patient/${patientRef}` },
  invalid: [
    ...['x', patientRef.toUpperCase(), kvnr, `Group/${patientRef}`].map(
      (patient): Wrong => ({ call: { query: `?patient=${patient}` }, problem: 'invalid-request' }),
    ),
    { call: { query: `?patient=${patientRef}&patient=${patientRef}` }, problem: 'invalid-request' },
    { call: { query: `?patient=${patientRef}&identifier=x` }, problem: 'invalid-request' },
  ],
  missing: { call: {}, problem: 'invalid-request' },
});
/** Requests that read a resource of the patient's care records by its id. */
const readById = async (of: 'searchFhirEpisodes' | 'searchFhirDocuments'): Promise<Case> => {
  const { json } = await call(of, { query: `?patient=${patientRef}`, token: tokens.get('clinician') });
  return {
    valid: { params: { id: json.entry[0].resource.id }, headers: acceptFhir },
    invalid: [
      ...['x', patientRef, `${kvnr}-${'0'.repeat(24)}`].map(
        (id): Wrong => ({ call: { params: { id } }, problem: 'invalid-request' }),
      ),
      { call: { params: { id: `${patientRef}-${'0'.repeat(24)}` } }, problem: 'resource-unknown', isNamed: true },
    ],
    missing: noPath,
  };
};
const definition = (name: string): Case => ({
  valid: { params: { name } },
  invalid: [{ call: { params: { name: 'odd' } }, problem: 'invalid-request' }],
  missing: noPath,
});
const badExports = ['x', '..%5Cetc', '20261130T050000Z-1F3A9C0E'].map(
  (exportId): Wrong => ({ call: { params: { exportId } }, problem: 'invalid-request' }),
);
/** Exports of a day this small end before they can be paused (exports.test.ts does that). */
const unknownExport = (): Case => ({
  valid: { params: { exportId: '20261130T050000Z-00000000' } },
  problem: 'export-unknown',
  invalid: badExports,
  missing: noPath,
});
const reasons = ['', ' ', 'a\nb', 'x'.repeat(5_000), 7, null].map(
  (reason): Wrong => ({ call: { body: { reason } }, problem: 'invalid-request' }),
);

const pauseEnds = [
  'tomorrow',
  '2099-01-01T08:00:00',
  '2099-02-30T08:00:00Z',
  '2020-01-01T08:00:00Z',
  '2099-01-01T08:00:00Z',
].map((until): Wrong => ({ call: { body: { reason: 'a test', until } }, problem: 'invalid-request' }));

/** In the order of the table. The first starts a run, which waits for the line and stays in progress. */
const cases: Readonly<Record<OperationName, () => Case | Promise<Case>>> = {
  startSync: () => ({ valid: {}, invalid: [unknownField] }),
  readProgress: () => ({ valid: {}, invalid: [unknownField] }),
  listRuns: () => ({ valid: {}, invalid: [unknownField, { ...brokenToken }] }),
  listRunSamples: () => ({ valid: {}, invalid: [unknownField] }),
  listIssues: () => ({
    valid: {},
    invalid: [
      ...[unknownField, brokenToken],
      ...['runId=1', 'kind=odd', 'acknowledged=perhaps'].map(
        (query): Wrong => ({ call: { query: `?${query}` }, problem: 'invalid-request' }),
      ),
    ],
  }),
  acknowledgeIssues: () => ({
    valid: { body: { issueIds: ['0'.repeat(32)], note: 'a test' } },
    problem: 'issue-unknown',
    invalid: [
      brokenJson,
      ...[{ issueIds: [] }, { issueIds: ['x'] }, { note: '' }, { note: 'a\nb' }].map(
        (wrong): Wrong => ({
          call: { body: { issueIds: ['0'.repeat(32)], note: 'a test', ...wrong } },
          problem: 'invalid-request',
        }),
      ),
    ],
    missing: emptyBody,
  }),
  readInsurerReport: () => ({
    valid: { query: '?from=2026-01-01' },
    invalid: [
      unknownField,
      ...['runId=1', 'from=yesterday', 'from=2026-02-30', 'to=2026-01-01', 'from=2026-01-02&to=2026-01-01'].map(
        (query): Wrong => ({ call: { query: `?${query}` }, problem: 'invalid-request' }),
      ),
      {
        call: { query: '?runId=20261124T213000Z-1f3a9c0e&from=2026-01-01' },
        problem: 'invalid-request',
      },
      { call: { query: '?runId=20261124T213000Z-1f3a9c0e' }, problem: 'no-run-yet' },
    ],
  }),
  decideRemovals: () => ({
    valid: { body: { decision: 'approve' } },
    problem: 'no-decision-awaited',
    invalid: [brokenJson, { call: { body: { decision: 'perhaps' } }, problem: 'invalid-request' }],
    missing: emptyBody,
  }),
  cancelSync: () => ({
    valid: { body: { reason: 'the test is over' } },
    invalid: [brokenJson, ...reasons],
    missing: emptyBody,
  }),
  readLine: () => ({ valid: {}, invalid: [unknownField] }),
  pauseLine: () => ({
    valid: { body: { reason: 'a test' } },
    invalid: [brokenJson, ...reasons, ...pauseEnds],
    missing: emptyBody,
  }),
  resumeLine: () => ({ valid: { body: { reason: 'a test' } }, invalid: [brokenJson, ...reasons], missing: emptyBody }),
  liftCooldown: () => ({
    valid: { body: { reason: 'a test' } },
    invalid: [brokenJson, ...reasons],
    missing: emptyBody,
  }),
  setPace: () => ({
    valid: { body: { requestsPerMinute: null, reason: 'a test' } },
    invalid: [
      brokenJson,
      ...[0, -1, 1.5, paceMax + 1, '30', undefined].map(
        (requestsPerMinute): Wrong => ({
          call: { body: { requestsPerMinute, reason: 'a test' } },
          problem: 'invalid-request',
        }),
      ),
      { call: { body: { requestsPerMinute: 30 } }, problem: 'invalid-request' },
    ],
    missing: emptyBody,
  }),
  lookUpPatient: () => ({
    valid: { body: { kvnr } },
    invalid: [
      brokenJson,
      ...[
        `${kvnr.slice(0, -1)}${(Number(kvnr.at(-1)) + 1) % 10}`,
        `${kvnr}-`,
        `${kvnr}${' '.repeat(50)}`,
        7,
        [kvnr],
      ].map((wrong): Wrong => ({ call: { body: { kvnr: wrong } }, problem: 'invalid-request' })),
      { call: { body: { kvnr, more: 1 } }, problem: 'invalid-request' },
      { call: { body: `{"kvnr":"${kvnr}","__proto__":{}}` }, problem: 'invalid-request' },
    ],
    missing: emptyBody,
  }),
  searchPatients: () => ({
    valid: { body: { birthDate: '1985-03-07', familyName: 'Mü' } },
    invalid: [
      brokenJson,
      ...[
        { birthDate: '1985-03-07' },
        { familyName: 'Müller', givenName: 'Anna' },
        { birthDate: '1985-02-30', familyName: 'Mü' },
        { birthDate: '7.3.1985', familyName: 'Mü' },
        { birthDate: '1985-03-07', familyName: '-' },
        { birthDate: '1985-03-07', familyName: 'M'.repeat(201) },
        { birthDate: '1985-03-07', givenName: ['Anna'] },
        { birthDate: '1985-03-07', familyName: 'Mü', kvnr },
      ].map((body): Wrong => ({ call: { body }, problem: 'invalid-request' })),
    ],
    missing: emptyBody,
  }),
  readPatient: () => ({ valid: { params: { patientRef } }, invalid: [...badRefs(), ...badTokens()], missing: noPath }),
  requestPatientSync: () => ({
    valid: { body: { patientRef } },
    invalid: [brokenJson, { call: { body: { kvnr, patientRef } }, problem: 'invalid-request' }],
    missing: emptyBody,
  }),
  readLastSync: () => ({ valid: { params: { patientRef } }, invalid: badRefs(), missing: noPath }),
  readDocument: async () => {
    // a completed sync replaces the documents, and invalidates older links
    const lastSync = async () => (await day.stores.patients.readLastSync(patientRef))?.lastSync?.state;
    await expect.poll(lastSync, { timeout: 30_000 }).toBe('completed');
    const token = await linkOf(patientRef);
    return {
      valid: { params: { token } },
      invalid: [
        { call: { params: { token: 'a.b.c.d.e' } }, problem: 'document-unknown' },
        { call: { params: { token: 'x%20y' } }, problem: 'document-unknown' },
        { call: { params: { token }, query: '?as=pdf' }, problem: 'invalid-request' },
        { call: { params: { token: `${token.slice(0, -6)}AAAAAA` } }, problem: 'document-unknown' },
      ],
      missing: noPath,
    };
  },
  readAccessLog: () => ({
    valid: { params: { patientRef }, query: '?role=clinician' },
    invalid: [
      ...badRefs(),
      ...badTokens(),
      { call: { params: { patientRef }, query: '?from=yesterday' }, problem: 'invalid-request', isNamed: true },
    ],
    missing: noPath,
  }),
  verifyAccessLog: () => ({ valid: { params: { patientRef } }, invalid: badRefs(), missing: noPath }),
  reportAccessLog: () => {
    const body = { language: 'de', format: 'pdf' };
    return {
      valid: { params: { patientRef }, body },
      invalid: [
        ...badRefs().map((wrong) => ({ ...wrong, call: { ...wrong.call, body } })),
        {
          call: { params: { patientRef }, body: { ...body, language: 'fr' } },
          problem: 'invalid-request',
          isNamed: true,
        },
        {
          call: { params: { patientRef }, body: { ...body, from: 'yesterday' } },
          problem: 'invalid-request',
          isNamed: true,
        },
      ],
      missing: noPath,
    };
  },
  checkAccessLogs: () => ({ valid: {}, invalid: [unknownField] }),
  readAccessLogCheck: () => ({ valid: {}, invalid: [unknownField] }),
  readFhirMetadata: () => ({ valid: {}, invalid: [unknownField] }),
  readFhirStructureDefinition: () => definition('access-log-chain'),
  readFhirCodeSystem: () => definition('role'),
  readFhirPatient: () => ({ valid: { params: { patientRef } }, invalid: badRefs(), missing: noPath }),
  searchFhirPatients: () => ({
    valid: { body: { identifier: `${systems.kvnr}|${kvnr}` } },
    invalid: [kvnr, `${systems.kvnr}|`, `${systems.kvnr}|${kvnr}-`, `http://other.example|${kvnr}`].map(
      (identifier): Wrong => ({ call: { body: { identifier } }, problem: 'invalid-request' }),
    ),
    missing: emptyBody,
  }),
  readFhirEverything: () => ({
    valid: { params: { patientRef }, query: '?_count=3' },
    invalid: [...badRefs(), ...badTokens()],
    missing: noPath,
  }),
  readFhirCoverage: () => ({ valid: { params: { patientRef } }, invalid: badRefs(), missing: noPath }),
  searchFhirCoverages: search,
  readFhirEpisode: async () => await readById('searchFhirEpisodes'),
  searchFhirEpisodes: search,
  readFhirDocument: async () => await readById('searchFhirDocuments'),
  searchFhirDocuments: search,
  readFhirBinary: async () => await readById('searchFhirDocuments'),
  searchFhirAuditEvents: search,
  readChanges: () => ({
    valid: { query: '?since=now&limit=5' },
    invalid: [
      unknownField,
      ...['since=', 'since=x', `since=${link}`, 'limit=0', 'limit=1001', 'limit=many', 'since=now&since=now'].map(
        (query): Wrong => ({ call: { query: `?${query}` }, problem: 'invalid-request' }),
      ),
    ],
  }),
  startExport: () => ({ valid: {}, invalid: [unknownField] }),
  listExports: () => ({ valid: {}, invalid: [unknownField] }),
  readExport: async () => {
    const { json } = await call('listExports', { token: tokens.get('integration') });
    // without the ID, the emulator finds the route of listExports
    return { valid: { params: { exportId: json.exports[0].exportId } }, invalid: badExports };
  },
  pauseExport: unknownExport,
  resumeExport: unknownExport,
  cancelExport: unknownExport,
  decodePayloads: async () => {
    const body = await encryptedBody(day.stack, { patientRef });
    const [payload] = body.payloads;
    const broken = { payloads: [{ ...payload, data: payload?.data.slice(4) }] };
    return {
      valid: { body },
      invalid: [
        brokenJson,
        { call: { body: broken }, problem: 'payload-unreadable' },
        ...[{}, { payloads: {} }, { payloads: [7] }, { payloads: [{ data: 'ü' }] }, { ...body, more: 1 }].map(
          (wrong): Wrong => ({ call: { body: wrong }, problem: 'invalid-request' }),
        ),
      ],
      missing: emptyBody,
    };
  },
  readOpenApi: () => ({ valid: {}, invalid: [unknownField] }),
};
/**
 * Operations whose request names no patient: only those who can decrypt payloads know whom they name
 * (codec-endpoint.test.ts), and a search names those whom it finds (operations.integration.test.ts).
 */
const namesNobody: readonly OperationName[] = ['decodePayloads', 'searchPatients'];
const brokenToken: Wrong = { call: { query: '?nextToken=x' }, problem: 'invalid-request' };

describe.each(Object.keys(operations) as OperationName[])('%s', (name) => {
  const operation: Operation = operations[name];
  const mayAsk = (role: Role): boolean => !Array.isArray(operation.roles) || operation.roles.includes(role);

  test.each(roles)('as %s', async (role) => {
    const { valid, problem, invalid, missing } = await cases[name]();
    const isAllowed = mayAsk(role);
    const isOfPatient = operation.access !== undefined && !namesNobody.includes(name);
    const right = await attempt(name, role, valid, isOfPatient);
    const wanted = problem === undefined ? operation.answer.status : problemType(problem);
    expect(resultOf(right)).toEqual(isAllowed ? wanted : problemType('forbidden'));
    for (const wrong of invalid) {
      const answer = await attempt(name, role, wrong.call, wrong.isNamed ?? false);
      const expected = problemType(isAllowed ? wrong.problem : 'forbidden');
      expect({ wrong, result: resultOf(answer) }).toEqual({ wrong, result: expected });
    }
    if (missing?.problem === 'not-found') {
      // API Gateway has no route for an empty segment; the emulator drops it, and may find the route of another
      // operation
      const { status, headers } = await call(name, { token: tokens.get(role) });
      expect({ status, type: headers.get('content-type') }).toEqual({
        status: expect.toBeOneOf([400, 403, 404]),
        type: expect.toBeOneOf(['application/problem+json', problemMediaType(name)]),
      });
    } else if (missing) {
      const answer = await attempt(name, role, missing.call, false);
      expect(resultOf(answer)).toEqual(problemType(isAllowed ? missing.problem : 'forbidden'));
    }
  });

  test.runIf(Array.isArray(operation.roles))('without a token, or with an invalid one', async () => {
    const { valid } = await cases[name]();
    expect(resultOf(await attempt(name, 'nobody', valid, true))).toEqual(problemType('unauthenticated'));
    for (const [what, token] of await badBearers()) {
      const answer = await call(name, { ...valid, token });
      expectDocumented(name, answer);
      expect({ what, result: resultOf(answer) }).toEqual({ what, result: problemType('unauthenticated') });
    }
  });

  test.runIf(operation.body !== undefined)('with a body that is too large or not JSON', async () => {
    const { valid } = await cases[name]();
    const token = roles.find(mayAsk);
    const asRole = { ...valid, token: token && tokens.get(token) };
    const { bodyMaxBytes = 16 * 1024 } = operation;
    for (const bytes of [bodyMaxBytes + 600, bodyMaxBytes + 1_000_000]) {
      const answer = await call(name, { ...asRole, body: JSON.stringify({ reason: 'x'.repeat(bytes) }) });
      expectDocumented(name, answer);
      expect(resultOf(answer)).toEqual(problemType('body-too-large'));
    }
    const answer = await call(name, { ...asRole, headers: { 'content-type': 'text/plain' } });
    expectDocumented(name, answer);
    expect(resultOf(answer)).toEqual(problemType('unsupported-media-type'));
  });
});

/**
 * Returns tokens signed with the issuer's key that are invalid in one way each, an unsigned one, and a text that is no
 * token.
 */
async function badBearers(): Promise<[string, string][]> {
  const { signingKey } = readIssuerKeys(api.issuerKeys);
  const key = await importJWK(signingKey, 'RS256');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const good = {
    iss: api.issuer,
    aud: audience,
    sub: 'anna',
    roles: [...roles],
    iat: nowSeconds,
    exp: nowSeconds + 300,
  };
  const sign = async (claims: JWTPayload) =>
    await new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'RS256', kid: signingKey.kid }).sign(key);
  return [
    ['expired', await sign({ exp: nowSeconds - 60 })],
    ['not yet valid', await sign({ nbf: nowSeconds + 60 })],
    ['for another audience', await sign({ aud: 'another-api' })],
    ['of another issuer', await sign({ iss: 'https://issuer.example' })],
    ['alg none', new UnsecuredJWT(good).encode()],
    ['no token at all', 'a.b.c'],
  ];
}

test('a valid token signed in the same way is accepted, so the invalid ones are rejected for the right reason', async () => {
  const { signingKey } = readIssuerKeys(api.issuerKeys);
  const key = await importJWK(signingKey, 'RS256');
  const token = await new SignJWT({ iss: api.issuer, aud: audience, sub: 'anna', roles: ['operator'] })
    .setProtectedHeader({ alg: 'RS256', kid: signingKey.kid })
    .setExpirationTime('1m')
    .sign(key);
  expect((await call('listRuns', { token })).status).toBe(200);
});

test('a cancelled run shows who cancelled it, and why', async () => {
  const { json } = await call('listRuns', { token: tokens.get('management') });
  const [cancelled] = json.runs.filter(({ state }: { state: string }) => state === 'cancelled');
  expect(cancelled?.cancellation).toEqual({ by: expect.stringContaining('operator'), reason: 'the test is over' });
});

test('every attempt is in the access log of the patient exactly once, and the chain is valid', async () => {
  const expected = new Map(attempts);
  expect(expected.size).toBeGreaterThan(50);
  const token = tokens.get('auditor');
  const entries: AccessEntry[] = [];
  let nextToken: string | undefined;
  do {
    const query = nextToken === undefined ? '' : `?nextToken=${nextToken}`;
    const { json } = await call('readAccessLog', { params: { patientRef }, query, token });
    entries.push(...json.entries);
    nextToken = json.nextToken;
  } while (nextToken !== undefined);
  const recorded = entries.flatMap(({ source: { correlationId = '' }, operation, outcome, agent: { role } }) =>
    expected.has(correlationId) ? [[correlationId, { operation, outcome, role }] as const] : [],
  );
  expect(recorded.length).toBe(expected.size);
  expect(new Map(recorded)).toEqual(expected);
  const { json } = await call('verifyAccessLog', { params: { patientRef }, token });
  expect(json).toMatchObject({ valid: true });
  expect(JSON.stringify(entries)).not.toContain(kvnr);
});

test('path traversal reaches no operation', async () => {
  for (const path of ['/patients/..%2F..%2Fetc%2Fpasswd', '/patients/%2e%2e/line', '/documents/..%2F..%2Fx']) {
    const answer = await fetch(`${api.url}${path}`, {
      headers: { authorization: `Bearer ${tokens.get('clinician')}` },
    });
    expect(answer.status).toBeOneOf([400, 403, 404]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.text()).not.toMatch(internals);
  }
});

test('only pages of the console origin may read the API', async () => {
  for (const origin of [api.consoleOrigin, 'https://elsewhere.example', 'null']) {
    const preflight = await fetch(`${api.url}/sync`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
    });
    const answer = await fetch(`${api.url}/sync`, { headers: { origin } });
    const nowhere = await fetch(`${api.url}/nowhere`, { headers: { origin } });
    for (const { headers } of [preflight, answer, nowhere]) {
      expect(headers.get('access-control-allow-origin')).toBe(api.consoleOrigin);
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
  }
});

// the last test: afterwards no patient data can be read
test('without the access log no patient data is shown, and other operations still work', async () => {
  const { json } = await call('readPatient', { params: { patientRef }, token: tokens.get('clinician') });
  const dynamo = new DynamoDBClient({});
  await dynamo.send(new DeleteTableCommand({ TableName: defaultTables.accessLog }));
  dynamo.destroy();
  for (const [name, { access, roles }] of Object.entries(operations) as [OperationName, Operation][]) {
    if (access === undefined || namesNobody.includes(name)) continue;
    const params = { patientRef, token: linksIn(json)[0] ?? '', id: `${patientRef}-${'0'.repeat(24)}` };
    const posted = isFhir(name) ? { identifier: `${systems.kvnr}|${kvnr}` } : { kvnr };
    const body = operations[name].method === 'POST' ? posted : undefined;
    const query = /^searchFhir(?!Patients)/.test(name) ? `?patient=${patientRef}` : '';
    for (const role of [...tokens.keys()]) {
      const answer = await call(name, { params, query, body, token: roles === 'link' ? undefined : tokens.get(role) });
      expectDocumented(name, answer);
      const { status } = answer;
      expect({ name, role, result: resultOf(answer), status }).toEqual({
        name,
        role,
        result: problemType('access-log-unavailable'),
        status: 503,
      });
      expect(answer.headers.get('location')).toBeNull();
    }
  }
  const payloads = { body: await encryptedBody(day.stack, { patientRef }), token: tokens.get('operator') };
  const notDecoded = await call('decodePayloads', payloads);
  expect(resultOf(notDecoded)).toBe(problemType('access-log-unavailable'));
  expect((await call('listRuns', { token: tokens.get('management') })).status).toBe(200);
});
