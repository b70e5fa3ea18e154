import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { dailySyncId, insurerLineId, patientRecordId } from '../../core/contract/names.ts';
import { createSecretKeyWrapper } from '../../core/crypto/secret-key-wrapper.ts';
import { zeroLineUse } from '../../core/domain/line.ts';
import { createPayloadCodec } from '../../core/temporal/codec.ts';
import { ensurePythonTools } from '../../local/python-tools.ts';
import { findTemporal } from '../../local/temporal.ts';
import { testDir } from '../../tools/test-dir.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, insurerId, startDay } from '../day.fixture.ts';
import { historiesOf } from '../histories.fixture.ts';
import { metricsIn, workerLogLines } from '../logs.fixture.ts';

const world = {
  ...{ patients: 60, rate: 0, notInsuredShare: 0, unknownShare: 0 },
  ...{ identicalDuplicates: 0, differingDuplicates: 0, malformedEntries: 0 },
};
const intruder = 'mallory';
/** PendingActivityState, temporal.api.enums.v1 */
const { PENDING_ACTIVITY_STATE_STARTED: started } = proto.temporal.api.enums.v1.PendingActivityState;
const [line, run] = [insurerLineId(insurerId), dailySyncId(insurerId)];

let day: Day;
let call: CallWithPermittedRole;
let temporal: (...args: string[]) => Promise<{ readonly isDone: boolean; readonly said: string }>;
/** a patient whose sync was requested while the line was paused, and another one */
let [patientRef, otherRef] = ['', ''];
let [listId, removals] = ['', 0];
let seen: Awaited<ReturnType<typeof everything>>;
let refusedBefore: number;

/** A run that asks about removals, a sync on demand that waits, and a line that is paused: everything that is worth an attack. */
beforeAll(async () => {
  day = await startDay(world, {}, { api: true });
  await day.startWorker();
  ({ call } = await openApi(day.stack));
  await day.runToEnd();
  day.insurer.setList('truncated', 0.5);
  await day.sync.start();
  const { decision } = await day.until(
    ({ awaitingDecision, careRecords }) => awaitingDecision && careRecords.pending === 0,
  );
  listId = decision?.listId ?? '';
  removals = decision?.removals ?? 0;
  expect(removals).toBeGreaterThan(20);
  await day.line.pause({ operator: 'olga', reason: 'the insurer called' });
  [patientRef = '', otherRef = ''] = await day.storedRefs();
  await call('requestPatientSync', { body: { patientRef } });

  const command = await findTemporal(process.env, await ensurePythonTools(testDir));
  const { TEMPORAL_ADDRESS = '' } = day.stack.environment;
  temporal = async (...args) =>
    await promisify(execFile)(command, [...args, '--address', TEMPORAL_ADDRESS], { timeout: 20_000 }).then(
      ({ stdout }) => ({ isDone: true, said: stdout }),
      ({ stdout, stderr }: { stdout: string; stderr: string }) => ({ isDone: false, said: `${stdout}${stderr}` }),
    );
}, 300_000);
afterAll(async () => await day[Symbol.asyncDispose]());

beforeEach(async () => {
  seen = await everything();
  refusedBefore = refused();
});

/** What plaintext could change. */
async function everything() {
  const [status, progress, storedRefs, log] = await Promise.all([
    day.line.read(),
    day.sync.readProgress(),
    day.storedRefs(),
    day.stores.accessLog.read(patientRef, 500),
  ]);
  const { state, changeNumber, by, reason } = status as typeof status & { readonly changeNumber?: number };
  const { runId, phase, awaitingDecision, patients, cancellation, decisions } = progress ?? {};
  return {
    line: { state, changeNumber, by, reason },
    run: { runId, phase, awaitingDecision, patients, cancellation, decisions },
    storedRefs: storedRefs.sort(),
    accesses: log.entries.map(({ id }) => id),
    lastSync: await day.stores.patients.readLastSync(patientRef),
    requests: day.insurer.summary().requests,
  };
}

const refused = (): number =>
  metricsIn(workerLogLines(day))
    .filter(({ name }) => name === 'PayloadsRefused')
    .reduce((sum, { values }) => sum + values.reduce((a, b) => a + b, 0), 0);

/** Expects that a number of attempts was counted, and has changed nothing. */
async function expectRefused(attempts: number): Promise<void> {
  await expect.poll(refused, { timeout: 10_000 }).toBeGreaterThanOrEqual(refusedBefore + attempts);
  await sleep(500); // for what could still happen
  expect(refused()).toBe(refusedBefore + attempts);
  expect(await everything()).toEqual(seen);
  const failed = await Promise.all(
    [line, run, patientRecordId(patientRef)].map(async (id) =>
      (await historiesOf(day.client, id)).flatMap(({ history }) =>
        (history.events ?? []).filter(({ workflowTaskFailedEventAttributes: failed }) => failed),
      ),
    ),
  );
  expect(failed.flat()).toEqual([]); // a workflow task that fails is repeated for ever
  expect(workerLogLines(day).join('\n')).not.toContain(intruder);
}

