import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AccessDraft, type AccessEntry, type Role, roles } from '../../core/domain/access.ts';
import type { PersonVerification } from '../../core/domain/access-log.ts';
import { openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { searchesMax, searchWindowSeconds } from '../../core/stores/search-limits.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { draftFor } from '../../test/access-draft.fixture.ts';
import { type Answered, type Api, type Ask, newKvnr, openApi, withOneCharacterChanged } from '../http/api.fixture.ts';
import { isFhir, problemMediaType, problemTypeIn, readProblem, sentBody } from '../http/problem.fixture.ts';
import { problems, problemType } from '../http/problems.ts';
import { type Operation, type OperationName, operations, problemsOf } from '../http/routes.ts';

let api: Api;
let patient: Awaited<ReturnType<Api['storePatient']>>;
/** Today and tomorrow in Germany, so that quiet hours do not end during the test. */
const quietDays = [0, 1].map((days) =>
  new Date(Date.now() + days * 86_400_000).toLocaleDateString('en-GB', { timeZone: 'Europe/Berlin', weekday: 'short' }),
);
beforeAll(async () => {
  api = await openApi({ LINE_QUIET_HOURS: `${quietDays.join('-')} 00:00-24:00`, LINE_QUIET_HOURS_PEOPLE: 'wait' });
  patient = await api.storePatient('[{"id": "r1", "documents": [{"id": "d1", "contentBase64": "QUJD"}]}]');
  await api.stores.gateOf(api.insurerId).read(); // creates the gate, as a worker does that holds the line
});

const table = Object.entries(operations) as [OperationName, Operation][];
const forRoles = table.filter(([, { roles }]) => Array.isArray(roles));

/** Valid requests. */
async function validAsk(name: OperationName): Promise<Ask> {
  const { params, body } = operations[name] as Operation;
  const bodies: Partial<Record<OperationName, unknown>> = {
    acknowledgeIssues: { issueIds: ['0'.repeat(32)], note: 'a test' },
    decideRemovals: { decision: 'approve', listId: '20261124T213000Z-1f3a9c0e-1' },
    cancelSync: { reason: 'a test' },
    pauseLine: { reason: 'a test' },
    resumeLine: { reason: 'a test' },
    liftCooldown: { reason: 'a test' },
    setPace: { requestsPerMinute: null, reason: 'a test' },
    lookUpPatient: { kvnr: patient.kvnr },
    searchPatients: { birthDate: '1985-03-07', familyName: 'Mü' },
    decodePayloads: { payloads: [] },
    reportAccessLog: { language: 'de', format: 'pdf' },
    requestPatientSync: { patientRef: patient.patientRef },
    searchFhirPatients: { identifier: `http://fhir.de/sid/gkv/kvid-10|${patient.kvnr}` },
  };
  if (name === 'readDocument') {
    const read = await api.ask('readPatient', { role: 'clinician', params: { patientRef: patient.patientRef } });
    return { params: { token: read.json.careRecords[0].documents[0].content.href.split('/').at(-1) } };
  }
  if (params !== undefined && operations[name].group === 'exports')
    return { params: { exportId: '20261130T050000Z-00000000' } };
  const { patientRef } = patient;
  const asked = await fhirAsk(name);
  return { ...(params && { params: { patientRef } }), ...(body && { body: bodies[name] }), ...asked };
}

/** Returns what requests of FHIR have in place of a patientRef in the path. */
async function fhirAsk(name: OperationName): Promise<Ask> {
  const patientRef = patient.patientRef;
  const idOf = async (search: OperationName): Promise<string> => {
    const { json } = await api.ask(search, { role: 'clinician', query: { patient: patientRef } });
    return json.entry[0].resource.id;
  };
  if (name === 'readFhirEpisode') return { params: { id: await idOf('searchFhirEpisodes') } };
  if (name === 'readFhirDocument') return { params: { id: await idOf('searchFhirDocuments') } };
  if (name === 'readFhirBinary')
    return { params: { id: await idOf('searchFhirDocuments') }, headers: { accept: 'application/fhir+json' } };
  if (/^searchFhir(?!Patients)/.test(name)) return { query: { patient: patientRef } };
  return {};
}

/** Checks that the table documents an answer, and that it has the headers of all answers. */
function expectDocumented(name: OperationName, answered: Answered): void {
  const operation = operations[name] as Operation;
  expect(answered.headers).toMatchObject({
    'access-control-allow-origin': 'http://127.0.0.1:8080',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-correlation-id': expect.any(String),
  });
  if (answered.status === operation.answer.status) {
    (operation.answer.schema ?? operation.answer.fhir)?.parse(answered.json);
    return;
  }
  expect(answered.headers['content-type']).toBe(problemMediaType(name));
  const { type } = readProblem(name, answered.json);
  const documented = problemsOf(operation).filter((named) => problems[named].status === answered.status);
  expect(documented.map(problemType)).toContain(type);
  if (!isFhir(name)) expect(answered.json.status).toBe(answered.status);
}

/** Runs concurrently, because without a worker each access entry waits half a second. */
describe.concurrent.each(forRoles)('%s', (name, operation) => {
  test('is rejected without a token', async () => {
    const answered = await api.ask(name, await validAsk(name));
    expectDocumented(name, answered);
    expect(answered.status).toBe(401);
    expect(answered.headers['www-authenticate']).toBe('Bearer realm="epa-sync"');
  });

  test.each([...roles, 'none'] as const)('as %s', async (role) => {
    const answered = await api.ask(name, { ...(await validAsk(name)), role });
    if (name === 'startSync' && answered.status === 202) await api.endRun(); // no worker runs it
    expectDocumented(name, answered);
    const may = (operation.roles as readonly string[]).includes(role);
    if (!may) expect(answered.status).toBe(403);
    else expect([200, 202, 404, 409]).toContain(answered.status);
  });

  test('rejects a request that does not match the contract, without repeating any of it', async () => {
    const role = (operation.roles as readonly Role[])[0] as Role;
    const valid = await validAsk(name);
    const wrong: Ask[] = [{ ...valid, query: { surprise: 'Größling' } }];
    if (operation.params)
      for (const text of ['A123456780', '../../etc'])
        wrong.push({
          ...valid,
          params: Object.fromEntries(Object.keys(operation.params.shape).map((key) => [key, text])),
        });
    if (operation.query?.shape['patient']) wrong.push({ ...valid, query: { patient: 'A123456780' } });
    if (operation.query?.shape['nextToken']) {
      for (const nextToken of ['Größling', 'made.up.by.me', ['a', 'b']])
        wrong.push({ ...valid, query: { ...valid.query, nextToken } });
    }
    if (operation.body) {
      for (const body of [
        {},
        [],
        'null',
        '{',
        '{"__proto__": {"kvnr": "A123456780"}}',
        { ...(valid.body as object), Größling: 1 },
      ]) {
        wrong.push({ ...valid, body });
      }
    } else wrong.push({ ...valid, body: { Größling: 1 } }, { ...valid, body: '{' });
    for (const ask of wrong) {
      const answered = await api.ask(name, { ...ask, role });
      expectDocumented(name, answered);
      expect(problemTypeIn(answered.json)).toBe(problemType('invalid-request'));
      if (!isFhir(name)) {
        expect(answered.json.errors).not.toEqual([]);
        for (const error of answered.json.errors) expect(error).toMatchObject({ in: expect.any(String) });
      }
      expect(answered.text).not.toMatch(/Größling|A123456780|etc|made/);
      expect((await api.ask(name, { ...ask, role: 'none' })).status).toBe(403);
      expect((await api.ask(name, ask)).status).toBe(401);
    }
  });

  test.runIf(operation.body)('accepts only its own media type, up to a limit', async () => {
    const role = (operation.roles as readonly Role[])[0] as Role;
    const valid = await validAsk(name);
    const large = await api.ask(name, { role, body: `"${'x'.repeat(1_100_000)}"` });
    expect(large.status).toBe(413);
    expectDocumented(name, large);
    const text = await api.ask(name, { ...valid, role, headers: { 'content-type': 'text/plain' } });
    expect(text.status).toBe(415);
    expectDocumented(name, text);
    const contentType = `${sentBody(name, valid.body).mediaType.toUpperCase()}; charset=utf-8`;
    expect((await api.ask(name, { ...valid, role, headers: { 'content-type': contentType } })).status).not.toBe(415);
  });
});

test('the answers hold the requested data', async () => {
  const { patientRef, kvnr } = patient;
  const ask = async (name: OperationName, role: Role, more: Ask = {}) =>
    await api.ask(name, { ...(await validAsk(name)), role, ...more });
  expect((await ask('lookUpPatient', 'operator')).json).toEqual({ patientRef });
  const quietHours = { until: expect.stringMatching(/T2[23]:00:00\.000Z$/) }; // midnight in Germany
  expect((await ask('requestPatientSync', 'clinician', { body: { kvnr } })).json).toMatchObject({
    patientRef,
    state: 'requested',
    line: { quietHours },
  });
  expect((await ask('readLastSync', 'clinician')).json).toMatchObject({ line: { quietHours } });
  expect((await ask('pauseLine', 'operator')).json).toMatchObject({
    state: 'paused',
    by: 'Demo operator (operator-1)',
    reason: 'a test',
  });
  const pauseOf = { number: expect.any(Number), by: 'Demo operator (operator-1)', since: expect.any(String) };
  const twoReasons = ['a test', 'another test'].map((reason) => ({ ...pauseOf, reason }));
  const pausedAgain = await ask('pauseLine', 'operator', { body: { reason: 'another test' } });
  expect(pausedAgain.json).toMatchObject({ state: 'paused', reason: 'a test', openReasons: twoReasons });
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const timed = { ...pauseOf, reason: 'a timed one', until };
  const pausedUntil = await ask('pauseLine', 'operator', { body: { reason: 'a timed one', until } });
  const { line: waitsFor } = (await ask('readLastSync', 'clinician')).json;
  expect(waitsFor).toMatchObject({ state: 'paused', quietHours });
  expect(waitsFor).not.toHaveProperty('until'); // two reasons have no end
  expect(pausedUntil.json.openReasons).toEqual([...twoReasons, timed]);
  expect(pausedUntil.json).not.toHaveProperty('until'); // two reasons have no end
  expect((await ask('readLine', 'management')).json).toMatchObject({
    state: 'paused',
    by: 'Demo operator (operator-1)',
    openReasons: [...twoReasons, timed],
    quietHours,
    changes: expect.arrayContaining([expect.objectContaining({ state: 'paused', reason: 'another test' })]),
  });
  expect((await ask('requestPatientSync', 'operator')).json.line).toMatchObject({ state: 'paused' });
  expect((await ask('resumeLine', 'operator')).json).toEqual({
    state: 'open',
    busy: false,
    openReasons: [...twoReasons, timed],
  });
  await ask('pauseLine', 'operator', { body: { reason: 'a timed one', until } });
  expect((await ask('readLastSync', 'clinician')).json).toMatchObject({ line: { state: 'paused', until } });
  await ask('resumeLine', 'operator');
  const started = await ask('startSync', 'operator');
  expect(started.status).toBe(202);
  expect((await ask('startSync', 'operator')).json).toEqual(started.json);
  expect((await ask('cancelSync', 'operator')).status).toBe(202);
  await api.endRun();
});

test('a token of 10 kB is accepted, as Entra ID issues them', async () => {
  const groups = Array.from(
    { length: 185 },
    (_, index) => `9d1f0a3c-5b7d-4c11-9e57-${String(index).padStart(12, '0')}`,
  );
  const token = await api.issuer.sign({ sub: 'olga', roles: ['operator'], groups });
  expect(token.length).toBeGreaterThan(9_700);
  expect((await api.ask('readLine', { token })).status).toBe(200);
});

test('a token that cannot be used is rejected with what to do', async () => {
  const opaque = await api.ask('readLine', { token: 'ya29.a0AfH6SMBx-opaque' }); // an access token of Google
  expect(opaque).toMatchObject({ status: 401, json: { detail: expect.stringContaining('opaque access tokens') } });
  const overage = { sub: 'olga', _claim_names: { roles: 'src1' }, _claim_sources: { src1: {} } };
  const leftOut = await api.ask('readLine', { token: await api.issuer.sign(overage) });
  expect(leftOut).toMatchObject({
    status: 403,
    json: { type: problemType('forbidden'), detail: expect.stringContaining('too many groups') },
  });
});

test('runs and issues come in pages, and a page token is valid only for its own query', async () => {
  const { syncRuns } = api.stores;
  const runId = (index: number) => `2026112${index % 10}T2130${String(index).padStart(2, '0')}Z-00000000`;
  for (let index = 0; index < 45; index++) await syncRuns.saveProgress(api.insurerId, progressOf(runId(index)), 1);
  const issues = Array.from({ length: 1_150 }, (_, position) => ({
    kind: 'quarantined' as const,
    reason: 'kvnr: missing',
    position,
  }));
  await syncRuns.addIssues(api.insurerId, runId(9), issues);
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const { json } = await api.ask('listRuns', {
      role: 'operator',
      query: nextToken === undefined ? {} : { nextToken },
    });
    seen.push(...json.runs.map((run: { runId: string }) => run.runId));
    nextToken = json.nextToken;
    if (nextToken === undefined) continue;
    const elsewhere = await api.ask('listIssues', { role: 'operator', query: { nextToken } });
    expect(elsewhere.json.type).toBe(problemType('invalid-request'));
    const changed = withOneCharacterChanged(nextToken);
    expect((await api.ask('listRuns', { role: 'operator', query: { nextToken: changed } })).status).toBe(400);
  } while (nextToken !== undefined);
  expect(seen).toEqual([...new Set(seen)].sort().reverse());
  expect(seen.length).toBeGreaterThanOrEqual(45);
  const query = { runId: runId(9) };
  const page = await api.ask('listIssues', { role: 'operator', query });
  expect(page.json.issues).toHaveLength(1_000);
  const rest = await api.ask('listIssues', { role: 'operator', query: { ...query, nextToken: page.json.nextToken } });
  expect(rest.json.issues).toMatchObject(issues.slice(1_000));
  expect(rest.json.nextToken).toBeUndefined();
});

