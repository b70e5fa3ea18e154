import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DescribeTableCommand, DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { HeadBucketCommand, NotFound, S3Client } from '@aws-sdk/client-s3';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';
import { emulatorCredentials, emulatorEnvironment } from './emulator.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
/** the account that emulators take calls with the access key `test` to be of */
const emulatorAccount = '000000000000';
const cdk = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk');

/** where LocalStack and the emulator have what CloudFormation has deployed of API Gateway; the stage is the stack's */
const emulatedApiUrl = (endpoint: string, apiId: string): string => `${endpoint}/restapis/${apiId}/v1/_user_request_`;

const dataOutputs = z.object({ EpaSyncData: z.object({ BucketName: z.string(), SecretArn: z.string() }) });
const allOutputs = dataOutputs.extend({ EpaSyncApi: z.object({ ApiId: z.string() }) });
export interface DataOutputs {
  readonly bucketName: string;
}
export interface Outputs extends DataOutputs {
  /** without a slash at its end */
  readonly apiUrl: string;
  /** what the API and the workers share, apart from the insurer's token */
  readonly secretArn: string;
}

export interface DeploySpec {
  readonly endpoint: string;
  readonly region: string;
  /** what belongs to the emulator's data: the outputs, and a stamp of what was deployed there */
  readonly stateDir: string;
  readonly logDir: string;
  /** ends what is under way */
  readonly signal?: AbortSignal;
}

export interface ApiSpec {
  /** of infra/settings.ts */
  readonly settings: Readonly<Record<string, string>>;
  /** what the API's secret holds */
  readonly secret: Readonly<Record<string, string>>;
}

/**
 * Deploys the data stack of the CDK app to an emulator, if it is not there as it is now.
 * @throws StartFailure
 */
export async function deployDataStack(spec: DeploySpec): Promise<DataOutputs> {
  await deploy(spec, { only: 'data' });
  return readDataOutputs(spec.stateDir);
}

/**
 * Deploys the whole CDK app to an emulator, if it is not there as it is now, and puts the API's secret.
 * @throws StartFailure
 */
export async function deployStacks(spec: DeploySpec, { settings, secret }: ApiSpec): Promise<Outputs> {
  await deploy(spec, settings);
  const outputs = readOutputs(spec);
  await putSecret(spec, outputs, secret);
  return outputs;
}

type EmulatorAddress = Pick<DeploySpec, 'endpoint' | 'region'>;

/** Puts what the API's secret holds. */
export async function putSecret(
  spec: EmulatorAddress,
  { secretArn: SecretId }: Outputs,
  secret: ApiSpec['secret'],
): Promise<void> {
  const secrets = new SecretsManagerClient(clientOptions(spec));
  try {
    await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(secret) }));
  } finally {
    secrets.destroy();
  }
}

/** The outputs of what was deployed, by the folder of the emulator's data. */
export const readDataOutputs = (stateDir: string): DataOutputs => {
  const { EpaSyncData } = dataOutputs.parse(readOutputsFile(stateDir));
  return { bucketName: EpaSyncData.BucketName };
};

export function readOutputs({ endpoint, stateDir }: Pick<DeploySpec, 'endpoint' | 'stateDir'>): Outputs {
  const { EpaSyncData, EpaSyncApi } = allOutputs.parse(readOutputsFile(stateDir));
  return {
    bucketName: EpaSyncData.BucketName,
    apiUrl: emulatedApiUrl(endpoint, EpaSyncApi.ApiId),
    secretArn: EpaSyncData.SecretArn,
  };
}

const outputsFile = (stateDir: string): string => join(stateDir, 'outputs.json');
const readOutputsFile = (stateDir: string): unknown => JSON.parse(readFileSync(outputsFile(stateDir), 'utf8'));

async function deploy(spec: DeploySpec, context: Readonly<Record<string, string>>): Promise<void> {
  const { endpoint, region, stateDir, logDir, signal } = spec;
  mkdirSync(stateDir, { recursive: true });
  mkdirSync(logDir, { recursive: true });
  const stamp = join(stateDir, 'deployed');
  const sources = appHash(context);
  const assembly = join(stateDir, 'cdk.out');
  const isDeployed = async () =>
    (await holdsDataStack(spec, assembly, readOutputsFile(stateDir))) &&
    (await apiAnswers(spec, readOutputsFile(stateDir)));
  // the stamp alone proves nothing: an emulator that was killed has lost what it had not written yet
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources && (await isDeployed().catch(() => false))) return;

  rmSync(stamp, { force: true });
  const log = join(logDir, 'deploy.log');
  rmSync(log, { force: true });
  // AWS's own rules for templates take three times as long as the synthesis, and no emulator minds them
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
  const settings = Object.entries({ stage: 'local', ...context }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  await Promise.all([
    step(['synth', '--quiet', '--output', assembly, ...settings]),
    step(['bootstrap', `aws://${emulatorAccount}/${region}`], stateDir), // where no cdk.json has it synthesise as well
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
      'the AWS emulator says that all is deployed, but has lost a part of it: npm start -- --fresh starts anew',
    );
  writeFileSync(stamp, sources);
}

/** Whether the API answers, if it is there to answer. */
async function apiAnswers({ endpoint }: DeploySpec, outputs: unknown): Promise<boolean> {
  const { success, data } = allOutputs.safeParse(outputs);
  if (!success) return true;
  const { status } = await fetch(`${emulatedApiUrl(endpoint, data.EpaSyncApi.ApiId)}/openapi.json`);
  return status === 200;
}

const clientOptions = ({ endpoint, region }: EmulatorAddress) => ({
  endpoint,
  region,
  credentials: {
    accessKeyId: emulatorCredentials.AWS_ACCESS_KEY_ID,
    secretAccessKey: emulatorCredentials.AWS_SECRET_ACCESS_KEY,
  },
});

const templateFile = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});

/** Whether an emulator has every table of the synthesised template, and the bucket. @throws what the emulator or the files do */
async function holdsDataStack(spec: DeploySpec, assembly: string, outputs: unknown): Promise<boolean> {
  const bucketName = dataOutputs.parse(outputs).EpaSyncData.BucketName;
  const { Resources } = templateFile.parse(
    JSON.parse(readFileSync(join(assembly, 'EpaSyncData.template.json'), 'utf8')),
  );
  const tables = Object.values(Resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::DynamoDB::Table' ? [String(Properties?.['TableName'])] : [],
  );
  const dynamo = new DynamoDBClient(clientOptions(spec));
  const s3 = new S3Client({ ...clientOptions(spec), forcePathStyle: true });
  try {
    await Promise.all([
      ...tables.map((TableName) => dynamo.send(new DescribeTableCommand({ TableName }))),
      s3.send(new HeadBucketCommand({ Bucket: bucketName })),
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

/** What the app's templates follow from: sources, the versions of all packages, and the context. */
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