const draft = () => ({
  ...{ id: 'x-1', patientRef, operation: 'read-patient', outcome: 'success', recorded: new Date().toISOString() },
  ...{ agent: { who: intruder, role: 'clinician' }, source: { component: 'api' } },
});
const request = () => ({
  ...{ syncId: '5a8f0c5e-6d0b-4a53-9c8f-0c7d8f0a4b11', requestedBy: intruder },
  ...{ requestedAt: new Date().toISOString(), access: { ...draft(), operation: 'request-sync' } },
});
const input = (value: unknown): string[] => ['--input', JSON.stringify(value)];

test('updates in plaintext are rejected', async () => {
  const { changeNumber } = await day.stores.gateOf(insurerId).find();
  const change = { operator: intruder, reason: 'please', seen: changeNumber };
  const updates: [id: string, name: string, ...input: string[]][] = [
    [line, 'resume', ...input(change)],
    [line, 'pause', ...input(change)],
    [run, 'decideRemovals', ...input({ decision: 'approve', listId, operator: intruder })],
    [patientRecordId(patientRef), 'recordAccess', ...input(draft())],
    [patientRecordId(patientRef), 'requestSync', ...input(request())],
    [line, 'resume'],
    [line, 'resume', ...input(change), ...input(change)],
    [line, 'resume', ...input(change), '--input-meta', 'encoding=binary/null'],
    [
      line,
      'resume',
      ...input('x'),
      ...['encoding=binary/encrypted', 'keyId=test', 'wrappedKey=x'].flatMap((meta) => ['--input-meta', meta]),
    ],
  ];
  for (const [id, name, ...more] of updates) {
    const { isDone, said } = await temporal(
      'workflow',
      'update',
      'execute',
      '--workflow-id',
      id,
      '--name',
      name,
      ...more,
    );
    expect({ name, isDone, said }).toMatchObject({ isDone: false });
  }
  await expectRefused(updates.length);
});

test('signals in plaintext, and those without their argument, are dropped', async () => {
  const cancel = { operator: intruder, reason: 'please' };
  const signals: [id: string, name: string, ...input: string[]][] = [
    [run, 'cancelRequested', ...input(cancel)],
    [run, 'cancelRequested'],
    [run, 'trigger', ...input({ runId: 'x' })],
    [run, 'trigger'],
    [run, 'unknownSignal', ...input(cancel)],
    [patientRecordId(patientRef), 'syncRequested', ...input(request())],
    [patientRecordId(patientRef), 'syncRequested'],
    [line, 'gateChanged', ...input(cancel)],
  ];
  for (const [id, name, ...more] of signals)
    expect(await temporal('workflow', 'signal', '--workflow-id', id, '--name', name, ...more)).toMatchObject({
      isDone: true, // Temporal takes any signal
    });
  await day.client.workflow.getHandle(run).signal('cancelRequested', cancel); // as 0.2.0: it names no run
  await expectRefused(signals.length + 1);
});

test('workflows that were started with plaintext, or without an argument, fail immediately', async () => {
  const starts: [type: string, ...input: string[]][] = [
    ['insurerLine', ...input({ insurerId })],
    ['dailySync', ...input({ insurerId, runId: '20261124T213000Z-1f3a9c0e', syncWindow: 1, careMaxRequests: 1 })],
    ['careRefresh', ...input({ insurerId, runId: seen.run.runId, afterDays: 1, careMaxRequests: 1, removalsLeft: 99 })],
    ['patientRecord', ...input({ insurerId, patientRef: otherRef, carried: { syncIds: ['x'] } })],
    ['patientRecord', ...input({ insurerId, patientRef: otherRef }), '--memo', 'runId="x"'],
    ['patientRecord'],
  ];
  for (const [index, [type, ...more]] of starts.entries()) {
    const id = `foreign-${index}`;
    const start = ['--type', type, '--workflow-id', id, '--task-queue', 'sync', ...more];
    const { isDone, said } = await temporal('workflow', 'execute', ...start);
    expect({ type, isDone, said }).toMatchObject({ isDone: false, said: expect.stringContaining('FAILED') });
  }
  await expectRefused(starts.length);
});