test('the report for the insurer counts equal problems of a run or a period, as JSON and as CSV', async () => {
  const { syncRuns } = api.stores;
  const runIds = ['20250301T020000Z-00000001', '20250302T020000Z-00000002', '20250304T020000Z-00000003'] as const;
  for (const runId of runIds) {
    await syncRuns.saveProgress(api.insurerId, progressOf(runId), 1);
    const positions = Array.from({ length: 1_050 }, (_, position) => position); // two pages
    const issues = positions.map((position) => ({ kind: 'quarantined' as const, reason: 'kvnr: missing', position }));
    await syncRuns.addIssues(api.insurerId, runId, issues);
  }
  const ask = async (query: Ask['query'] = {}, headers = {}) =>
    await api.ask('readInsurerReport', { role: 'operator', query, headers });
  const rowOf = (runId: string) => ({
    ...{ runId, startedAt: '2026-11-24T21:30:00.000Z', request: 'list', effect: 'not-stored' },
    ...{ problem: 'missing', where: '$[*].kvnr', count: 1_050, positions: [0, 1, 2, 3, 4] },
  });
  expect((await ask({ runId: runIds[1] })).json).toEqual({ problems: [rowOf(runIds[1])] });
  const period = { from: '2025-03-01', to: '2025-03-03' };
  expect((await ask(period)).json).toEqual({ problems: [rowOf(runIds[0]), rowOf(runIds[1])] });
  expect((await ask({ from: '2025-03-05', to: '2025-03-05' })).json).toEqual({ problems: [] });
  const { headers, text } = await ask({ runId: runIds[1] }, { accept: 'text/csv' });
  expect(headers).toMatchObject({
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': 'attachment; filename="insurer-report.csv"',
  });
  const started = '"2026-11-24T21:30:00.000Z"';
  expect(text).toBe(
    '"run","started","finished","request","effect","problem","where","count","of","examples"\r\n' +
      `"${runIds[1]}",${started},"","list","not-stored","missing","$[*].kvnr","1050","","$[0] $[1] $[2] $[3] $[4]"\r\n`,
  );
});

