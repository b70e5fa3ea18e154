import { existsSync, rmSync } from 'node:fs';
import { readConfig, workerConfig } from '../core/config.ts';
import { StartFailure } from '../terminal/start-failure.ts';
import { ensureConsole, startConsole } from './console-process.ts';
import { deployStacks, type Outputs } from './deploy.ts';
import { checkEarlierData } from './earlier-data.ts';
import { emulatorAnswers, emulatorEnvironment, hasSavedState, startEmulator } from './emulator.ts';
import {
  type Endpoints,
  publishEndpoints,
  releaseLock,
  removeEndpoints,
  takeLock,
  updateProcesses,
} from './endpoints.ts';
import { startInsurerSimulator } from './insurer-process.ts';
import { audience, startIssuer } from './issuer-process.ts';
import { ensureKeys, type Keys } from './keys.ts';
import { ensureIssuerKeys, publicKeyOf, readIssuerKeys } from './oidc/issuer-keys.ts';
import { checkPortsFree } from './ports.ts';
import { lastLogLine, type ManagedProcess } from './processes.ts';
import { ensurePythonTools } from './python-tools.ts';
import { type LocalSettings, type Ports, pathsIn } from './settings.ts';
import { findTemporal, namespaceAnswers, startTemporal } from './temporal.ts';
import { startWorker, type WorkerIds } from './worker-process.ts';
import { ensureWorkflowBundle } from './workflow-bundle.ts';

export interface DevEnvironmentOptions {
  readonly settings: LocalSettings;
  /** deletes all data first */
  readonly isFresh: boolean;
  /** uses the services at AWS_ENDPOINT_URL and TEMPORAL_ADDRESS, such as those of docker compose */
  readonly isExternal: boolean;
  /** called after each step */
  readonly onStep: (what: string, seconds: number) => void;
  /** called with a message for the person at the terminal */
  readonly onNote: (note: string) => void;
  /** called if a required process has ended, so that the stack cannot continue */
  readonly onBroken: (reason: string) => void;
}

export interface StartedEnvironment {
  readonly endpoints: Omit<Endpoints, 'processes'>;
  /** environment variables of its processes */
  readonly environment: Readonly<Record<string, string>>;
}

interface ServiceAddresses {
  readonly temporal: string;
  readonly temporalUi?: string;
  readonly temporalNamespace: string;
  readonly aws: string;
}

/**
 * Addresses of the services in docker-compose.yml. Lambdas run in its network, and cannot reach the loopback of the host.
 */
const composeAddresses = {
  aws: 'http://127.0.0.1:4566',
  temporal: '127.0.0.1:7233',
  temporalUi: 'http://127.0.0.1:8233',
  temporalInside: 'temporal:7233',
} as const;

/** So long a service of --external may take to answer: it is asked once, while the console and the workflows are built. */
const servicePatienceMs = 15_000;

/** After this many failed starts of a worker in a row, the stack ends. */
const maxWorkerStarts = 3;

/**
 * Runs the whole stack on one machine (docs/explanation/architecture.md, "On a laptop"). `stop` ends all processes: first the
 * worker, then the services that it uses.
 */
export class DevEnvironment {
  readonly #options: DevEnvironmentOptions;
  readonly #running: ManagedProcess[] = [];
  #worker: ManagedProcess | undefined;
  #isStopping = false;
  #hasLock = false;
  #stopped: Promise<void> | undefined;
  /** settles once no start is in progress */
  #starting: Promise<unknown> | undefined;
  readonly #abort = new AbortController();

  constructor(options: DevEnvironmentOptions) {
    this.#options = options;
  }

  /**
   * Starts all parts. After an error, the parts that have started run until `stop`.
   * @throws StartFailure, ConfigError
   */
  start(): Promise<StartedEnvironment> {
    const starting = this.#start();
    this.#starting = starting.catch(() => {});
    return starting;
  }

