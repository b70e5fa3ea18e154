import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { appHash, deployDataStack, deployStacks, putSecret, readDataOutputs, readOutputs } from '../local/deploy.ts';
import { emulatorEnvironment, startEmulator } from '../local/emulator.ts';
import { freePorts } from '../local/free-ports.ts';
import { audience, startIssuer } from '../local/issuer-process.ts';
import type { ManagedProcess } from '../local/processes.ts';
import { ensurePythonTools } from '../local/python-tools.ts';
import { findTemporal, startTemporal } from '../local/temporal.ts';
import { testDir } from '../tools/test-dir.ts';
import { createRelease } from './release.fixture.ts';

/** A Temporal dev server and an AWS emulator with the data stack, on free ports. */
export interface TestStack {
  /** environment of processes that use the stack, with the variables of core/config.ts */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * only with the API: its URL, the issuer of its tokens, the file of the issuer's keys (local/oidc/token.ts), and
   * origins
   */
  readonly api?: {
    readonly url: string;
    readonly issuer: string;
    readonly issuerKeys: string;
    readonly consoleOrigin: string;
    /** origin of the pages that may read the codec endpoint */
    readonly temporalUiOrigin: string;
  };
  /** folder that is deleted with the stack */
  readonly dir: string;
  /** Stops Temporal until `restartTemporal`, which uses the same database. */
  stopTemporal(): Promise<void>;
  restartTemporal(): Promise<void>;
  /** Stops the emulator cleanly, and starts it with the saved data. */
  restartEmulator(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface StackParts {
  readonly api?: boolean;
  /** deploys the API over the data stack of the last release, with the data that it has stored */
  readonly isUpgraded?: boolean;
  /** lifetime of access tokens in seconds; an hour by default */
  readonly tokenSeconds?: number;
  /** the collector that the API sends its traces to */
  readonly collector?: string;
  /** where Temporal's server shows its metrics; by default nowhere */
  readonly temporalMetricsPort?: number;
  /** more settings for the secret of the API and the environment of the stack */
  readonly moreSecret?: Readonly<Record<string, string>>;
}

const region = 'eu-central-1';

/** Compiled modules (tools/bootstrap.mjs), for each process that a test starts: a start costs half of the CPU time. */
export const compileCache = { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '' };

/** Addresses that the API gets when it is deployed. */
type Addresses = Readonly<Record<'temporal' | 'issuer' | 'consoleOrigin' | 'temporalUiOrigin' | 'collector', string>>;

/** Placeholders for the addresses of each stack, so that one deployment serves all stacks. */
const placeholders: Addresses = {
  temporal: 'temporal.invalid:7233',
  issuer: 'http://issuer.invalid',
  consoleOrigin: 'http://console.invalid',
  temporalUiOrigin: 'http://temporal-ui.invalid',
  collector: 'http://collector.invalid',
};

/** CDK context of each deployment. */
const deployments = {
  data: undefined,
  api: apiSettings(),
  'upgraded-api': apiSettings(),
  'traced-api': { ...apiSettings(), OTEL_EXPORTER_OTLP_ENDPOINT: placeholders.collector },
} as const;

function apiSettings() {
  return {
    TEMPORAL_ADDRESS: placeholders.temporal,
    TEMPORAL_NAMESPACE: 'default',
    INSURER_ID: 'test',
    OIDC_ISSUER: placeholders.issuer,
    OIDC_AUDIENCE: audience,
    CONSOLE_ORIGIN: placeholders.consoleOrigin,
    TEMPORAL_UI_ORIGIN: placeholders.temporalUiOrigin,
  };
}

/**
 * Deploys to an emulator. The result is reused by all starts on this machine until the sources change.
 * @returns the folder with that emulator's data
 */
export async function ensureDeployed(what: keyof typeof deployments): Promise<string> {
  const settings = deployments[what];
  const hash = appHash(settings ?? { only: 'data' }).slice(0, 16);
  const deployed = join(testDir, `deployed-${what}-${hash}`);
  if (existsSync(deployed)) return deployed;
  for (const older of globSync(join(testDir, `deployed-${what}-${'?'.repeat(hash.length)}`)))
    rmSync(older, { recursive: true });
  mkdirSync(testDir, { recursive: true });
  const { ministack: command } = await ensurePythonTools(testDir);
  const dataDir = mkdtempSync(join(testDir, 'deploying-'));
  const logDir = join(dataDir, 'logs');
  const [port = 0] = await freePorts(1);
  const spec = { endpoint: `http://127.0.0.1:${port}`, region, stateDir: dataDir, logDir };
  const emulator = await startEmulator({ command, port, dataDir, logDir });
  try {
    if (what === 'upgraded-api') await createRelease(spec);
    await (settings === undefined ? deployDataStack(spec) : deployStacks(spec, { settings, secret: {} }));
  } finally {
    await emulator.stop();
  }
  try {
    renameSync(dataDir, deployed);
  } catch {
    rmSync(dataDir, { recursive: true }); // another process was faster
  }
  return deployed;
}

/** Copies the deployed emulator state and replaces its placeholder addresses with this stack's. */
function copyDeployed(from: string, to: string, addresses: Addresses): void {
  cpSync(from, to, { recursive: true, filter: (file) => basename(file) !== 'cdk.out' }); // 16 MB that no stack reads
  for (const file of globSync(join(to, 'state', '*.json'))) {
    const saved = readFileSync(file, 'utf8');
    const replaced = Object.entries(placeholders).reduce(
      (text, [name, placeholder]) => text.replaceAll(placeholder, addresses[name as keyof Addresses]),
      saved,
    );
    if (replaced !== saved) writeFileSync(file, replaced);
  }
}

/** Starts a stack. It takes about two seconds if its deployment exists on this machine. */
export async function startTestStack({
  api: isWithApi = false,
  isUpgraded = false,
  tokenSeconds,
  collector,
  temporalMetricsPort: metricsPort,
  moreSecret = {},
}: StackParts = {}): Promise<TestStack> {
  const what = collector !== undefined ? 'traced-api' : isUpgraded ? 'upgraded-api' : isWithApi ? 'api' : 'data';
  const deployed = await ensureDeployed(what);
  const tools = await ensurePythonTools(testDir);
  const command = await findTemporal(process.env, tools);
  const [temporalPort = 0, emulatorPort = 0, issuerPort = 0, consolePort = 0, uiPort = 0] = await freePorts(5);
  const dir = mkdtempSync(join(testDir, 'stack-'));
  const logDir = join(dir, 'logs');
  const dataDir = join(dir, 'aws');
  const endpoint = `http://127.0.0.1:${emulatorPort}`;
  const addresses = {
    temporal: `127.0.0.1:${temporalPort}`,
    issuer: `http://127.0.0.1:${issuerPort}`,
    consoleOrigin: `http://127.0.0.1:${consolePort}`,
    temporalUiOrigin: `http://127.0.0.1:${uiPort}`,
    collector: collector ?? '',
  };
  const { issuer, consoleOrigin, temporalUiOrigin } = addresses;
  const issuerKeys = join(dir, 'issuer-keys.json');
  copyDeployed(deployed, dataDir, addresses);

  const running: { temporal?: ManagedProcess; emulator?: ManagedProcess; issuer?: ManagedProcess } = {};
  const openTemporal = async () => {
    running.temporal = await startTemporal({
      command,
      port: temporalPort,
      metricsPort,
      databaseFile: join(dir, 'temporal.db'),
      logDir,
      partitions: 1,
    });
  };
  const openEmulator = async () => {
    running.emulator = await startEmulator({ command: tools.ministack, port: emulatorPort, dataDir, logDir });
  };
  const openIssuer = async () => {
    const seconds = tokenSeconds !== undefined && { tokenSeconds };
    running.issuer = await startIssuer({ port: issuerPort, keysFile: issuerKeys, consoleOrigin, logDir, ...seconds });
  };
  /** Kills all parts: a clean stop takes a second or more to save data, which is deleted here. */
  const stop = async () => {
    await Promise.all([running.temporal?.kill(), running.emulator?.kill(), running.issuer?.kill()]);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const starting = await Promise.allSettled([openTemporal(), openEmulator(), isWithApi && openIssuer()]);
    for (const start of starting) if (start.status === 'rejected') throw start.reason;
    const secret = {
      PSEUDONYM_KEY: randomBytes(32).toString('base64'),
      PAYLOAD_KEYS: `test:${randomBytes(32).toString('base64')}`,
      ...moreSecret,
    };
    const openApi = async (): Promise<TestStack['api']> => {
      const outputs = readOutputs({ endpoint, stateDir: dataDir });
      await putSecret({ endpoint, region }, outputs, secret);
      return { url: outputs.apiUrl, issuer, issuerKeys, consoleOrigin, temporalUiOrigin };
    };
    const api = isWithApi ? await openApi() : undefined;
    const aws = emulatorEnvironment(endpoint, region);
    const { bucketName, anchorBucketName } = readDataOutputs({ stateDir: dataDir });
    const defined = Object.entries(aws).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return {
      environment: {
        ...Object.fromEntries(defined),
        ...compileCache,
        BUCKET_NAME: bucketName,
        ANCHOR_BUCKET_NAME: anchorBucketName,
        TEMPORAL_ADDRESS: addresses.temporal,
        TEMPORAL_NAMESPACE: 'default',
        ...secret,
      },
      ...(api && { api }),
      dir,
      stopTemporal: async () => {
        await running.temporal?.stop();
      },
      restartTemporal: async () => {
        await running.temporal?.stop();
        await openTemporal();
      },
      restartEmulator: async () => {
        await running.emulator?.stop();
        await openEmulator();
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
