import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { problemMediaType, problemTypeIn } from '../../lambdas/http/problem.fixture.ts';
import { problems, problemType } from '../../lambdas/http/problems.ts';
import { type Operation, type OperationName, operations, problemsOf } from '../../lambdas/http/routes.ts';
import { freePorts } from '../../local/free-ports.ts';
import { type Answer, type ApiCall, type CallWithPermittedRole, linksIn, openApi } from '../api.fixture.ts';
import { type AwsMode, type FaultyProxy, startAwsProxy } from '../chaos/faulty-proxy.ts';
import { type Day, type RunningWorker, startDay } from '../day.fixture.ts';
import { encryptedBody } from '../payloads.fixture.ts';

let day: Day;
let worker: RunningWorker;
/** connection of the Lambdas to DynamoDB; the worker has another one */
let awsProxy: FaultyProxy<AwsMode>;
let call: CallWithPermittedRole;
let patientRef: string;
let calls: Readonly<Record<OperationName, ApiCall>>;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = `http://127.0.0.1:${port}`; // the emulator passes it on to the Lambdas
  day = await startDay({ patients: 30, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  delete process.env['AWS_ENDPOINT_URL_DYNAMODB'];
  awsProxy = await startAwsProxy(day.stack.environment['AWS_ENDPOINT_URL'] ?? '', port);
  worker = await day.startWorker();
  await day.runToEnd();
  ({ call } = await openApi(day.stack));
  for (const { kvnr } of day.insurer.patients()) {
    patientRef = day.refOf(kvnr);
    if ((await newLink()) === undefined) continue;
    const ofPatient = { params: { patientRef } };
    const anExport = { params: { exportId: '20261130T050000Z-00000000' } };
    const withReason = { body: { reason: 'a test' } };
    calls = {
      ...{
        startSync: {},
        readProgress: {},
        listRuns: {},
        listRunSamples: {},
        listIssues: {},
        readInsurerReport: {},
        readLine: {},
        readOpenApi: {},
        checkAccessLogs: {},
        readAccessLogCheck: {},
        readChanges: {},
      },
      acknowledgeIssues: { body: { issueIds: ['0'.repeat(32)], note: 'a test' } },
      decideRemovals: { body: { decision: 'approve' } },
      ...{ cancelSync: withReason, pauseLine: withReason, resumeLine: withReason, liftCooldown: withReason },
      setPace: { body: { requestsPerMinute: null, reason: 'a test' } },
      lookUpPatient: { body: { kvnr } },
      searchPatients: { body: { birthDate: '1985-03-07', familyName: 'Mü' } },
      requestPatientSync: { body: { patientRef } },
      ...{ readPatient: ofPatient, readLastSync: ofPatient, readAccessLog: ofPatient, verifyAccessLog: ofPatient },
      reportAccessLog: { ...ofPatient, body: { language: 'de', format: 'pdf' } },
      readDocument: {},
      ...(await fhirCalls(kvnr)),
      ...{ startExport: {}, listExports: {}, readExport: anExport },
      ...{ pauseExport: anExport, resumeExport: anExport, cancelExport: anExport },
      decodePayloads: { body: await encryptedBody(day.stack, { patientRef }) },
    };
    await call('requestPatientSync', calls.requestPatientSync);
    return;
  }
  throw new Error('no patient has a document');
}, 300_000);
afterAll(async () => {
  await day?.[Symbol.asyncDispose]();
  await awsProxy?.close();
});

/** Waits until no sync can replace the documents. @returns the token of a link to a document of the patient */
async function newLink(): Promise<string | undefined> {
  await vi.waitFor(async () => expect((await readMarker())?.state ?? 'completed').toBe('completed'), 30_000);
  const [link] = linksIn((await call('readPatient', { params: { patientRef } })).json);
  return link;
}