  async #start(): Promise<StartedEnvironment> {
    const { settings, isExternal, isFresh } = this.#options;
    const { localDir } = settings;
    const paths = pathsIn(localDir);
    this.#checkWorkerSettings();
    const holder = takeLock(localDir);
    if (holder !== undefined)
      throw new StartFailure(
        `a stack already runs in ${localDir} (process ${holder}). End it with Ctrl-C, or set LOCAL_DIR and PORT_BASE for a second one.`,
      );
    this.#hasLock = true;
    removeEndpoints(localDir); // left by a stack that was killed
    const neededPorts: (keyof Ports)[] = [
      'issuer',
      'console',
      ...(isExternal ? [] : (['temporal', 'temporalUi', 'emulator'] as const)),
      ...(settings.insurer ? [] : (['insurer', 'insurerControl'] as const)),
    ];
    await checkPortsFree(settings.ports, neededPorts);
    deletePaths([paths.logs]); // of the previous start
    const database = ['', '-shm', '-wal'].map((suffix) => paths.temporalDatabase + suffix);
    if (isFresh) deletePaths([...database, paths.aws, paths.keys, paths.insurer]);
    else if (!isExternal && !hasSavedState(paths.aws) && [paths.aws, ...database].some(existsSync)) {
      // objects without tables, and Temporal's runs about them, are of no use
      this.#options.onNote(
        'the AWS emulator has no saved data: it was killed, or its folder is gone. Starting without data.',
      );
      deletePaths([...database, paths.aws]);
    }
    const keys = ensureKeys(paths.keys, isExternal);
    await ensureIssuerKeys(paths.issuerKeys); // first, because two of the steps below would create them at the same time
    // in parallel; after a failure, settleAll waits for the others, so that stop() knows all processes
    const [bundle, consoleDir, insurer, oidcIssuer, services] = await settleAll([
      this.#step('workflows bundled', () => ensureWorkflowBundle(paths.bundles, this.#abort.signal)),
      this.#step('console built', () => ensureConsole(paths.consoles, this.#abort.signal)),
      this.#startInsurer(),
      this.#startIssuer(),
      isExternal ? this.#findServices(keys) : this.#startServices(keys),
    ]);
    this.#throwIfStopping();
    const { bucketName, anchorBucketName, apiUrl, ...addresses } = services;
    const environment: Record<string, string> = {
      ...unsetAsEmpty(emulatorEnvironment(addresses.aws, settings.region)),
      ...keys,
      PAYLOAD_KMS_KEY: '', // one from the shell is for another environment
      DEPLOYMENT: settings.deployment,
      BUCKET_NAME: bucketName,
      ANCHOR_BUCKET_NAME: anchorBucketName,
      TEMPORAL_ADDRESS: addresses.temporal,
      TEMPORAL_NAMESPACE: addresses.temporalNamespace,
      TEMPORAL_TLS: 'false', // Temporal's dev server has no TLS
      TEMPORAL_API_KEY: '', // one from the shell is for another environment
      TEMPORAL_CLIENT_CERT: '',
      TEMPORAL_CLIENT_KEY: '',
      INSURER_ID: settings.insurerId,
      INSURER_BASE_URL: insurer.baseUrl,
      INSURER_API_TOKEN: insurer.token,
      ...this.#insurerSettings(),
      WORKFLOW_BUNDLE: bundle,
    };
    const [ids] = await settleAll([
      this.#step('worker ready', () => this.#startWorker(environment)),
      this.#supervise(
        startConsole({ port: settings.ports.console, dir: consoleDir, apiUrl, oidcIssuer, logDir: paths.logs }),
      ),
    ]);
    const consoleUrl = `${consoleOrigin(settings.ports)}/`;
    const endpoints = { api: apiUrl, console: consoleUrl, ...addresses, insurer: insurer.baseUrl, oidcIssuer };
    this.#throwIfStopping();
    publishEndpoints(localDir, { ...endpoints, processes: toProcessIds(ids) }, { pid: process.pid, environment });
    return { endpoints, environment };
  }

  /** Ends all processes, in order. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { localDir } = this.#options.settings;
    this.#isStopping = true;
    this.#abort.abort();
    if (this.#hasLock) removeEndpoints(localDir);
    await this.#worker?.stop();
    await this.#starting; // afterwards, processes that were still starting have been stopped
    await Promise.all(this.#running.map((each) => each.stop()));
    if (this.#hasLock) releaseLock(localDir);
  }

  #throwIfStopping(): void {
    if (this.#isStopping) throw new StartFailure('stopped');
  }

  async #step<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    const result = await work();
    if (!this.#isStopping) this.#options.onStep(what, (performance.now() - startedAt) / 1000);
    return result;
  }

  /** Reports settings that a worker would reject, before anything starts. @throws ConfigError */
  #checkWorkerSettings(): void {
    const { insurerId, insurer } = this.#options.settings;
    const key = Buffer.alloc(32).toString('base64');
    readConfig(workerConfig, {
      ...process.env,
      BUCKET_NAME: 'not-known-yet',
      ANCHOR_BUCKET_NAME: 'not-known-yet',
      TEMPORAL_ADDRESS: 'not-known-yet',
      PSEUDONYM_KEY: key,
      PAYLOAD_KEYS: `check:${key}`,
      PAYLOAD_KMS_KEY: '',
      INSURER_ID: insurerId,
      INSURER_BASE_URL: insurer?.baseUrl ?? 'http://127.0.0.1',
      INSURER_API_TOKEN: insurer?.token ?? 'none',
      ...this.#insurerSettings(),
    });
  }

  /** Returns how the insurer is reached. What the shell says about that does not hold for the simulator. */
  #insurerSettings(): Record<string, string> {
    const { insurer } = this.#options.settings;
    const names = ['INSURER_CLIENT_CERT', 'INSURER_CLIENT_KEY', 'INSURER_CA', 'INSURER_PROXY_URL'];
    const given = Object.fromEntries(names.map((name) => [name, (insurer && process.env[name]) ?? '']));
    // The simulator computes no list for minutes, and some of its faults never answer.
    return { ...given, LIST_FIRST_BYTE_MS: process.env['LIST_FIRST_BYTE_MS'] || (insurer ? '' : '15000') };
  }

  /** Keeps a process until `stop`. If it ends by itself, the stack is broken. */
  async #supervise(starting: Promise<ManagedProcess>): Promise<void> {
    const managed = await starting;
    this.#running.push(managed);
    if (this.#isStopping) await managed.stop();
    void managed.ended.then(() => {
      if (!this.#isStopping) this.#options.onBroken(`${managed.name} has ended: ${lastLogLine(managed)}`);
    });
  }

  async #startInsurer(): Promise<{ baseUrl: string; token: string }> {
    const { insurer, ports, localDir } = this.#options.settings;
    if (insurer !== undefined) return insurer;
    const token = process.env['INSURER_API_TOKEN'] || 'insurer-token';
    const paths = pathsIn(localDir);
    await this.#step('insurer simulator', () =>
      this.#supervise(
        startInsurerSimulator({
          port: ports.insurer,
          controlPort: ports.insurerControl,
          token,
          stateFile: paths.insurer,
          logDir: paths.logs,
        }),
      ),
    );
    return { baseUrl: `http://127.0.0.1:${ports.insurer}`, token };
  }

  get #issuer(): string {
    return `http://127.0.0.1:${this.#options.settings.ports.issuer}`;
  }

  async #startIssuer(): Promise<string> {
    const { ports, localDir } = this.#options.settings;
    const { issuerKeys, logs } = pathsIn(localDir);
    await this.#step('OIDC issuer', () =>
      this.#supervise(
        startIssuer({ port: ports.issuer, keysFile: issuerKeys, consoleOrigin: consoleOrigin(ports), logDir: logs }),
      ),
    );
    return this.#issuer;
  }

  async #deploy(
    keys: Keys,
    stateDir: string,
    { aws, temporal, temporalUi, temporalNamespace }: ServiceAddresses,
    /** settings that differ for Lambdas in containers */
    lambdaSettings: Readonly<Record<string, string>> = {},
  ): Promise<Outputs> {
    const { settings } = this.#options;
    const { ports, region, deployment, insurerId, localDir } = settings;
    const { isExternal } = this.#options;
    const spec = {
      endpoint: aws,
      deployment,
      isExternal,
      region,
      stateDir,
      logDir: pathsIn(localDir).logs,
      signal: this.#abort.signal,
    };
    const forwarded = [
      'SYNC_WINDOW',
      'CARE_MAX_ATTEMPTS',
      'CARE_REFRESH_AFTER_DAYS',
      'REMOVAL_LIMIT_PERCENT',
      'LINE_QUIET_HOURS',
      'LINE_QUIET_HOURS_PEOPLE',
      'UNREADABLE_LIMIT_PERCENT',
      'SYNC_HOUR',
      'RUN_DUE_HOUR',
      ...['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG'],
    ];
    const fromShell = forwarded.flatMap((name) => {
      const value = process.env[name];
      return value ? [[name, value]] : [];
    });
    const api = {
      settings: {
        INSURER_ID: insurerId,
        TEMPORAL_ADDRESS: temporal,
        TEMPORAL_NAMESPACE: temporalNamespace,
        TEMPORAL_TLS: 'false',
        OIDC_ISSUER: this.#issuer,
        OIDC_AUDIENCE: audience,
        CONSOLE_ORIGIN: consoleOrigin(ports),
        ...(temporalUi && { TEMPORAL_UI_ORIGIN: temporalUi }),
        ...Object.fromEntries(fromShell),
        ...lambdaSettings,
      },
      secret: keys,
    };
    return await this.#step('tables and API deployed', () => deployStacks(spec, api));
  }

  async #checkEarlierData({ PSEUDONYM_KEY: pseudonymKey }: Keys, addresses: ServiceAddresses): Promise<void> {
    const { settings, isExternal } = this.#options;
    const { deployment, insurerId, region, localDir } = settings;
    const keysFile = pathsIn(localDir).keys;
    await checkEarlierData({ ...addresses, region, deployment, insurerId, pseudonymKey, keysFile, isExternal });
  }

  async #startServices(keys: Keys): Promise<ServiceAddresses & Outputs> {
    const { ports, localDir } = this.#options.settings;
    const paths = pathsIn(localDir);
    const note = () => this.#options.onNote(`installing Temporal and the AWS emulator into ${localDir} …`);
    const tools = await this.#step('Temporal and AWS emulator installed', () =>
      ensurePythonTools(localDir, note, this.#abort.signal),
    );
    const addresses: ServiceAddresses = {
      temporal: `127.0.0.1:${ports.temporal}`,
      temporalUi: `http://127.0.0.1:${ports.temporalUi}`,
      temporalNamespace: 'default',
      aws: `http://127.0.0.1:${ports.emulator}`,
    };
    const openTemporal = async () =>
      await this.#supervise(
        findTemporal(process.env, tools).then((command) =>
          startTemporal({
            command,
            port: ports.temporal,
            uiPort: ports.temporalUi,
            databaseFile: paths.temporalDatabase,
            logDir: paths.logs,
          }),
        ),
      );
    const openAws = async () => {
      await this.#step('AWS emulator', () =>
        this.#supervise(
          startEmulator({
            command: tools.ministack,
            port: ports.emulator,
            dataDir: paths.aws,
            logDir: paths.logs,
          }),
        ),
      );
      return await this.#deploy(keys, paths.aws, addresses);
    };
    const [, outputs] = await settleAll([this.#step('Temporal', openTemporal), openAws()]);
    await this.#checkEarlierData(keys, addresses);
    return { ...addresses, ...outputs };
  }

  async #findServices(keys: Keys): Promise<ServiceAddresses & Outputs> {
    const { awsExternal, issuerKeys } = pathsIn(this.#options.settings.localDir);
    const aws = (process.env['AWS_ENDPOINT_URL'] || composeAddresses.aws).replace('//localhost', '//127.0.0.1');
    const given = process.env['TEMPORAL_ADDRESS'];
    const temporal = given || composeAddresses.temporal;
    const temporalNamespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    const hint = 'Start it with docker compose up -d, or set';
    if (!(await emulatorAnswers(aws, servicePatienceMs).catch(() => false)))
      throw new StartFailure(`no AWS emulator answers at ${aws}. ${hint} AWS_ENDPOINT_URL.`);
    if (!(await namespaceAnswers(temporal, temporalNamespace, servicePatienceMs).catch(() => false)))
      throw new StartFailure(`no Temporal answers at ${temporal}. ${hint} TEMPORAL_ADDRESS.`);
    // deploy again: the container may have been recreated since the last start
    deletePaths([awsExternal]);
    const addresses = { temporal, ...(!given && { temporalUi: composeAddresses.temporalUi }), temporalNamespace, aws };
    await this.#checkEarlierData(keys, addresses); // first, because the deployment replaces the keys of the API
    const lambdaSettings = {
      TEMPORAL_ADDRESS: process.env['LAMBDA_TEMPORAL_ADDRESS'] || given || composeAddresses.temporalInside,
      OIDC_JWKS: JSON.stringify({ keys: [publicKeyOf(readIssuerKeys(issuerKeys))] }),
    };
    return { ...addresses, ...(await this.#deploy(keys, awsExternal, addresses, lambdaSettings)) };
  }

  /** Starts a worker, and replaces it if it ends, so that a killed worker costs only time. */
  async #startWorker(environment: Readonly<Record<string, string>>): Promise<WorkerIds> {
    const { localDir } = this.#options.settings;
    let known: WorkerIds | undefined;
    const worker = await startWorker({
      name: 'worker',
      env: { ...process.env, ...environment },
      logDir: pathsIn(localDir).logs,
      onIds: (ids) => {
        const before = known;
        known = ids;
        if (before !== undefined) void updateProcesses(localDir, replaceIds(before, ids));
      },
    });
    this.#worker = worker;
    if (this.#isStopping) await worker.stop();
    const ids = known ?? { worker: 0, line: undefined };
    void worker.ended.then(async () => {
      if (this.#isStopping) return;
      this.#options.onNote(`the worker has ended: ${lastLogLine(worker)}. Starting another.`);
      await updateProcesses(localDir, replaceIds(known ?? ids, undefined));
      const replacing = this.#replaceWorker(environment, 1);
      this.#starting = replacing;
      await replacing;
    });
    return ids;
  }

  async #replaceWorker(environment: Readonly<Record<string, string>>, starts: number): Promise<void> {
    try {
      const ids = await this.#startWorker(environment);
      await updateProcesses(this.#options.settings.localDir, replaceIds(undefined, ids));
    } catch (error) {
      if (this.#isStopping) return;
      if (starts < maxWorkerStarts) await this.#replaceWorker(environment, starts + 1);
      else this.#options.onBroken(error instanceof Error ? error.message : String(error));
    }
  }
}

const consoleOrigin = ({ console: port }: Ports): string => `http://127.0.0.1:${port}`;

const deletePaths = (paths: readonly string[]): void => {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
};

const toProcessIds = ({ worker, line }: WorkerIds): Endpoints['processes'] => ({
  worker: [worker],
  line: line === undefined ? [] : [line],
});

/** Returns a function that replaces the process IDs of one worker by others. */
export const replaceIds =
  (before: WorkerIds | undefined, after: WorkerIds | undefined) =>
  ({ worker, line }: Endpoints['processes']): Endpoints['processes'] => {
    const without = (pids: readonly number[], pid: number | undefined) => pids.filter((each) => each !== pid);
    const added = after ? toProcessIds(after) : { worker: [], line: [] };
    return {
      worker: [...new Set([...without(worker, before?.worker), ...added.worker])],
      line: [...new Set([...without(line, before?.line), ...added.line])],
    };
  };

/** Sets variables that must be absent to the empty text: the result is merged into the environment of a process. */
const unsetAsEmpty = (environment: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value ?? '']));

/** Returns all results. Throws the first failure only after all others have settled. */
async function settleAll<Works extends readonly Promise<unknown>[]>(
  works: readonly [...Works],
): Promise<{ [Index in keyof Works]: Awaited<Works[Index]> }> {
  const settled = await Promise.allSettled(works);
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
  return (await Promise.all(works)) as { [Index in keyof Works]: Awaited<Works[Index]> };
}
