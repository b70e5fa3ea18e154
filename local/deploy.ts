import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DescribeTableCommand, DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { HeadBucketCommand, NotFound, S3Client } from '@aws-sdk/client-s3';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { defaultDeployment, type StackPart, stackNameOf } from '../core/contract/deployment.ts';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';
import { howToDelete } from './earlier-data.ts';
import { emulatorClientOptions, emulatorEnvironment } from './emulator.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
/** the account that emulators assume for the access key `test` */
const emulatorAccount = '000000000000';
const cdk = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk');

/** Returns the URL at which LocalStack and the emulator serve an API Gateway that CloudFormation has deployed. */
const emulatedApiUrl = (endpoint: string, apiId: string): string => `${endpoint}/restapis/${apiId}/v1/_user_request_`;

const dataOutputs = z.object({ BucketName: z.string(), AnchorBucketName: z.string(), SecretArn: z.string() });
const apiOutputs = z.object({ ApiId: z.string() });
/** the outputs that cdk has written, by stack */
const outputsByStack = z.record(z.string(), z.unknown());
export interface DataOutputs {
  readonly bucketName: string;
  readonly anchorBucketName: string;
}
export interface Outputs extends DataOutputs {
  /** without a trailing slash */
  readonly apiUrl: string;
  /** secret of the API and the workers; the insurer's token has a secret of its own */
  readonly secretArn: string;
}

export interface DeploySpec {
  readonly endpoint: string;
  readonly region: string;
  /** folder of the emulator's data: has the outputs, and a stamp of what was deployed */
  readonly stateDir: string;
  readonly logDir: string;
  /** default: the deployment of an account that holds no other */
  readonly deployment?: string;
  /** whether npm start has not started the emulator itself, as for `howToDelete` */
  readonly isExternal?: boolean;
  /** aborts the deployment */
  readonly signal?: AbortSignal;
}

export interface ApiSpec {
  /** CDK context (infra/settings.ts) */
  readonly settings: Readonly<Record<string, string>>;
  /** content of the API's secret */
  readonly secret: Readonly<Record<string, string>>;
}

/**
 * Deploys the data stack of the CDK app to an emulator, unless the same version is already deployed there.
 * @throws StartFailure
 */
export async function deployDataStack(spec: DeploySpec): Promise<DataOutputs> {
  await deploy(spec, { only: 'data' });
  return readDataOutputs(spec);
}

/**
 * Deploys the whole CDK app to an emulator, unless the same version is already deployed there. Stores the API's secret.
 * @throws StartFailure
 */
export async function deployStacks(spec: DeploySpec, { settings, secret }: ApiSpec): Promise<Outputs> {
  await deploy(spec, settings);
  const outputs = readOutputs(spec);
  await putSecret(spec, outputs, secret);
  return outputs;
}

type EmulatorAddress = Pick<DeploySpec, 'endpoint' | 'region'>;

/** Stores the content of the API's secret. */
export async function putSecret(
  spec: EmulatorAddress,
  { secretArn: SecretId }: Outputs,
  secret: ApiSpec['secret'],
): Promise<void> {
  const secrets = new SecretsManagerClient(emulatorClientOptions(spec));
  try {
    await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(secret) }));
  } finally {
    secrets.destroy();
  }
}

/** Reads the outputs of the data stack from the folder of the emulator's data. */
export const readDataOutputs = (spec: DeployedState): DataOutputs =>
  bucketsOf(dataOutputs.parse(readOutputsOf(spec, 'Data')));

const bucketsOf = ({ BucketName, AnchorBucketName }: z.infer<typeof dataOutputs>): DataOutputs => ({
  bucketName: BucketName,
  anchorBucketName: AnchorBucketName,
});

export function readOutputs({ endpoint, ...state }: DeployedState & Pick<DeploySpec, 'endpoint'>): Outputs {
  const data = dataOutputs.parse(readOutputsOf(state, 'Data'));
  const { ApiId } = apiOutputs.parse(readOutputsOf(state, 'Api'));
  return { ...bucketsOf(data), apiUrl: emulatedApiUrl(endpoint, ApiId), secretArn: data.SecretArn };
}

type DeployedState = Pick<DeploySpec, 'stateDir' | 'deployment'>;

const outputsFile = (stateDir: string): string => join(stateDir, 'outputs.json');
/** Returns the outputs of a stack; undefined if it is not deployed. */
const readOutputsOf = ({ stateDir, deployment = defaultDeployment }: DeployedState, part: StackPart): unknown =>
  outputsByStack.parse(JSON.parse(readFileSync(outputsFile(stateDir), 'utf8')))[stackNameOf(deployment, part)];