/** Returns requests to the operations of FHIR. The ids of resources stay the same in each version of the care records. */
async function fhirCalls(kvnr: string) {
  const query = { query: `?patient=${patientRef}` };
  const ofPatient = { params: { patientRef } };
  const idOf = async (search: 'searchFhirEpisodes' | 'searchFhirDocuments'): Promise<string> =>
    (await call(search, query)).json.entry[0].resource.id;
  const ofDocument = {
    params: { id: await idOf('searchFhirDocuments') },
    headers: { accept: 'application/fhir+json' },
  };
  return {
    readFhirMetadata: {},
    readFhirStructureDefinition: { params: { name: 'access-log-chain' } },
    readFhirCodeSystem: { params: { name: 'role' } },
    searchFhirPatients: { body: { identifier: `http://fhir.de/sid/gkv/kvid-10|${kvnr}` } },
    ...{ readFhirPatient: ofPatient, readFhirEverything: ofPatient, readFhirCoverage: ofPatient },
    readFhirEpisode: { params: { id: await idOf('searchFhirEpisodes') } },
    ...{ readFhirDocument: ofDocument, readFhirBinary: ofDocument },
    ...{
      searchFhirCoverages: query,
      searchFhirEpisodes: query,
      searchFhirDocuments: query,
      searchFhirAuditEvents: query,
    },
  } satisfies Partial<Record<OperationName, ApiCall>>;
}

const readMarker = async () => (await day.stores.patients.readLastSync(patientRef))?.lastSync;

/** Expects a successful answer, or a problem that the operation documents. */
function expectDocumented(name: OperationName, { status, headers, json }: Answer): void {
  const operation: Operation = operations[name];
  expect(headers.get('x-correlation-id')).toBeTruthy();
  if (status === operation.answer.status) return;
  expect(headers.get('content-type')).toBe(problemMediaType(name));
  const documented = problemsOf(operation).filter((problem) => problems[problem].status === status);
  expect(documented.map(problemType)).toContain(problemTypeIn(json));
  if (status === 503) expect(headers.get('retry-after')).toBe('2');
}

async function renewLink(): Promise<void> {
  calls = { ...calls, readDocument: { params: { token: (await newLink()) ?? '' } } };
}

/** Every answer must come within this time. API Gateway allows 29 s, but people do not wait that long. */
const maxAnswerMs = 15_000;

/** At a time, of the operations that only read: during an outage each takes seconds. */
const readsAtOnce = 2;

async function expectAnswers(wanted: Readonly<Record<OperationName, number>>): Promise<void> {
  const statuses: Record<string, number> = {};
  const ask = async (name: OperationName): Promise<void> => {
    let answer = await call(name, calls[name]);
    // a worker on a busy machine can be late for a Lambda: ask again when the answer says
    for (let again = 0; again < 2 && answer.status === 503 && wanted[name] < 500; again += 1) {
      expectDocumented(name, answer);
      await sleep(1_000 * Number(answer.headers.get('retry-after')));
      answer = await call(name, calls[name]);
    }
    expectDocumented(name, answer);
    expect({ name, isInTime: answer.tookMs < maxAnswerMs }).toEqual({ name, isInTime: true });
    if (answer.status === 503) expect(JSON.stringify(answer.json)).not.toContain('careRecords');
    statuses[name] = answer.status;
  };
  const names = Object.keys(operations) as OperationName[];
  const reads = names.filter((name) => operations[name].group === 'fhir');
  for (const name of names) if (!reads.includes(name)) await ask(name);
  for (let start = 0; start < reads.length; start += readsAtOnce)
    await Promise.all(reads.slice(start, start + readsAtOnce).map(ask));
  expect(statuses).toEqual(wanted);
}

const ofExport = (status: number) => ({
  ...{ readExport: status, pauseExport: status, resumeExport: status, cancelExport: status },
});
/** Operations that need only the tables, with their status. */
const stored = {
  listRuns: 200,
  listRunSamples: 200,
  listIssues: 200,
  readInsurerReport: 200,
  acknowledgeIssues: 404,
  readLastSync: 200,
  readDocument: 302,
  readOpenApi: 200,
  readAccessLogCheck: 200,
  readChanges: 200,
  ...{ listExports: 200, ...ofExport(404) },
  ...{ readFhirMetadata: 200, readFhirStructureDefinition: 200, readFhirCodeSystem: 200 },
} as const;
const fhirNames = [
  ...(['readFhirPatient', 'searchFhirPatients', 'readFhirEverything', 'readFhirCoverage'] as const),
  ...(['searchFhirCoverages', 'readFhirEpisode', 'searchFhirEpisodes', 'readFhirDocument'] as const),
  ...(['searchFhirDocuments', 'readFhirBinary', 'searchFhirAuditEvents'] as const),
];
const fhirOfPatient = (status: number) =>
  Object.fromEntries(fhirNames.map((name) => [name, status])) as Record<(typeof fhirNames)[number], number>;