test('a report with more different problems than an answer may have is refused', async () => {
  const runId = '20240301T020000Z-00000001';
  await api.stores.syncRuns.saveProgress(api.insurerId, progressOf(runId), 1);
  const issues = Array.from({ length: 5_001 }, (_, position) => ({
    kind: 'quarantined' as const,
    reason: `field${position}: missing`,
    position,
  }));
  await api.stores.syncRuns.addIssues(api.insurerId, runId, issues);
  const { status, json } = await api.ask('readInsurerReport', { role: 'operator', query: { runId } });
  expect({ status, type: json.type }).toEqual({ status: 422, type: problemType('report-too-large') });
});

const progressOf = (runId: string) => ({
  runId,
  state: 'completed' as const,
  phase: 'done' as const,
  awaitingDecision: false,
  startedAt: '2026-11-24T21:30:00.000Z',
  stale: false,
  patients: { listed: 1, new: 1, changed: 0, removed: 0, unchanged: 0, quarantined: 0 },
  careRecords: { total: 1, done: 1, pending: 0, failed: 0, notInsured: 0 },
  line: { state: 'open' as const, busy: false, requests: 1, failures: 0, failureRate: 0, faults: {} },
  ratePerMinute: 0,
});

// Concurrent, because each test has its own patient and mostly waits for a worker.
test.concurrent('each attempt to access a patient is in the access log before the answer, including rejected and failed attempts', async () => {
  const { patientRef, kvnr } = await api.storePatient('[]');
  const path = { params: { patientRef } };
  const correlationId = '0e4d1e0e-6d0c-4bc9-8f25-6a6b1a8b7f0d';
  await api.ask('lookUpPatient', { role: 'operator', body: { kvnr }, headers: { 'X-Correlation-Id': correlationId } });
  await api.ask('lookUpPatient', { role: 'management', body: { kvnr } });
  await api.ask('readPatient', { role: 'clinician', ...path });
  await api.ask('readPatient', { role: 'operator', ...path, query: { surprise: '1' } });
  await api.ask('readPatient', { role: 'clinician', ...path, query: { nextToken: 'x' } });
  await api.ask('readLastSync', { role: 'none', ...path });
  await api.ask('readLastSync', { role: 'operator', ...path });
  const { json: requested } = await api.ask('requestPatientSync', { role: 'clinician', body: { kvnr } });
  await api.ask('verifyAccessLog', { role: 'auditor', ...path });
  const { json } = await api.ask('readAccessLog', { role: 'auditor', ...path });
  const { json: again } = await api.ask('readAccessLog', { role: 'auditor', ...path });
  const recorded = again.entries.map((entry: { operation: string; outcome: string; agent: { role: string } }) => [
    entry.operation,
    entry.outcome,
    entry.agent.role,
  ]);
  expect(recorded).toEqual([
    ['lookup', 'success', 'operator'],
    ['lookup', 'refused', 'management'],
    ['read-patient', 'success', 'clinician'],
    ['read-patient', 'refused', 'operator'],
    ['read-patient', 'failed', 'clinician'],
    ['read-sync', 'refused', 'none'],
    ['read-sync', 'failed', 'operator'],
    ['request-sync', 'success', 'clinician'],
    ['verify-access-log', 'success', 'auditor'],
    ['read-access-log', 'success', 'auditor'],
  ]);
  expect(again.entries[0]).toMatchObject({
    agent: { who: 'operator-1', name: 'Demo operator' },
    source: { component: 'api', address: '192.0.2.7', correlationId },
  });
  expect(json.entries).toHaveLength(9);
  expect(requested.syncId).toEqual(expect.any(String));
  const filtered = async (query: Ask['query'] & object) =>
    (await api.ask('readAccessLog', { role: 'auditor', ...path, query })).json.entries.length;
  expect(await filtered({ who: 'operator-1' })).toBe(3);
  expect(await filtered({ role: 'clinician', operation: 'read-patient' })).toBe(2);
  expect(await filtered({ from: '2999-01-01T00:00:00Z' })).toBe(0);
  expect(await filtered({ to: '2000-01-01T00:00:00+01:00' })).toBe(0);
  const fhir = await api.ask('readAccessLog', {
    role: 'auditor',
    ...path,
    headers: { Accept: 'application/fhir+json' },
  });
  expect(fhir.headers['content-type']).toBe('application/fhir+json');
  expect(fhir.json).toMatchObject({ resourceType: 'Bundle' });
});

