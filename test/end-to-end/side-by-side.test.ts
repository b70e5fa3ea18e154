import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { expect, onTestFinished, test } from 'vitest';
import { defaultTables, type Tables, tablesOf } from '../../core/stores/tables.ts';
import { namespaceAnswers } from '../../local/temporal.ts';
import { startTestStack, type TestStack } from '../stack.ts';

const root = dirname(dirname(import.meta.dirname));
const portBase = 12_500 + 200 * Math.floor(Math.random() * 12);
const north = { DEPLOYMENT: 'kk-nord', INSURER_ID: 'kk-nord', TEMPORAL_NAMESPACE: 'kk-nord' };
const northTables = tablesOf(north.DEPLOYMENT);

test('two insurers live in one account, each with its own stacks, roles and data, and a run of one leaves the other as it was', {
  timeout: 600_000,
}, async () => {
  await using stack = await startTestStack();
  await createNamespace(stack.environment['TEMPORAL_ADDRESS'] ?? '', north.TEMPORAL_NAMESPACE);
  const account = openAccount(stack);

  await run(stack, 0, { INSURER_PATIENTS: '20', INSURER_SEED: '1' });
  const first = await account.contentOf(defaultTables);
  expect(first['patients']).toHaveLength(20);

  await run(stack, 100, { ...north, INSURER_PATIENTS: '7', INSURER_SEED: '2' });
  const second = await account.contentOf(northTables);
  expect(second['patients']).toHaveLength(7);
  expect(await account.contentOf(defaultTables)).toEqual(first);

  await run(stack, 0, { INSURER_PATIENTS: '20', INSURER_SEED: '1' });
  expect(await account.contentOf(northTables)).toEqual(second);
  expect(await account.contentOf(defaultTables)).not.toEqual(first);

  for (const [name, own] of [['EpaSyncApi', defaultTables] as const, ['KkNordApi', northTables] as const]) {
    const used = await account.tablesIn(name);
    expect(new Set(used)).toEqual(new Set(Object.values(own)));
  }
});

/** Starts a deployment in the account of the stack, with processes and an insurer of its own, until its run has ended. */
async function run(stack: TestStack, portOffset: number, more: Readonly<Record<string, string>>): Promise<void> {
  const { AWS_ENDPOINT_URL, TEMPORAL_ADDRESS } = stack.environment;
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL,
    TEMPORAL_ADDRESS,
    LOCAL_DIR: join(stack.dir, `local-${portOffset}`),
    PORT_BASE: String(portBase + portOffset),
    ...more,
  };
  const started = spawn('npm', ['start', '--', '--external', '--once'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, errors, [code]] = await Promise.all([text(started.stdout), text(started.stderr), once(started, 'exit')]);
  expect(errors, out).toBe('');
  expect(out).toContain('completed');
  expect(code).toBe(0);
}

async function createNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: proto.google.protobuf.Duration.fromObject({ seconds: 86_400 }),
  });
  await connection.close();
  await expect
    .poll(async () => await namespaceAnswers(address, namespace).catch(() => false), { timeout: 30_000 })
    .toBe(true);
}

function openAccount({ environment: { AWS_ENDPOINT_URL: endpoint = '' } }: TestStack) {
  const options = { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(options));
  const formation = new CloudFormationClient(options);
  onTestFinished(() => {
    dynamo.destroy();
    formation.destroy();
  });
  return {
    /** Returns all items of each table. */
    /** Returns the content once the Lambda that reads the stream of patients has recorded all changes. */
    async contentOf(tables: Tables) {
      let last: unknown;
      const areRecorded = async (): Promise<boolean> => {
        const head = await dynamo.send(new GetCommand({ TableName: tables.changes, Key: { feed: 'head', seq: 0 } }));
        const isSame = head.Item !== undefined && head.Item['last'] === last;
        last = head.Item?.['last'];
        return isSame;
      };
      await expect.poll(areRecorded, { interval: 3_000, timeout: 60_000 }).toBe(true);
      const found: Record<string, unknown[]> = {};
      for (const [name, TableName] of Object.entries(tables)) {
        found[name] = [];
        for await (const { Items = [] } of paginateScan({ client: dynamo }, { TableName })) found[name].push(...Items);
      }
      return found;
    },
    /** Returns the tables that the roles of a deployed stack may use. */
    async tablesIn(StackName: string): Promise<readonly string[]> {
      const { TemplateBody = '' } = await formation.send(new GetTemplateCommand({ StackName }));
      return [...TemplateBody.matchAll(/:table\/([\w-]+)/g)].map(([, table = '']) => table);
    },
  };
}
