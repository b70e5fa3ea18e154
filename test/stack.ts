import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { appHash, deployDataStack, deployStacks } from '../local/deploy.ts';
import { emulatorEnvironment, startEmulator } from '../local/emulator.ts';
import { freePorts } from '../local/free-ports.ts';
import { audience, startIssuer } from '../local/issuer-process.ts';
import type { Leashed } from '../local/processes.ts';
import { findTemporal, startTemporal } from '../local/temporal.ts';
import { ensureWheels } from '../local/wheels.ts';

/** A Temporal dev server and an AWS emulator with the data stack, on ports of their own. */
export interface TestStack {
  /** what a process needs to use it: the fixed names of core/config.ts */
  readonly environment: Readonly<Record<string, string>>;
  /** of a stack with the API: where it answers, the issuer of its tokens with its keys (local/oidc/token.ts), and whose pages may read it */
  readonly api?: {
    readonly url: string;
    readonly issuer: string;
    readonly issuerKeys: string;
    readonly consoleOrigin: string;
    /** whose pages may read what the codec endpoint answers */
    readonly temporalUiOrigin: string;
  };
  /** a folder that goes with the stack */
  readonly dir: string;
  /** until restartTemporal, on the same database */
  stopTemporal(): Promise<void>;
  restartTemporal(): Promise<void>;
  /** a clean stop, then a start with what was kept */
  restartEmulator(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StackParts {
  readonly api?: boolean;
  /** how long the issuer's access tokens are good; an hour when absent */
  readonly tokenSeconds?: number;
  /** context that the API is deployed with besides what is the stack's own */
  readonly apiSettings?: Readonly<Record<string, string>>;
  /** what the secret holds besides, for the API and whoever has the stack's environment */
  readonly moreSecret?: Readonly<Record<string, string>>;
}

/** Where tests keep what they install and start. */
export const testDir = resolve(process.env['LOCAL_DIR'] ?? join(dirname(import.meta.dirname), '.local', 'test'));
const region = 'eu-central-1';

/**
 * Starts a stack; in about two seconds, once the data stack has been deployed on this machine before. With the API, which
 * is deployed each time, as it knows where everything is.
 */
export async function startTestStack({
  api: isWithApi = false,
  tokenSeconds,
  apiSettings = {},
  moreSecret = {},
}: StackParts = {}): Promise<TestStack> {
  mkdirSync(testDir, { recursive: true });
  const wheels = await ensureWheels(testDir);
  const command = await findTemporal(process.env, wheels);
  const [temporalPort = 0, emulatorPort = 0, issuerPort = 0, consolePort = 0, uiPort = 0] = await freePorts(5);
  const dir = mkdtempSync(join(testDir, 'stack-'));
  const logDir = join(dir, 'logs');
  const dataDir = join(dir, 'aws');
  const endpoint = `http://127.0.0.1:${emulatorPort}`;
  const openTemporal = () =>
    startTemporal({ command, port: temporalPort, databaseFile: join(dir, 'temporal.db'), logDir });
  const openEmulator = () => startEmulator({ command: wheels.ministack, port: emulatorPort, dataDir, logDir });

  const deployed = join(testDir, `deployed-${appHash({ only: 'data' }).slice(0, 16)}`);
  const isDeployed = existsSync(deployed);
  if (isDeployed) cpSync(deployed, dataDir, { recursive: true });
  const running: { temporal?: Leashed; emulator?: Leashed; issuer?: Leashed } = {};
  const stop = async () => {
    await Promise.all([running.temporal?.stop(), running.emulator?.stop(), running.issuer?.stop()]);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const starting = await Promise.allSettled([
      openTemporal().then((temporal) => {
        running.temporal = temporal;
      }),
      openEmulator().then((emulator) => {
        running.emulator = emulator;
      }),
    ]);
    for (const start of starting) if (start.status === 'rejected') throw start.reason;
    const { bucketName } = await deployDataStack({ endpoint, region, stateDir: dataDir, logDir });
    if (!isDeployed) {
      await running.emulator?.stop();
      keep(dataDir, deployed);
      running.emulator = await openEmulator();
    }
    const aws = emulatorEnvironment(endpoint, region);
    const defined = Object.entries(aws).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const secret = {
      PSEUDONYM_KEY: randomBytes(32).toString('base64'),
      PAYLOAD_KEYS: `test:${randomBytes(32).toString('base64')}`,
      ...moreSecret,
    };
    const temporal = { TEMPORAL_ADDRESS: `127.0.0.1:${temporalPort}`, TEMPORAL_NAMESPACE: 'default' };
    const openApi = async (): Promise<TestStack['api']> => {
      const issuer = `http://127.0.0.1:${issuerPort}`;
      const issuerKeys = join(testDir, 'issuer-keys.json');
      const consoleOrigin = `http://127.0.0.1:${consolePort}`;
      const temporalUiOrigin = `http://127.0.0.1:${uiPort}`;
      running.issuer = await startIssuer({
        port: issuerPort,
        keysFile: issuerKeys,
        consoleOrigin,
        logDir,
        ...(tokenSeconds !== undefined && { tokenSeconds }),
      });
      const settings = {
        ...temporal,
        INSURER_ID: 'test',
        OIDC_ISSUER: issuer,
        OIDC_AUDIENCE: audience,
        CONSOLE_ORIGIN: consoleOrigin,
        TEMPORAL_UI_ORIGIN: temporalUiOrigin,
        ...apiSettings,
      };
      const { apiUrl } = await deployStacks({ endpoint, region, stateDir: dataDir, logDir }, { settings, secret });
      return { url: apiUrl, issuer, issuerKeys, consoleOrigin, temporalUiOrigin };
    };
    const api = isWithApi ? await openApi() : undefined;
    return {
      environment: { ...Object.fromEntries(defined), BUCKET_NAME: bucketName, ...temporal, ...secret },
      ...(api && { api }),
      dir,
      stopTemporal: async () => {
        await running.temporal?.stop();
      },
      restartTemporal: async () => {
        await running.temporal?.stop();
        running.temporal = await openTemporal();
      },
      restartEmulator: async () => {
        await running.emulator?.stop();
        running.emulator = await openEmulator();
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Keeps an emulator's data with the stack deployed and nothing else, for all starts to come. */
function keep(dataDir: string, deployed: string): void {
  const copy = mkdtempSync(`${deployed}-`);
  cpSync(dataDir, copy, { recursive: true });
  try {
    renameSync(copy, deployed);
  } catch {
    rmSync(copy, { recursive: true }); // another one was faster
  }
}