test.concurrent('an auditor reads the logs of one person under several KVNRs as one, in order of time, and each is verified', async () => {
  const [first, second, third] = [newKvnr(), newKvnr(), newKvnr()].map((kvnr) => api.refOf(kvnr)) as [
    string,
    string,
    string,
  ];
  const { accessLog } = api.stores;
  let minute = 0;
  const append = async (...drafts: AccessDraft[]) => {
    for (const draft of drafts) {
      minute += 1;
      const recorded = new Date(Date.UTC(2026, 10, 24, 0, minute)).toISOString();
      await accessLog.append(draft.patientRef, [{ ...draft, recorded }]);
    }
  };
  for (const [before, now] of [
    [first, second],
    [second, third],
  ] as const) {
    await append(...Array.from({ length: 60 }, () => draftFor(before, 'read-patient')));
    const [link, linkBack] = [draftFor(before, 'kvnr-change'), draftFor(now, 'kvnr-change')];
    await append(
      draftFor(now, 'import'),
      { ...link, nextPatientRef: now },
      { ...linkBack, previousPatientRef: before },
    );
    await append(draftFor(before, 'read-access-log'));
  }
  const readAll = async (patientRef: string, order: 'oldest' | 'newest') => {
    const entries: AccessEntry[] = [];
    let patientRefs: string[] = [];
    for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken; isFirst = false) {
      const query = { order, to: '2026-11-25T00:00:00Z', ...(nextToken !== undefined && { nextToken }) };
      const { json } = await api.ask('readAccessLog', { role: 'auditor', params: { patientRef }, query });
      entries.push(...json.entries);
      ({ patientRefs, nextToken } = json);
    }
    return { entries, patientRefs };
  };
  const { entries } = await readAll(first, 'oldest');
  expect(entries.map(({ recorded }) => recorded)).toEqual(entries.map(({ recorded }) => recorded).sort());
  expect(entries).toHaveLength(128);
  expect(new Set(entries.map(({ patientRef }) => patientRef))).toEqual(new Set([first, second, third]));
  const newest = await readAll(third, 'newest');
  expect(newest.entries).toEqual(entries.toReversed());
  expect(newest.patientRefs).toEqual([third, second, first]);

  const verify = async () =>
    (await api.ask('verifyAccessLog', { role: 'auditor', params: { patientRef: second } })).json as PersonVerification;
  const { valid, logs } = await verify();
  expect({ valid, logs: logs.map((log) => [log.patientRef, log.valid]) }).toEqual({
    valid: true,
    logs: [second, first, third].map((ref) => [ref, true]),
  });
  for (const ref of [first, second, third]) {
    const { entries: recorded } = await accessLog.read(ref, 500);
    expect(recorded.filter(({ operation }) => operation === 'verify-access-log')).toHaveLength(1);
    expect(
      recorded.filter(({ operation, agent }) => operation === 'read-access-log' && agent.role === 'auditor'),
    ).toHaveLength(
      4, // two pages in each order
    );
  }

  const key = { patientRef: third, seq: 1 };
  const tamper = { UpdateExpression: 'SET outcome = :failed', ExpressionAttributeValues: { ':failed': 'failed' } };
  await openEmulatedStores().dynamo.send(
    new UpdateCommand({ TableName: defaultTables.accessLog, Key: key, ...tamper }),
  );
  expect(await verify()).toMatchObject({
    valid: false,
    firstBrokenSeq: 1,
    logs: [{ valid: true }, { valid: true }, { valid: false }],
  });
});