const ofPatient = {
  ...{
    lookUpPatient: 200,
    searchPatients: 200,
    readPatient: 200,
    readAccessLog: 200,
    verifyAccessLog: 200,
    reportAccessLog: 200,
    decodePayloads: 200,
  },
  ...fhirOfPatient(200),
} as const;

describe.each(['drop', 'silent', 'throttle'] as const)('the Lambdas cannot reach DynamoDB (%s)', (mode) => {
  beforeAll(async () => {
    await renewLink();
    await day.line.pause({ operator: 'test', reason: 'keeps a run and a sync in progress' });
    awsProxy.startFault(mode);
  });
  afterAll(async () => {
    awsProxy.endFault();
    await day.line.resume({ operator: 'test', reason: 'test over' });
  });

  test('operations that need a table answer 503, and those that need only workflows succeed', async () => {
    const before = await readMarker();
    await expectAnswers({
      ...{ startSync: 202, readProgress: 200, decideRemovals: 409, cancelSync: 202, requestPatientSync: 202 },
      ...{ readLine: 503, pauseLine: 503, resumeLine: 503, liftCooldown: 503, setPace: 503 },
      // the worker records the access to a document, and its content is in the bucket
      ...{
        listRuns: 503,
        listRunSamples: 503,
        listIssues: 503,
        readInsurerReport: 503,
        acknowledgeIssues: 503,
        readLastSync: 503,
        readDocument: 302,
        readOpenApi: 200,
        ...{ checkAccessLogs: 202, readAccessLogCheck: 503, readChanges: 503 },
      },
      ...{ readFhirMetadata: 200, readFhirStructureDefinition: 200, readFhirCodeSystem: 200, ...fhirOfPatient(503) },
      ...{ startExport: 503, listExports: 503, ...ofExport(503) },
      ...{
        lookUpPatient: 503,
        searchPatients: 503,
        readPatient: 503,
        readAccessLog: 503,
        verifyAccessLog: 503,
        reportAccessLog: 503,
        decodePayloads: 503,
      },
    });
    expect((await readMarker())?.syncId).not.toBe(before?.syncId); // the promise is in the table
  });
});

describe('no worker runs', () => {
  beforeAll(async () => {
    await renewLink();
    await worker.stop();
  });
  afterAll(async () => {
    worker = await day.startWorker();
  });

  test('a promised sync is durable', async () => {
    const before = await readMarker();
    await expectAnswers({
      ...stored,
      ...ofPatient,
      ...{ startSync: 202, readProgress: 200, decideRemovals: 503, cancelSync: 202, requestPatientSync: 202 },
      // one that was refused above may have begun before its answer was lost
      ...{ checkAccessLogs: 202, startExport: expect.toBeOneOf([202, 409]) },
      ...{ readLine: 200, pauseLine: 200, resumeLine: 200, liftCooldown: 200, setPace: 200 },
    });
    const marker = await readMarker();
    expect(marker).toMatchObject({ state: 'requested' });
    expect(marker?.syncId).not.toBe(before?.syncId);
  });

  test('the promised sync is done once a worker runs', async () => {
    await day.startWorker();
    await expect.poll(async () => (await readMarker())?.state, { timeout: 30_000 }).toBe('completed');
    expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
  });
});

describe('Temporal does not answer', () => {
  beforeAll(async () => {
    await renewLink();
    await day.stack.stopTemporal();
  });

  test('nothing is promised that needs Temporal; the line can be paused, and stored data can be read and is audited', async () => {
    const before = await readMarker();
    const entries = (await day.stores.accessLog.verify(patientRef)).entries;
    await expectAnswers({
      ...stored,
      ...ofPatient,
      ...{ startSync: 503, readProgress: 200, decideRemovals: 503, cancelSync: 503, requestPatientSync: 503 },
      ...{ checkAccessLogs: 503, startExport: 503 },
      ...{ readLine: 200, pauseLine: 200, resumeLine: 200, liftCooldown: 200, setPace: 200 },
    });
    expect(await readMarker()).toEqual(before);
    const after = await day.stores.accessLog.verify(patientRef);
    expect(after).toMatchObject({ valid: true });
    expect(after.entries).toBeGreaterThan(entries);
  });
});
