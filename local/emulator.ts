import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';

export interface EmulatorSpec {
  readonly command: string;
  readonly port: number;
  /** folder in which tables and objects survive a stop */
  readonly dataDir: string;
  readonly logDir: string;
}

/** Credentials for the emulator, which does not check them. */
export const emulatorCredentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' } as const;

/** Returns the options of an AWS client for an emulator. */
export const emulatorClientOptions = ({
  endpoint,
  region,
}: {
  readonly endpoint: string;
  readonly region: string;
}) => ({
  endpoint,
  region,
  credentials: {
    accessKeyId: emulatorCredentials.AWS_ACCESS_KEY_ID,
    secretAccessKey: emulatorCredentials.AWS_SECRET_ACCESS_KEY,
  },
});

/**
 * Returns the environment of AWS clients (SDK and `cdk`), so that no call reaches a real account. Profiles of the user
 * are
 * removed.
 */
export const emulatorEnvironment = (endpoint: string, region: string): NodeJS.ProcessEnv => ({
  ...emulatorCredentials,
  AWS_ENDPOINT_URL: endpoint,
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
  AWS_PROFILE: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
});

const stateDirOf = (dataDir: string): string => join(dataDir, 'state');

/** Returns whether an emulator has saved its tables there, which it does at a clean stop. Objects are saved immediately. */
export const hasSavedState = (dataDir: string): boolean => existsSync(stateDirOf(dataDir));

/**
 * Makes Lambdas read the streams of tables from their beginning. The emulator saves how far they have read, but not the
 * streams, so it would skip as many records of the new streams.
 */
function forgetStreamPositions(stateDir: string): void {
  const file = join(stateDir, 'lambda.json');
  if (!existsSync(file)) return;
  const saved = JSON.parse(readFileSync(file, 'utf8')) as { payload?: Record<string, unknown> };
  if (saved.payload === undefined) return;
  saved.payload['dynamodb_stream_positions'] = {};
  writeFileSync(file, JSON.stringify(saved));
}

/**
 * Starts the AWS emulator and waits until it answers. A stop takes seconds, because it saves the tables.
 * @throws StartFailure
 */
export async function startEmulator({ command, port, dataDir, logDir }: EmulatorSpec): Promise<ManagedProcess> {
  mkdirSync(dataDir, { recursive: true });
  forgetStreamPositions(stateDirOf(dataDir));
  const { AWS_ENDPOINT_URL: _, AWS_ENDPOINT_URL_S3: __, ...environment } = process.env;
  const emulator = startProcess({
    name: 'emulator',
    command: join(dirname(command), 'python'), // of the same environment
    args: [join(import.meta.dirname, 'emulator.py')],
    env: {
      ...environment,
      // Lambdas run on the first `node` of the PATH, and inherit these variables
      PATH: `${dirname(process.execPath)}${delimiter}${environment['PATH'] ?? ''}`,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      PERSIST_STATE: '1',
      STATE_DIR: stateDirOf(dataDir),
      S3_PERSIST: '1',
      S3_DATA_DIR: join(dataDir, 's3'),
    },
    logDir,
    graceMs: 60_000,
  });
  await untilReady(emulator, () => emulatorAnswers(`http://127.0.0.1:${port}`), { timeoutMs: 30_000 }).catch(
    async (error: unknown) => {
      await emulator.stop();
      throw error;
    },
  );
  return emulator;
}

/** Returns whether an AWS emulator answers at an endpoint. @throws if the connection fails, or `timeoutMs` are over */
export async function emulatorAnswers(endpoint: string, timeoutMs = 1_000): Promise<boolean> {
  const answer = await fetch(new URL('/_localstack/health', endpoint), { signal: AbortSignal.timeout(timeoutMs) });
  await answer.body?.cancel();
  return answer.ok;
}