test.concurrent('an attempt to access a patient who is not stored is answered with 404 and recorded', async () => {
  const kvnr = newKvnr();
  const params = { patientRef: api.refOf(kvnr) };
  const unknown = { type: problemType('patient-unknown'), status: problems['patient-unknown'].status };
  expect((await api.ask('lookUpPatient', { role: 'clinician', body: { kvnr } })).json).toMatchObject(unknown);
  expect((await api.ask('readPatient', { role: 'clinician', params })).json).toMatchObject(unknown);
  expect((await api.ask('requestPatientSync', { role: 'clinician', body: params })).json).toMatchObject(unknown);
  expect((await api.ask('readLastSync', { role: 'clinician', params })).json).toMatchObject(unknown);
  const { json } = await api.ask('readAccessLog', { role: 'auditor', params });
  expect(json.entries.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
    'failed',
    'failed',
    'failed',
    'failed',
  ]);
});

test.concurrent('an auditor finds the access log of a patient who is not stored, and that is recorded, too', async () => {
  const kvnr = newKvnr();
  const patientRef = api.refOf(kvnr);
  expect((await api.ask('lookUpPatient', { role: 'auditor', body: { kvnr } })).json).toEqual({ patientRef });
  const { json } = await api.ask('readAccessLog', { role: 'auditor', params: { patientRef } });
  expect(json.entries).toMatchObject([{ operation: 'lookup', outcome: 'success', agent: { role: 'auditor' } }]);
});

