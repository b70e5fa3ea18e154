import { DeleteItemCommand, DeleteTableCommand, DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { Client as TemporalClient } from '@temporalio/client';
import { expect, onTestFinished, test } from 'vitest';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { insurerLineId } from '../../core/contract/names.ts';
import { lineFaults } from '../../core/domain/line.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { type MetricName, metrics } from '../../core/telemetry/metrics.ts';
import {
  alarmMetrics,
  dashboardMetrics,
  observabilityApp,
  type UsedMetric,
} from '../../infra/stacks/observability.fixture.ts';
import { openApi } from '../api.fixture.ts';
import { insurerId, startDay } from '../day.fixture.ts';
import { type LoggedMetric, lambdaLogLines, metricsIn, workerLogLines } from '../logs.fixture.ts';

const isOf = (emitted: LoggedMetric, { name, dimensions }: UsedMetric): boolean =>
  emitted.name === name &&
  Object.entries(dimensions).every(
    ([dimension, value]) => value === undefined || emitted.dimensions[dimension] === value,
  );

test('on a bad day, exactly the metrics of the table are emitted, including those of the dashboard and the alarms', async () => {
  await using day = await startDay(
    { patients: 150, rate: 0.8, latencyMs: 45, retryAfterSeconds: 1 },
    {},
    { api: true },
  );
  await day.startWorker({ METRICS_INTERVAL_MS: '1000' });
  const { call } = await openApi(day.stack);
  const emittedByWorkers = (): LoggedMetric[] => metricsIn(workerLogLines(day));
  /** the last emitted value; parses one line, because it is asked for often */
  const lastOf = (name: MetricName): number | undefined => {
    const line = workerLogLines(day).findLast((text) => text.includes('"_aws"') && text.includes(`"${name}"`));
    return metricsIn(line === undefined ? [] : [line])
      .findLast((emitted) => emitted.name === name)
      ?.values.at(-1);
  };
  const eventually = async (name: MetricName, holds: (value: number | undefined) => boolean): Promise<void> =>
    await expect.poll(() => holds(lastOf(name)), { timeout: 20_000, interval: 250 }).toBe(true); // reads the whole log

  await eventually('LineHeld', (value) => value === 1);
  await eventually('RunInProgress', (value) => value === 0);
  await eventually('RunOverdueMinutes', (value = 0) => value > 0); // no run has ever completed, so the last due run is missing at any hour

  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 10);
  await eventually('RunInProgress', (value) => value === 1);
  await eventually('RunSecondsLeft', (value = 0) => value > 0);

  // a sync on demand
  const { kvnr } = day.insurer.patients().find(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled) ?? { kvnr: '' };
  const patientRef = day.refOf(kvnr);
  expect(await call('requestPatientSync', { body: { patientRef } })).toMatchObject({ status: 202 });
  await eventually('SyncOnDemandMs', (value = 0) => value > 0);

  // an operator sets a pace for a while
  const pace = (requestsPerMinute: number | null) => ({ body: { requestsPerMinute, reason: 'the insurer called' } });
  expect(await call('setPace', pace(600))).toMatchObject({ status: 200 });
  await eventually('LinePace', (value) => value === 600);
  expect(await call('setPace', pace(null))).toMatchObject({ status: 200 });

  // an operator pauses the line, and the duration is reported
  expect(await call('pauseLine', { body: { reason: 'the insurer called' } })).toMatchObject({ status: 200 });
  await eventually('LinePausedSeconds', (value = 0) => value >= 1);
  expect(lastOf('LinePaused')).toBe(1);
  expect(await call('resumeLine', { body: { reason: 'they are done' } })).toMatchObject({ status: 200 });
  await eventually('LinePausedSeconds', (value) => value === 0);

  // the insurer rejects the token, and every other fault occurs
  day.insurer.script(
    { fault: 'too-large' },
    { fault: 'hang' },
    { fault: 'stalled' },
    { fault: 'redirect' },
    { fault: 'busy' },
  );
  day.insurer.script({ fault: 'unauthorized' });
  await day.until(({ line }) => line.state === 'paused');
  await eventually('LinePausedBySystem', (value) => value === 1);
  expect(await call('resumeLine', { body: { reason: 'the token is right' } })).toMatchObject({ status: 200 });

  const ended = await day.ended();
  expect(ended.state).toBe('completed');
  await eventually('RunInProgress', (value) => value === 0);
  await eventually('RunPatientsDone', (value) => value === ended.careRecords.done);
  expect(lastOf('RunOverdueMinutes')).toBe(0);
  await eventually('RunPatientsPending', (value) => value === ended.careRecords.pending);

  // the next count finds care records, which are from today
  day.insurer.setFaults({ rate: 0 });
  await day.runToEnd();
  await eventually('CareRecordsOldestDays', (value) => value === 0);
  expect(lastOf('CareRecordsMedianDays')).toBe(0);

  // a clinician finds somebody, and another system takes an export
  const entry = day.insurer.patients().find((each) => each.kvnr === kvnr)?.entries[0] ?? '{}';
  const { birthDate, familyName } = JSON.parse(entry) as Record<string, string>;
  expect(await call('searchPatients', { body: { birthDate, familyName } })).toMatchObject({
    json: { hits: [{ patientRef }] },
  });
  expect(await call('startExport')).toMatchObject({ status: 202 });
  await eventually('ExportedPatients', (value = 0) => value > 0);
  const exportsInProgress = async () =>
    (await call('listExports')).json.exports.filter(({ state }: { state: string }) => state === 'running');
  await expect.poll(exportsInProgress, { timeout: 30_000 }).toEqual([]);

  // somebody writes to Temporal without our key
  const foreign = new TemporalClient({ connection: day.client.connection, namespace: day.client.options.namespace });
  await foreign.workflow.getHandle(insurerLineId(insurerId)).signal('gateChanged', 'now');
  await eventually('PayloadsRefused', (value = 0) => value >= 1);
  expect(lastOf('TemporalReachable')).toBe(1);

  // somebody deletes an access entry
  const dynamo = new DynamoDBClient({});
  onTestFinished(() => dynamo.destroy());
  const Key = { patientRef: { S: patientRef }, seq: { N: '1' } };
  await dynamo.send(new DeleteItemCommand({ TableName: defaultTables.accessLog, Key }));
  const tampered = async () => metricsIn(await lambdaLogLines()).filter(({ name }) => name === 'AccessLogTampered');
  await expect.poll(async () => (await tampered()).length, { timeout: 30_000, interval: 1_000 }).toBe(1);

  // without an access entry no request is answered, and the failure is counted
  await dynamo.send(new DeleteTableCommand({ TableName: defaultTables.accessLog }));
  expect(await call('readPatient', { params: { patientRef } })).toMatchObject({ status: 503 });
  await eventually('AccessLogFailures', (value = 0) => value >= 1);

  // an export that cannot go on for a week fails
  const { json: begun } = await call('startExport');
  await dynamo.send(
    new UpdateItemCommand({
      TableName: defaultTables.syncRuns,
      Key: { insurerId: { S: `${insurerId}#exports` }, runId: { S: begun.exportId } },
      UpdateExpression: 'SET transactionTime = :weekAgo',
      ExpressionAttributeValues: { ':weekAgo': { S: new Date(Date.now() - 7 * 24 * 3_600_000).toISOString() } },
    }),
  );
  await eventually('ExportFailures', (value) => value === 1);

  const emitted = [...emittedByWorkers(), ...metricsIn(await lambdaLogLines())];
  for (const { namespace, name, unit, dimensions, values } of emitted) {
    const { dimensions: others = [], ...fact } = metrics[name as MetricName] ?? {};
    expect({ namespace, name, unit, dimensions: Object.keys(dimensions).sort() }).toEqual({
      namespace: defaultDeployment,
      name,
      unit: fact.unit,
      dimensions: ['insurerId', ...others].sort(),
    });
    expect(dimensions['insurerId']).toBe(insurerId);
    expect(values.filter((value) => !(value >= 0))).toEqual([]);
  }

  const { template } = observabilityApp(insurerId);
  const missing = (looks: UsedMetric[]) =>
    looks
      .filter((look) => !emitted.some((one) => isOf(one, look)))
      .map(({ name, dimensions }) => ({ name, ...dimensions }));
  expect(missing(alarmMetrics(template))).toEqual([]);
  expect(missing(dashboardMetrics(template))).toEqual([]);
  expect(new Set(emitted.flatMap(({ dimensions: { fault } }) => fault ?? []))).toEqual(new Set(lineFaults));

  // every request is counted once, as in the insurer's log
  const sumOf = (name: MetricName): number =>
    emitted.filter((one) => one.name === name).reduce((sum, { values }) => sum + values.reduce((a, b) => a + b, 0), 0);
  expect(sumOf('LineFailures')).toBe(sumOf('LineFailuresByFault'));
  const { requests, refusedConnections } = day.insurer.summary();
  expect(sumOf('LineRequests')).toBeGreaterThanOrEqual(requests);
  expect(sumOf('LineRequests')).toBeLessThanOrEqual(requests + refusedConnections);
});
