import { existsSync, rmSync } from 'node:fs';
import { readConfig, workerConfig } from '../core/config.ts';
import { StartFailure } from '../terminal/start-failure.ts';
import { ensureConsole, startConsole } from './console-process.ts';
import { deployStacks, type Outputs } from './deploy.ts';
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
  /** forgets all data first */
  readonly isFresh: boolean;
  /** uses what listens at AWS_ENDPOINT_URL and TEMPORAL_ADDRESS, such as docker compose's */
  readonly isExternal: boolean;
  /** one thing is done */
  readonly onStep: (what: string, seconds: number) => void;
  /** something that whoever watches should know */
  readonly onNote: (note: string) => void;
  /** the stack cannot go on: something that it stands on has ended */
  readonly onBroken: (reason: string) => void;
}

export interface StartedEnvironment {
  readonly endpoints: Omit<Endpoints, 'processes'>;
  /** what its processes run with */
  readonly environment: Readonly<Record<string, string>>;
}

interface ServiceAddresses {
  readonly temporal: string;
  readonly temporalUi?: string;
  readonly temporalNamespace: string;
  readonly aws: string;
}

/** What docker-compose.yml starts. Its Lambdas run in containers of its network, and have no way to this machine's loopback. */
const composeAddresses = {
  aws: 'http://127.0.0.1:4566',
  temporal: '127.0.0.1:7233',
  temporalUi: 'http://127.0.0.1:8233',
  temporalInside: 'temporal:7233',
} as const;

/** How often a worker may end before it was ready, one after the other, until the stack gives up. */
const maxWorkerStarts = 3;

/**
 * Everything on one machine (docs/explanation/architecture.md, "On a laptop"). However it ends, `stop` leaves nothing running: the worker goes
 * first, then what it stands on.
 */
export class DevEnvironment {
  readonly #options: DevEnvironmentOptions;
  readonly #running: ManagedProcess[] = [];
  #worker: ManagedProcess | undefined;
  #isStopping = false;
  #hasLock = false;
  #stopped: Promise<void> | undefined;
  /** settles once nothing is being started any more */
  #starting: Promise<unknown> | undefined;
  readonly #abort = new AbortController();

  constructor(options: DevEnvironmentOptions) {
    this.#options = options;
  }