test.concurrent('a KVNR in lower case, with blanks or with invisible characters is the same person', async () => {
  const { kvnr, patientRef } = await api.storePatient('[]');
  const blanks = kvnr.replace(/\d{3}/g, ' $&').toLowerCase();
  for (const named of [kvnr.toLowerCase(), blanks, ` ${kvnr} `, `\u200b${kvnr.replace('1', '1\u00ad')}`]) {
    const body = { kvnr: named };
    expect((await api.ask('lookUpPatient', { role: 'clinician', body })).json).toEqual({ patientRef });
    expect((await api.ask('requestPatientSync', { role: 'clinician', body })).json).toMatchObject({ patientRef });
  }
  const body = { kvnr: `${kvnr}${' '.repeat(50)}` };
  expect((await api.ask('lookUpPatient', { role: 'clinician', body })).status).toBe(400);
});

test.concurrent('a KVNR with a wrong check digit is rejected, and is neither repeated nor used as a correlation ID', async () => {
  const answered = await api.ask('lookUpPatient', {
    role: 'clinician',
    body: { kvnr: 'A123456789' },
    headers: { 'x-correlation-id': 'A123456780' },
  });
  expect(answered.json.errors).toEqual([{ in: 'body', pointer: '/kvnr', detail: 'has a wrong check digit' }]);
  expect(answered.text + JSON.stringify(answered.headers)).not.toMatch(/A12345678/);
});