test('activities that no workflow has scheduled are not run', async () => {
  const { changeNumber: seen } = await day.stores.gateOf(insurerId).find();
  const open = input({ insurerId, operator: intruder, reason: 'please', seen });
  const activities: [type: string, taskQueue: string, ...input: string[]][] = [
    ['openLine', 'sync', ...open],
    ['finishRemovals', 'sync-bulk'],
  ];
  for (const [type, taskQueue, ...more] of activities) {
    const activity = ['--type', type, '--task-queue', taskQueue, '--activity-id', `foreign-${type}`];
    const { isDone, said } = await temporal(
      'activity',
      'execute',
      ...activity,
      '--start-to-close-timeout',
      '10s',
      ...more,
    );
    expect({ type, isDone, said }).toMatchObject({
      isDone: false,
      said: expect.not.stringContaining('unknown command'),
    });
  }
  await expectRefused(activities.length);
});

test('an encrypted payload that was copied to another workflow is refused there', async () => {
  const [{ history } = { history: undefined }] = await historiesOf(day.client, patientRecordId(patientRef));
  const copied = (history?.events ?? []).flatMap(
    ({ workflowExecutionUpdateAcceptedEventAttributes: accepted }) =>
      accepted?.acceptedRequest?.input?.args?.payloads ?? [],
  );
  expect(copied.length).toBeGreaterThan(0);
  const { options, workflowService } = day.client;
  const { Payloads } = proto.temporal.api.common.v1;
  await workflowService.signalWorkflowExecution({
    namespace: options.namespace,
    workflowExecution: { workflowId: run },
    signalName: 'cancelRequested',
    input: Payloads.fromObject({ payloads: copied.slice(0, 1) }),
  });
  await expectRefused(1);
});

test('a message that names a key which none of our processes has is refused, and stops no workflow', async () => {
  const { options, workflowService } = day.client;
  const { namespace } = options;
  const codec = createPayloadCodec(createSecretKeyWrapper(`next-year:${Buffer.alloc(32, 1).toString('base64')}`));
  const { Payloads } = proto.temporal.api.common.v1;
  /** @param workflowId what the payload is bound to, as if its key were ours */
  const payloadsFor = async (workflowId: string, value: unknown) => {
    const context = { type: 'workflow', namespace, workflowId } as const;
    return Payloads.fromObject({ payloads: await codec.encode([defaultPayloadConverter.toPayload(value)], context) });
  };
  const record = patientRecordId(patientRef);
  for (const [workflowId, signalName] of [
    [line, 'unknownSignal'],
    [run, 'cancelRequested'],
    [record, 'syncRequested'],
  ] as const)
    await workflowService.signalWorkflowExecution({
      ...{ namespace, workflowExecution: { workflowId }, signalName },
      input: await payloadsFor(workflowId, request()),
    });
  const { changeNumber } = await day.stores.gateOf(insurerId).find();
  const change = { operator: intruder, reason: 'please', seen: changeNumber };
  const updated = await workflowService.updateWorkflowExecution({
    ...{ namespace, workflowExecution: { workflowId: line }, waitPolicy: { lifecycleStage: 3 } },
    request: { meta: { updateId: 'foreign-key' }, input: { name: 'resume', args: await payloadsFor(line, change) } },
  });
  expect(updated.outcome?.failure).toBeTruthy();
  const started = { workflowId: 'foreign-key', workflowType: { name: 'patientRecord' }, taskQueue: { name: 'sync' } };
  await workflowService.startWorkflowExecution({
    ...{ namespace, requestId: 'foreign-key', ...started },
    input: await payloadsFor(started.workflowId, { insurerId, patientRef: otherRef, carried: { syncIds: ['x'] } }),
  });
  await expect(day.client.workflow.getHandle(started.workflowId).result()).rejects.toThrow();
  await expectRefused(5);
});

/** Requests a sync of the other patient, and returns its activity once the insurer is asked. */
async function fetchInProgress(): Promise<{ readonly workflowId: string; readonly activityId: string }> {
  const workflowId = patientRecordId(otherRef);
  await call('requestPatientSync', { body: { patientRef: otherRef } });
  const find = async () =>
    (await day.client.workflow.getHandle(workflowId).describe()).raw.pendingActivities?.find(
      ({ activityType, state }) => activityType?.name === 'fetchCareRecords' && state === started,
    )?.activityId;
  let activityId: string | null | undefined;
  await expect.poll(async () => (activityId = await find()), { timeout: 10_000, interval: 50 }).toBeTruthy();
  return { workflowId, activityId: activityId ?? '' };
}