  /** @throws StartFailure, ConfigError; what has started then runs until `stop` */
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
        `a stack runs here already (process ${holder}): end it with Ctrl-C there, or set LOCAL_DIR and PORT_BASE for a second one`,
      );
    this.#hasLock = true;
    removeEndpoints(localDir); // of a stack that was killed
    const neededPorts: (keyof Ports)[] = [
      'issuer',
      'console',
      ...(isExternal ? [] : (['temporal', 'temporalUi', 'emulator'] as const)),
      ...(settings.insurer ? [] : (['insurer', 'insurerControl'] as const)),
    ];
    await checkPortsFree(settings.ports, neededPorts);
    deletePaths([paths.logs]); // of the start before
    const database = ['', '-shm', '-wal'].map((suffix) => paths.temporalDatabase + suffix);
    if (isFresh) deletePaths([...database, paths.aws, paths.keys, paths.insurer]);
    else if (!isExternal && existsSync(paths.aws) && !hasSavedState(paths.aws)) {
      // its objects without its tables, and runs that Temporal has begun on them, would only be in the way
      this.#options.onNote(
        'the AWS emulator was killed before it had kept anything: its data are lost, and start anew',
      );
      deletePaths([...database, paths.aws]);
    }
    const keys = ensureKeys(paths.keys);
    await ensureIssuerKeys(paths.issuerKeys); // before two of those below would make them
    // side by side; after a failure the others are waited for, so that stop() knows of all that runs
    const [bundle, consoleDir, insurer, oidcIssuer, services] = await settleAll([
      this.#step('workflows bundled', () => ensureWorkflowBundle(paths.bundles, this.#abort.signal)),
      this.#step('console built', () => ensureConsole(paths.consoles, this.#abort.signal)),
      this.#startInsurer(),
      this.#startIssuer(),
      isExternal ? this.#findServices(keys) : this.#startServices(keys),
    ]);
    this.#throwIfStopping();
    const { bucketName, apiUrl, ...addresses } = services;
    const environment: Record<string, string> = {
      ...unsetAsEmpty(emulatorEnvironment(addresses.aws, settings.region)),
      ...keys,
      PAYLOAD_KMS_KEY: '', // one for elsewhere is not for here
      BUCKET_NAME: bucketName,
      TEMPORAL_ADDRESS: addresses.temporal,
      TEMPORAL_NAMESPACE: addresses.temporalNamespace,
      TEMPORAL_TLS: 'false', // no dev server has it, wherever it is
      TEMPORAL_API_KEY: '', // one for elsewhere is not for here
      TEMPORAL_CLIENT_CERT: '',
      TEMPORAL_CLIENT_KEY: '',
      INSURER_ID: settings.insurerId,
      INSURER_BASE_URL: insurer.baseUrl,
      INSURER_API_TOKEN: insurer.token,
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

  /** Ends everything, in order. */
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
    await this.#starting; // what was being started then has been stopped
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

  /** All that a worker will refuse is told before anything starts. */
  #checkWorkerSettings(): void {
    const { insurerId, insurer } = this.#options.settings;
    const key = Buffer.alloc(32).toString('base64');
    readConfig(workerConfig, {
      ...process.env,
      BUCKET_NAME: 'not-known-yet',
      TEMPORAL_ADDRESS: 'not-known-yet',
      PSEUDONYM_KEY: key,
      PAYLOAD_KEYS: `check:${key}`,
      PAYLOAD_KMS_KEY: '',
      INSURER_ID: insurerId,
      INSURER_BASE_URL: insurer?.baseUrl ?? 'http://127.0.0.1',
      INSURER_API_TOKEN: insurer?.token ?? 'none',
    });
  }

  /** Keeps a process until stop; the stack is broken when it ends by itself. */
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
    /** where Lambdas have another sight of things than we have */
    lambdaSettings: Readonly<Record<string, string>> = {},
  ): Promise<Outputs> {
    const { settings } = this.#options;
    const { ports, region, insurerId, localDir } = settings;
    const spec = {
      endpoint: aws,
      region,
      stateDir,
      logDir: pathsIn(localDir).logs,
      signal: this.#abort.signal,
    };
    const tunable = [
      'SYNC_WINDOW',
      'CARE_MAX_ATTEMPTS',
      'REMOVAL_LIMIT_PERCENT',
      'SYNC_HOUR',
      'RUN_DUE_HOUR',
      ...['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_SAMPLER', 'OTEL_TRACES_SAMPLER_ARG'],
    ];
    const tuned = tunable.flatMap((name) => {
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
        ...Object.fromEntries(tuned),
        ...lambdaSettings,
      },
      secret: keys,
    };
    return await this.#step('tables and API deployed', () => deployStacks(spec, api));
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
    return { ...addresses, ...outputs };
  }

  async #findServices(keys: Keys): Promise<ServiceAddresses & Outputs> {
    const { awsExternal, issuerKeys } = pathsIn(this.#options.settings.localDir);
    const aws = (process.env['AWS_ENDPOINT_URL'] || composeAddresses.aws).replace('//localhost', '//127.0.0.1');
    const given = process.env['TEMPORAL_ADDRESS'];
    const temporal = given || composeAddresses.temporal;
    const temporalNamespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    const hint = 'start it with docker compose up -d, or say where it is';
    if (!(await emulatorAnswers(aws).catch(() => false)))
      throw new StartFailure(`no AWS emulator answers at ${aws}: ${hint} with AWS_ENDPOINT_URL`);
    if (!(await namespaceAnswers(temporal, temporalNamespace).catch(() => false)))
      throw new StartFailure(`no Temporal answers at ${temporal}: ${hint} with TEMPORAL_ADDRESS`);
    // what is deployed there is not ours to know: a container may have been made anew
    deletePaths([awsExternal]);
    const addresses = { temporal, ...(!given && { temporalUi: composeAddresses.temporalUi }), temporalNamespace, aws };
    const lambdaSettings = {
      TEMPORAL_ADDRESS: process.env['LAMBDA_TEMPORAL_ADDRESS'] || given || composeAddresses.temporalInside,
      OIDC_JWKS: JSON.stringify({ keys: [publicKeyOf(readIssuerKeys(issuerKeys))] }),
    };
    return { ...addresses, ...(await this.#deploy(keys, awsExternal, addresses, lambdaSettings)) };
  }

  /** Starts a worker, and another one whenever it ends: one that was killed must cost nothing but time. */
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
      this.#options.onNote(`the worker has ended: ${lastLogLine(worker)}; starting another`);
      await updateProcesses(localDir, replaceIds(known ?? ids, undefined));
      const replacing = this.#replaceWorker(environment, 1);
      this.#starting = replacing;
      await replacing;
    });
    return ids;
  }

  async #replaceWorker(environment: Readonly<Record<string, string>>, tries: number): Promise<void> {
    try {
      const ids = await this.#startWorker(environment);
      await updateProcesses(this.#options.settings.localDir, replaceIds(undefined, ids));
    } catch (error) {
      if (this.#isStopping) return;
      if (tries < maxWorkerStarts) await this.#replaceWorker(environment, tries + 1);
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

/** Takes a worker's IDs out, and puts others in. */
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

/** What is to be taken out of a process's environment is set to nothing there, as the two are merged. */
const unsetAsEmpty = (environment: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value ?? '']));

/** All results; after a failure it is thrown once the others have ended too. */
async function settleAll<Works extends readonly Promise<unknown>[]>(
  works: readonly [...Works],
): Promise<{ [Index in keyof Works]: Awaited<Works[Index]> }> {
  const settled = await Promise.allSettled(works);
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
  return (await Promise.all(works)) as { [Index in keyof Works]: Awaited<Works[Index]> };
}