/** Stores people with one birth date, which no other test uses. */
async function storePeople(birthDate: string, names: readonly (readonly [string, string])[]): Promise<string[]> {
  const people = names.map(async ([familyName, givenName]) => {
    const entry = JSON.stringify({ familyName, givenName, birthDate, gender: 'female' });
    return (await api.storePatient(undefined, entry)).patientRef;
  });
  return await Promise.all(people);
}
const tokenFor = async (sub: string) => ({ token: await api.issuer.sign({ sub, roles: ['clinician'] }) });

test.concurrent('a clinician finds people by name and birth date, and each of them gets an access entry', async () => {
  const birthDate = '1931-02-03';
  const [anna = '', max = '', other = ''] = await storePeople(birthDate, [
    ['Müller', 'Anna'],
    ['Möller', 'Max'],
    ['Schulz', 'Anna'],
  ]);
  const caller = await tokenFor('finder');
  const search = async (body: object) => (await api.ask('searchPatients', { ...caller, body })).json;
  const both = [
    { patientRef: max, familyName: 'Möller', givenName: 'Max', birthDate },
    { patientRef: anna, familyName: 'Müller', givenName: 'Anna', birthDate },
  ];
  expect(await search({ birthDate, familyName: 'm' })).toEqual({ hits: both });
  expect(await search({ birthDate, familyName: 'MUELL' })).toEqual({ hits: both.slice(1) });
  expect(await search({ birthDate: '1931-02-04', familyName: 'Müller' })).toEqual({ hits: [] });
  const entriesOf = async (patientRef: string) => (await api.stores.accessLog.read(patientRef, 10)).entries;
  expect(await entriesOf(anna)).toMatchObject([
    { operation: 'found', outcome: 'success', agent: { who: 'finder', role: 'clinician' } },
    { operation: 'found' },
  ]);
  expect(await entriesOf(max)).toHaveLength(1);
  expect(await entriesOf(other)).toEqual([]);
});

