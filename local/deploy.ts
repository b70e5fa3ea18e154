import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DescribeTableCommand, DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { HeadBucketCommand, NotFound, S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { emulatorCredentials, emulatorEnvironment } from './emulator.ts';
import { diskFull, isDiskFull, StartFailure } from './start-failure.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
/** the account that emulators take calls with the access key `test` to be of */
const emulatorAccount = '000000000000';
const cdk = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk');

const outputsFile = z.object({ EpaSyncData: z.object({ BucketName: z.string(), KeyArn: z.string() }) });
export interface DataOutputs {
  readonly bucketName: string;
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

/**
 * Deploys the data stack of the CDK app to an emulator, if it is not there as it is now.
 * @throws StartFailure
 */
export async function deployDataStack({
  endpoint,
  region,
  stateDir,
  logDir,
  signal,
}: DeploySpec): Promise<DataOutputs> {
  mkdirSync(stateDir, { recursive: true });
  mkdirSync(logDir, { recursive: true });
  const outputs = join(stateDir, 'outputs.json');
  const stamp = join(stateDir, 'deployed');
  const sources = appHash();
  const assembly = join(stateDir, 'cdk.out');
  const isThere = () => holdsDataStack(endpoint, region, assembly, readOutputs(outputs));
  // the stamp alone proves nothing: an emulator that was killed has lost what it had not written yet
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources && (await isThere().catch(() => false)))
    return readOutputs(outputs);

  rmSync(stamp, { force: true });
  const log = join(logDir, 'deploy.log');
  rmSync(log, { force: true });
  const env = { ...process.env, ...emulatorEnvironment(endpoint, region) };
  const step = async (args: readonly string[]) => {
    const options = { cwd: root, env, maxBuffer: 64 << 20, ...(signal && { signal }) };
    const { stdout, stderr } = await run(process.execPath, [cdk, ...args], options).catch((error: unknown) => {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      if (isDiskFull(stdout + stderr)) throw new StartFailure(diskFull, { cause: error });
      writeFileSync(log, `${stdout}${stderr}`, { flag: 'a' });
      const first = stderr.split('\n').find((line) => /error|failed|❌/i.test(line)) ?? 'no reason given';
      throw new StartFailure(`cdk ${args[0]} failed: ${first.trim()} (log: ${log})`, { cause: error });
    });
    writeFileSync(log, `${stdout}${stderr}`, { flag: 'a' });
  };
  await Promise.all([
    step(['synth', '-c', 'stage=local', '--quiet', '--output', assembly]),
    step(['bootstrap', `aws://${emulatorAccount}/${region}`]),
  ]);
  await step(['deploy', 'EpaSyncData', '--app', assembly, '--require-approval', 'never', '--outputs-file', outputs]);
  if (!(await isThere()))
    throw new StartFailure(
      'the AWS emulator says that the data stack is deployed, but has lost tables or the bucket: npm start -- --fresh starts anew',
    );
  writeFileSync(stamp, sources);
  return readOutputs(outputs);
}

const templateFile = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }),
  ),
});

/** Whether an emulator has every table of the synthesised template, and the bucket. @throws what the emulator or the files do */
async function holdsDataStack(
  endpoint: string,
  region: string,
  assembly: string,
  { bucketName }: DataOutputs,
): Promise<boolean> {
  const { Resources } = templateFile.parse(
    JSON.parse(readFileSync(join(assembly, 'EpaSyncData.template.json'), 'utf8')),
  );
  const tables = Object.values(Resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::DynamoDB::Table' ? [String(Properties?.['TableName'])] : [],
  );
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = emulatorCredentials;
  const options = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  const dynamo = new DynamoDBClient(options);
  const s3 = new S3Client({ ...options, forcePathStyle: true });
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

function readOutputs(file: string): DataOutputs {
  const { EpaSyncData } = outputsFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { bucketName: EpaSyncData.BucketName };
}

/** What the app's template follows from: its sources, and the versions of all packages. */
export function appHash(): string {
  const hash = createHash('sha256');
  const sources = globSync('infra/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'));
  for (const path of [...sources.sort(), 'cdk.json', 'package-lock.json'])
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}
