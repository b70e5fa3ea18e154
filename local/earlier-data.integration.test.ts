import { randomBytes, randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Client, Connection } from '@temporalio/client';
import { expect, onTestFinished, test } from 'vitest';
import { defaultDeployment } from '../core/contract/deployment.ts';
import { careRefreshId, dailySyncId } from '../core/contract/names.ts';
import { newRunId } from '../core/domain/run-id.ts';
import { openGate } from '../core/stores/gate.ts';
import { checkEarlierData, type EarlierData } from './earlier-data.ts';

const newKey = (): string => randomBytes(32).toString('base64');

/** What a first start in the shared emulator and Temporal finds: no data of its insurer. */
const newStart = (): EarlierData => ({
  aws: process.env['AWS_ENDPOINT_URL'] ?? '',
  region: process.env['AWS_REGION'] ?? '',
  temporal: process.env['TEMPORAL_ADDRESS'] ?? '',
  temporalNamespace: 'default',
  deployment: defaultDeployment,
  insurerId: `kk-${randomUUID().slice(0, 8)}`,
  pseudonymKey: newKey(),
  keysFile: '.local/keys.json',
  isExternal: true,
});

test('an emptied emulator with a Temporal that goes on is refused, with what to do', async () => {
  const start = newStart();
  await expect(checkEarlierData(start)).resolves.toBeUndefined();
  await expect(checkEarlierData({ ...start, deployment: 'not-deployed-yet' })).resolves.toBeUndefined();
  const connection = await Connection.connect({ address: start.temporal });
  onTestFinished(() => connection.close());
  const { workflow } = new Client({ connection });
  const run = await workflow.start('dailySync', { workflowId: dailySyncId(start.insurerId), taskQueue: 'nobody' });
  await expect(checkEarlierData(start)).rejects.toThrow(/is empty, but Temporal .* still has .*docker compose down -v/);
  await expect(checkEarlierData({ ...start, isExternal: false })).rejects.toThrow(/npm start -- --fresh/);
  await run.terminate();
  await expect(checkEarlierData(start)).resolves.toBeUndefined();
});

test('a refresh that goes on after its run is noticed, too', async () => {
  const start = newStart();
  const runId = newRunId(Date.now(), randomBytes(3).toString('hex').slice(1));
  const connection = await Connection.connect({ address: start.temporal });
  onTestFinished(() => connection.close());
  const { workflow } = new Client({ connection });
  const begin = async (type: string, workflowId: string) =>
    await workflow.start(type, { workflowId, taskQueue: 'nobody', memo: { runId } });
  const run = await begin('dailySync', dailySyncId(start.insurerId));
  await run.terminate();
  const refresh = await begin('careRefresh', careRefreshId(runId));
  onTestFinished(async () => void (await refresh.terminate()));
  await expect(checkEarlierData(start)).rejects.toThrow(/still has the workflow care-refresh:/);
});

test('data that another clone has stored is refused, with what to do', async () => {
  const start = newStart();
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));
  onTestFinished(() => dynamo.destroy());
  await openGate(dynamo, start.insurerId).read(); // as the first worker does
  await expect(checkEarlierData(start)).resolves.toBeUndefined();
  await expect(checkEarlierData(start)).resolves.toBeUndefined();
  await expect(checkEarlierData({ ...start, pseudonymKey: newKey() })).rejects.toThrow(
    /another PSEUDONYM_KEY than that in .local\/keys.json.*docker compose down -v/,
  );
});