async function deploy(spec: DeploySpec, settings: Readonly<Record<string, string>>): Promise<void> {
  const { endpoint, region, stateDir, logDir, deployment = defaultDeployment, isExternal = false, signal } = spec;
  const context = { stage: 'local', deployment, ...settings };
  mkdirSync(stateDir, { recursive: true });
  mkdirSync(logDir, { recursive: true });
  const stamp = join(stateDir, 'deployed');
  const sources = appHash(context);
  const assembly = join(stateDir, 'cdk.out');
  const isDeployed = async () => (await holdsDataStack(spec, assembly)) && (await apiAnswers(spec));
  // the stamp alone proves nothing: a killed emulator loses what it had not saved
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources && (await isDeployed().catch(() => false))) return;

  rmSync(stamp, { force: true });
  const log = join(logDir, 'deploy.log');
  rmSync(log, { force: true });
  // AWS's rules for templates take three times as long as the synthesis, and no emulator enforces them
  const env = { ...process.env, ...emulatorEnvironment(endpoint, region), CDK_VALIDATION: 'false' };
  const step = async (args: readonly string[], cwd = root) => {
    const options = { cwd, env, maxBuffer: 64 << 20, ...(signal && { signal }) };
    const { stdout, stderr } = await run(process.execPath, [cdk, ...args], options).catch((error: unknown) => {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      if (isDiskFull(stdout + stderr)) throw new StartFailure(diskFull, { cause: error });
      writeFileSync(log, `${stdout}${stderr}`, { flag: 'a' });
      const first = stderr.split('\n').find((line) => /error|failed|❌/i.test(line)) ?? 'no reason given';
      throw new StartFailure(`cdk ${args[0]} failed: ${first.trim()} (log: ${log})`, { cause: error });
    });
    writeFileSync(log, `${stdout}${stderr}`, { flag: 'a' });
  };
  const contextArgs = Object.entries(context).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  await Promise.all([
    step(['synth', '--quiet', '--output', assembly, ...contextArgs]),
    step(['bootstrap', `aws://${emulatorAccount}/${region}`], stateDir), // a folder without cdk.json, or it would synthesise as well
  ]);
  await step([
    'deploy',
    '--all',
    '--app',
    assembly,
    '--require-approval',
    'never',
    '--outputs-file',
    outputsFile(stateDir),
  ]);
  if (!(await isDeployed()))
    throw new StartFailure(
      `the AWS emulator reports a complete deployment, but resources are missing from its data. ${howToDelete(isExternal)}`,
    );
  writeFileSync(stamp, sources);
}

/** Returns whether the API answers, or the outputs have no API. */
async function apiAnswers(spec: DeploySpec): Promise<boolean> {
  const outputs = readOutputsOf(spec, 'Api');
  if (outputs === undefined) return true;
  const { ApiId } = apiOutputs.parse(outputs);
  const { status } = await fetch(`${emulatedApiUrl(spec.endpoint, ApiId)}/openapi.json`);
  return status === 200;
}

const templateFile = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});

/**
 * Returns whether an emulator has every table of the synthesised template, and the buckets.
 * @throws errors of the emulator and the files
 */
async function holdsDataStack(spec: DeploySpec, assembly: string): Promise<boolean> {
  const { bucketName, anchorBucketName } = readDataOutputs(spec);
  const template = `${stackNameOf(spec.deployment ?? defaultDeployment, 'Data')}.template.json`;
  const { Resources } = templateFile.parse(JSON.parse(readFileSync(join(assembly, template), 'utf8')));
  const tables = Object.values(Resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::DynamoDB::Table' ? [String(Properties?.['TableName'])] : [],
  );
  const dynamo = new DynamoDBClient(emulatorClientOptions(spec));
  const s3 = new S3Client({ ...emulatorClientOptions(spec), forcePathStyle: true });
  try {
    await Promise.all([
      ...tables.map((TableName) => dynamo.send(new DescribeTableCommand({ TableName }))),
      ...[bucketName, anchorBucketName].map((Bucket) => s3.send(new HeadBucketCommand({ Bucket }))),
    ]);
    return true;
  } catch (error) {
    if (error instanceof ResourceNotFoundException || error instanceof NotFound) return false;
    throw error;
  } finally {
    dynamo.destroy();
    s3.destroy();
  }
}

/** Returns a hash of everything that the templates depend on: sources, versions of all packages, and the context. */
export function appHash(context: Readonly<Record<string, string>>): string {
  const parts = context['only'] === 'data' ? ['infra'] : ['infra', 'lambdas', 'core'];
  const hash = createHash('sha256').update(JSON.stringify(context));
  const sources = globSync(
    parts.map((part) => `${part}/**/*.ts`),
    { cwd: root },
  ).filter((path) => !/\.(test|fixture)\.ts$/.test(path));
  for (const path of [...sources.sort(), 'cdk.json', 'package-lock.json'])
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}