test('a result and a failure that no worker has written end a sync as failed, and change nothing', async () => {
  const before = await day.stores.patients.get(otherRef);
  await day.line.resume({ operator: 'olga', reason: 'they are done' });
  const stateOf = async (ref: string) => (await day.stores.patients.readLastSync(ref))?.lastSync;
  await expect.poll(async () => (await stateOf(patientRef))?.state, { timeout: 20_000 }).toBe('completed');
  day.insurer.setFaults({ latencyMs: 1_000 });

  const fetched = await fetchInProgress();
  const id = ['--workflow-id', fetched.workflowId, '--activity-id', fetched.activityId];
  const result = ['--result', JSON.stringify({ payload: { key: 'payloads/x' }, lineUse: {} })];
  expect(await temporal('activity', 'complete', ...id, ...result)).toMatchObject({ isDone: true });
  const failed = { state: 'failed', error: 'PayloadRefused' };
  await expect.poll(() => stateOf(otherRef), { timeout: 10_000 }).toMatchObject(failed);

  const { options, workflowService } = day.client;
  const codec = createPayloadCodec(createSecretKeyWrapper(day.stack.environment['PAYLOAD_KEYS'] ?? ''));
  /** @param where the activity for which it was encrypted; absent: 0.2.0 has encrypted it */
  const ours = async (value: unknown, where?: Where) => {
    const context = where && ({ type: 'activity', namespace: options.namespace, isLocal: false, ...where } as const);
    return (await codec.encode([defaultPayloadConverter.toPayload(value)], context))[0] ?? {};
  };
  const attributes = (type?: string) => ({ message: 'x', stack_trace: '', ...(type !== undefined && { type }) });
  const failureOf = async (type: string, encoded: Payload, where?: Where, about?: object) => ({
    encodedAttributes: encoded,
    applicationFailureInfo: {
      ...{ type, nonRetryable: true },
      ...(about && { details: { payloads: [await ours({ lineUse: zeroLineUse, about }, where)] } }),
    },
  });
  type Where = Awaited<ReturnType<typeof fetchInProgress>>;
  const anotherOf = (where: Where): Where => ({ ...where, activityId: `${Number(where.activityId) - 1}` });
  const type = 'PersonUnknown'; // it would remove the patient
  const failures: ((where: Where) => Promise<object>)[] = [
    async () => ({ applicationFailureInfo: { type: 'PatientNotInsured', nonRetryable: true } }),
    async () => ({ applicationFailureInfo: { type, nonRetryable: true } }),
    async () => await failureOf(type, await ours(attributes())), // of 0.2.0
    async () => await failureOf(type, await ours(attributes(type))),
    async (where) => await failureOf(type, await ours(attributes(type), anotherOf(where))), // of another activity
    async (where) => await failureOf(type, await ours(attributes('AnswerUnusable'), where)),
    async (where) => await failureOf(type, await ours(attributes(type), where)), // of an activity with the same ID, but
    ...[
      { patientRef: otherRef, syncId: 'yesterday' },
      { patientRef, syncId: 'yesterday' },
    ].map((about) => async (where: Where) => await failureOf(type, await ours(attributes(type), where), where, about)),
  ];
  let refusals = 1;
  const isRefused = async (): Promise<void> => {
    refusals += 1;
    await expect.poll(refused, { timeout: 10_000 }).toBe(refusedBefore + refusals);
    await expect.poll(() => stateOf(otherRef), { timeout: 10_000 }).toMatchObject(failed);
  };
  for (const failure of failures) {
    const where = await fetchInProgress();
    await workflowService.respondActivityTaskFailedById({
      ...{ namespace: options.namespace, ...where },
      failure: { message: 'please', ...(await failure(where)) },
    });
    await isRefused();
  }
  const copied = { payload: { key: `payloads/yesterday/${patientRef}/x` }, fetchOrder: '9', lineUse: zeroLineUse };
  const results = [
    async () => await ours(copied),
    async (where: Where) => await ours(copied, anotherOf(where)),
    async (where: Where) => await ours(copied, where),
  ];
  for (const result of results) {
    const where = await fetchInProgress();
    await workflowService.respondActivityTaskCompletedById({
      ...{ namespace: options.namespace, ...where },
      result: { payloads: [await result(where)] },
    });
    await isRefused();
  }
  expect(await day.stores.patients.get(otherRef)).toMatchObject({ careVersion: before?.careVersion });
  expect(await day.storedRefs()).toHaveLength(seen.storedRefs.length);
  day.insurer.setFaults({ latencyMs: 2 });
}, 120_000);

test('afterwards everything goes on, by those who may', async () => {
  await day.sync.decideRemovals({ decision: 'approve', operator: 'olga' }); // the client names the list
  expect(await day.ended()).toMatchObject({ state: 'completed', patients: { removed: removals } });
});