test.concurrent('a search that finds more than twenty people returns none of them, and is no access to their data', async () => {
  const birthDate = '1932-02-03';
  const names = Array.from({ length: 21 }, (_, index) => ['Müller', index === 0 ? 'Anna' : 'Berta'] as const);
  const [anna = '', berta = ''] = await storePeople(birthDate, names);
  const caller = await tokenFor('broad finder');
  const search = async (body: object) => (await api.ask('searchPatients', { ...caller, body })).json;
  expect(await search({ birthDate, familyName: 'Mü' })).toEqual({ hits: [], tooMany: true });
  expect((await api.stores.accessLog.read(anna, 10)).entries).toEqual([]);
  expect((await search({ birthDate, familyName: 'Mü', givenName: 'B' })).hits).toHaveLength(20);
  expect((await api.stores.accessLog.read(berta, 10)).entries).toHaveLength(1);
});

test.concurrent('who searches too often must wait, and others need not', async () => {
  const body = { birthDate: '1933-02-03', familyName: 'Müller' };
  const often = await tokenFor('often');
  const ask = async () => await api.ask('searchPatients', { ...often, body });
  const statuses: number[] = [];
  let last = await ask();
  for (; last.status === 200 && statuses.length < 3 * searchesMax; last = await ask()) statuses.push(last.status);
  expect(statuses.length).toBeGreaterThanOrEqual(searchesMax); // more, if a new window has begun
  expect(last).toMatchObject({ status: 429, json: { type: problemType('too-many-requests') } });
  expectDocumented('searchPatients', last);
  expect(Number(last.headers['retry-after'])).toBeLessThanOrEqual(searchWindowSeconds);
  expect(last.json).not.toHaveProperty('retryAfterSeconds');
  expect((await api.ask('searchPatients', { ...(await tokenFor('seldom')), body })).status).toBe(200);
});
