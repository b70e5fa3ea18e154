import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { emulatorEnvironment } from './emulator.ts';
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
  if (existsSync(stamp) && existsSync(outputs) && readFileSync(stamp, 'utf8') === sources) return readOutputs(outputs);

  rmSync(stamp, { force: true });
  const log = join(logDir, 'deploy.log');
  rmSync(log, { force: true });
  const env = { ...process.env, ...emulatorEnvironment(endpoint, region) };
  const assembly = join(stateDir, 'cdk.out');
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
  writeFileSync(stamp, sources);
  return readOutputs(outputs);
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
