import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { problems, problemType } from '../../lambdas/http/problems.ts';
import { type Operation, type OperationName, operations, problemsOf } from '../../lambdas/http/routes.ts';
import { freePorts } from '../../local/free-ports.ts';
import { type Answer, type ApiCall, type CallWithPermittedRole, linksIn, openApi } from '../api.fixture.ts';
import { type AwsMode, startAwsWay, type Way } from '../chaos/cut-off.ts';
import { type Day, type RunningWorker, startDay } from '../day.fixture.ts';
import { encryptedBody } from '../payloads.fixture.ts';

let day: Day;
let worker: RunningWorker;
/** from the Lambdas to DynamoDB; the worker has its own */
let way: Way<AwsMode>;
let ask: CallWithPermittedRole;
let patientRef: string;
let asks: Readonly<Record<OperationName, ApiCall>>;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = `http://127.0.0.1:${port}`; // the emulator hands it on to the Lambdas
  day = await startDay({ patients: 30, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  delete process.env['AWS_ENDPOINT_URL_DYNAMODB'];
  way = await startAwsWay(day.stack.environment['AWS_ENDPOINT_URL'] ?? '', port);
  worker = await day.startWorker();
  await day.runToEnd();
  ({ ask } = await openApi(day.stack));
  for (const { kvnr } of day.insurer.patients()) {
    patientRef = day.refOf(kvnr);
    if ((await newLink()) === undefined) continue;
    const ofPatient = { params: { patientRef } };
    const withReason = { body: { reason: 'a test' } };
    asks = {
      ...{
        startSync: {},
        readProgress: {},
        listRuns: {},
        listRunSamples: {},
        listIssues: {},
        readLine: {},
        readOpenApi: {},
      },
      decideRemovals: { body: { decision: 'approve' } },
      ...{ cancelSync: withReason, pauseLine: withReason, resumeLine: withReason },
      lookUpPatient: { body: { kvnr } },
      requestPatientSync: { body: { patientRef } },
      ...{ readPatient: ofPatient, readLastSync: ofPatient, readAccessLog: ofPatient, verifyAccessLog: ofPatient },
      readDocument: {},
      decodePayloads: { body: await encryptedBody(day.stack, { patientRef }) },
    };
    await ask('requestPatientSync', asks.requestPatientSync);
    return;
  }
  throw new Error('no patient has a document');
}, 300_000);
afterAll(async () => {
  await day?.[Symbol.asyncDispose]();
  await way?.close();
});

/** Once nothing is under way that would replace the documents: the token of a link to one of the patient's. */
async function newLink(): Promise<string | undefined> {
  await vi.waitFor(async () => expect((await markerNow())?.state ?? 'completed').toBe('completed'), 30_000);
  const [link] = linksIn((await ask('readPatient', { params: { patientRef } })).json);
  return link;
}

const markerNow = async () => (await day.stores.patients.readLastSync(patientRef))?.lastSync;

/** An answer as the contract has it: what was wanted, or a problem that the operation documents. */
function expectDocumented(name: OperationName, { status, headers, json }: Answer): void {
  const operation: Operation = operations[name];
  expect(headers.get('x-correlation-id')).toBeTruthy();
  if (status === operation.answer.status) return;
  expect(headers.get('content-type')).toBe('application/problem+json');
  const documented = problemsOf(operation).filter((problem) => problems[problem].status === status);
  expect(documented.map(problemType)).toContain(json.type);
  if (status === 503) expect(headers.get('retry-after')).toBe('2');
}

async function renewLink(): Promise<void> {
  asks = { ...asks, readDocument: { params: { token: (await newLink()) ?? '' } } };
}

/** API Gateway gives up after 29 s; well before that a person has. */
const patienceMs = 15_000;

async function expectAnswers(wanted: Readonly<Record<OperationName, number>>): Promise<void> {
  const told: Record<string, number> = {};
  for (const name of Object.keys(operations) as OperationName[]) {
    const answer = await ask(name, asks[name]);
    expectDocumented(name, answer);
    expect({ name, isInTime: answer.tookMs < patienceMs }).toEqual({ name, isInTime: true });
    if (answer.status === 503) expect(JSON.stringify(answer.json)).not.toContain('careRecords');
    told[name] = answer.status;
  }
  expect(told).toEqual(wanted);
}

/** What needs nothing but the tables, and the table's own answer. */
const stored = {
  listRuns: 200,
  listRunSamples: 200,
  listIssues: 200,
  readLastSync: 200,
  readDocument: 302,
  readOpenApi: 200,
} as const;
const ofPatient = {
  ...{ lookUpPatient: 200, readPatient: 200, readAccessLog: 200, verifyAccessLog: 200, decodePayloads: 200 },
} as const;

describe.each(['drop', 'silent', 'throttle'] as const)('the Lambdas cannot reach DynamoDB (%s)', (mode) => {
  beforeAll(async () => {
    await renewLink();
    await day.line.pause({ operator: 'test', reason: 'so that a run and a sync stay under way' });
    way.spoil(mode);
  });
  afterAll(async () => {
    way.mend();
    await day.line.resume({ operator: 'test', reason: 'all is well' });
  });

  test('whatever needs a table is refused, and what the workflows can answer is answered', async () => {
    const before = await markerNow();
    await expectAnswers({
      ...{ startSync: 202, readProgress: 200, decideRemovals: 409, cancelSync: 202, requestPatientSync: 202 },
      ...{ readLine: 503, pauseLine: 503, resumeLine: 503 },
      // a document's access is recorded by the worker, and its content lies in the bucket
      ...{
        listRuns: 503,
        listRunSamples: 503,
        listIssues: 503,
        readLastSync: 503,
        readDocument: 302,
        readOpenApi: 200,
      },
      ...{ lookUpPatient: 503, readPatient: 503, readAccessLog: 503, verifyAccessLog: 503, decodePayloads: 503 },
    });
    expect((await markerNow())?.syncId).not.toBe(before?.syncId); // what was promised is in the table
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

  test('what is promised is durable, and done once one runs', async () => {
    const before = await markerNow();
    await expectAnswers({
      ...stored,
      ...ofPatient,
      ...{ startSync: 202, readProgress: 200, decideRemovals: 503, cancelSync: 202, requestPatientSync: 202 },
      ...{ readLine: 200, pauseLine: 200, resumeLine: 200 },
    });
    const marker = await markerNow();
    expect(marker).toMatchObject({ state: 'requested' });
    expect(marker?.syncId).not.toBe(before?.syncId);
  });

  test('once one runs', async () => {
    await day.startWorker();
    await expect.poll(async () => (await markerNow())?.state, { timeout: 30_000 }).toBe('completed');
    expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
  });
});

describe('Temporal does not answer', () => {
  beforeAll(async () => {
    await renewLink();
    await day.stack.stopTemporal();
  });

  test('nothing is promised that needs it; the line can be paused, and what is stored can be read and is recorded', async () => {
    const before = await markerNow();
    const entries = (await day.stores.accessLog.verify(patientRef)).entries;
    await expectAnswers({
      ...stored,
      ...ofPatient,
      ...{ startSync: 503, readProgress: 200, decideRemovals: 503, cancelSync: 503, requestPatientSync: 503 },
      ...{ readLine: 200, pauseLine: 200, resumeLine: 200 },
    });
    expect(await markerNow()).toEqual(before);
    const after = await day.stores.accessLog.verify(patientRef);
    expect(after).toMatchObject({ valid: true });
    expect(after.entries).toBeGreaterThan(entries);
  });
});
