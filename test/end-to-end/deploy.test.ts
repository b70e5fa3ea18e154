import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import {
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { deployStacks, type Outputs } from '../../local/deploy.ts';
import { emulatorCredentials, emulatorEnvironment, startEmulator } from '../../local/emulator.ts';
import { freePorts } from '../../local/free-ports.ts';
import { ensurePythonTools } from '../../local/python-tools.ts';
import { testDir } from '../../tools/test-dir.ts';
import { createRelease } from '../release.fixture.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
const region = 'eu-central-1';
const settings = {
  INSURER_ID: 'test',
  TEMPORAL_ADDRESS: '127.0.0.1:7233',
  OIDC_ISSUER: 'http://127.0.0.1:9090',
  OIDC_AUDIENCE: 'epa-sync-api',
  CONSOLE_ORIGIN: 'http://127.0.0.1:9030',
};

test('the app is deployed to an empty account, deployed again without changes, and removed completely', async () => {
  const account = await openAccount();
  await account.deploy();
  const before = await account.resources();
  const changed = (await account.describe()).map(({ LastUpdatedTime }) => LastUpdatedTime);

  await account.deploy();
  expect(await account.resources()).toEqual(before);
  expect((await account.describe()).map(({ LastUpdatedTime }) => LastUpdatedTime)).toEqual(changed);

  await account.tearDown();
  expect(await account.describe()).toEqual([]);
  expect((await account.dynamo.send(new ListTablesCommand({}))).TableNames).toEqual([]);
  const { Buckets = [] } = await account.s3.send(new ListBucketsCommand({}));
  expect(Buckets.filter(({ Name }) => Name?.startsWith('epa-sync-'))).toEqual([]);
});

test('an upgrade from the last release keeps all tables, the bucket and the key, with their content', async () => {
  const account = await openAccount();
  await createRelease(account);
  const before = await account.resources('EpaSyncData');
  const bucket =
    before
      .find((resource) => resource.startsWith('AWS::S3::Bucket '))
      ?.split(' ')
      .at(-1) ?? '';
  const Item = { shard: { S: '0a' }, patientRef: { S: '0a'.repeat(16) } };
  await account.dynamo.send(new PutItemCommand({ TableName: 'Patients', Item }));
  await account.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'documents/a', Body: 'kept' }));

  await account.deploy();
  const after = await account.resources('EpaSyncData');
  expect(after).toEqual(expect.arrayContaining(before)); // by type, logical and physical ID
  for (const table of account.tablesOfTemplate()) expect(await account.describeTable(table.TableName)).toEqual(table);
  expect((await account.dynamo.send(new GetItemCommand({ TableName: 'Patients', Key: Item }))).Item).toEqual(Item);
  const { Body } = await account.s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'documents/a' }));
  expect(await Body?.transformToString()).toBe('kept');
});

/** What decides which reads and streams a table has. */
interface TableShape {
  readonly TableName: string;
  readonly KeySchema: unknown;
  /** name, key and projection of each index */
  readonly indexes: unknown;
  /** what the stream contains; undefined if there is none */
  readonly stream: string | undefined;
}

/** Starts an empty emulator. @returns what a team does to deploy there */
async function openAccount() {
  mkdirSync(testDir, { recursive: true });
  const { ministack: command } = await ensurePythonTools(testDir);
  const dir = mkdtempSync(join(testDir, 'account-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const logDir = join(dir, 'logs');
  const emulator = await startEmulator({ command, port, dataDir: join(dir, 'aws'), logDir });
  onTestFinished(emulator.stop);
  const credentials = {
    accessKeyId: emulatorCredentials.AWS_ACCESS_KEY_ID,
    secretAccessKey: emulatorCredentials.AWS_SECRET_ACCESS_KEY,
  };
  const options = { endpoint, region, credentials };
  const formation = new CloudFormationClient(options);
  const dynamo = new DynamoDBClient(options);
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  let deployments = 0;
  let stateDir = '';
  const describe = async () => {
    const { Stacks = [] } = await formation.send(new DescribeStacksCommand({}));
    return Stacks.filter(({ StackName }) => StackName?.startsWith('EpaSync'));
  };
  return {
    endpoint,
    region,
    dynamo,
    s3,
    describe,
    /** Deploys without any local state, so that cdk decides what to change. */
    async deploy(): Promise<Outputs> {
      stateDir = join(dir, `deployment-${deployments++}`);
      return await deployStacks({ endpoint, region, stateDir, logDir }, { settings, secret: {} });
    },
    /** Returns the tables as the template of the last deployment wants them. */
    tablesOfTemplate(): TableShape[] {
      const template = readFileSync(join(stateDir, 'cdk.out', 'EpaSyncData.template.json'), 'utf8');
      const { Resources } = JSON.parse(template) as { Resources: Record<string, { Type: string; Properties: never }> };
      return Object.values(Resources).flatMap(({ Type, Properties }) => {
        if (Type !== 'AWS::DynamoDB::Table') return [];
        const { TableName, KeySchema, GlobalSecondaryIndexes: indexes = [], StreamSpecification } = Properties;
        return [{ TableName, KeySchema, indexes, stream: (StreamSpecification as never)?.['StreamViewType'] }];
      });
    },
    async describeTable(TableName: string): Promise<TableShape> {
      const { Table } = await dynamo.send(new DescribeTableCommand({ TableName }));
      const { KeySchema, GlobalSecondaryIndexes = [], StreamSpecification } = Table ?? {};
      const indexes = GlobalSecondaryIndexes.map(({ IndexName, KeySchema, Projection }) => ({
        ...{ IndexName, KeySchema, Projection },
      }));
      return { TableName, KeySchema, indexes, stream: StreamSpecification?.StreamViewType };
    },
    /** Returns type, logical ID and physical ID of each resource. */
    async resources(...names: string[]): Promise<string[]> {
      const stacks = names.length > 0 ? names : (await describe()).map(({ StackName = '' }) => StackName);
      const found = await Promise.all(
        stacks.map((StackName) => formation.send(new DescribeStackResourcesCommand({ StackName }))),
      );
      return found
        .flatMap(({ StackResources = [] }) => StackResources)
        .map(({ ResourceType, LogicalResourceId, PhysicalResourceId }) =>
          [ResourceType, LogicalResourceId, PhysicalResourceId].join(' '),
        )
        .sort();
    },
    async tearDown(): Promise<void> {
      const cdk = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk');
      const env = { ...process.env, ...emulatorEnvironment(endpoint, region) };
      await run(process.execPath, [cdk, 'destroy', '--all', '--force', '--app', join(stateDir, 'cdk.out')], {
        env,
        cwd: dir,
      });
    },
  };
}
