import { existsSync, rmSync } from 'node:fs';
import { readConfig, workerConfig } from '../core/config.ts';
import { StartFailure } from '../terminal/start-failure.ts';
import { ensureConsole, startConsole } from './console-process.ts';
import { deployStacks, type Outputs } from './deploy.ts';
import { emulatorAnswers, emulatorEnvironment, keepsState, startEmulator } from './emulator.ts';
import { announce, type Endpoints, releaseLock, takeLock, updateProcesses, withdraw } from './endpoints.ts';
import { startInsurerSimulator } from './insurer-process.ts';
import { audience, startIssuer } from './issuer-process.ts';
import { ensureKeys, type Keys } from './keys.ts';
import { ensureIssuerKeys, publicKeyOf, readIssuerKeys } from './oidc/issuer-keys.ts';
import { checkPortsFree } from './ports.ts';
import { lastWords, type ManagedProcess } from './processes.ts';
import { ensurePythonTools } from './python-tools.ts';
import { type LocalSettings, type Ports, placesIn } from './settings.ts';
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

export interface Stack {
  readonly endpoints: Omit<Endpoints, 'processes'>;
  /** what its processes run with */
  readonly environment: Readonly<Record<string, string>>;
}

interface Reached {
  readonly temporal: string;
  readonly temporalUi?: string;
  readonly temporalNamespace: string;
  readonly aws: string;
}

/** What docker-compose.yml starts. Its Lambdas run in containers of its network, and have no way to this machine's loopback. */
const composed = {
  aws: 'http://127.0.0.1:4566',
  temporal: '127.0.0.1:7233',
  temporalUi: 'http://127.0.0.1:8233',
  temporalInside: 'temporal:7233',
} as const;

/** How often a worker may end before it was ready, one after the other, until the stack gives up. */
const workerTries = 3;

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
  start(): Promise<Stack> {
    const starting = this.#start();
    this.#starting = starting.catch(() => {});
    return starting;
  }

  async #start(): Promise<Stack> {
    const { settings, isExternal, isFresh } = this.#options;
    const { localDir } = settings;
    const places = placesIn(localDir);
    this.#checkWorkerSettings();
    const holder = takeLock(localDir);
    if (holder !== undefined)
      throw new StartFailure(
        `a stack runs here already (process ${holder}): end it with Ctrl-C there, or set LOCAL_DIR and PORT_BASE for a second one`,
      );
    this.#hasLock = true;
    withdraw(localDir); // of a stack that was killed
    const neededPorts: (keyof Ports)[] = [
      'issuer',
      'console',
      ...(isExternal ? [] : (['temporal', 'temporalUi', 'emulator'] as const)),
      ...(settings.insurer ? [] : (['insurer', 'insurerControl'] as const)),
    ];
    await checkPortsFree(settings.ports, neededPorts);
    forget([places.logs]); // of the start before
    const database = ['', '-shm', '-wal'].map((suffix) => places.temporalDatabase + suffix);
    if (isFresh) forget([...database, places.aws, places.keys, places.insurer]);
    else if (!isExternal && existsSync(places.aws) && !keepsState(places.aws)) {
      // its objects without its tables, and runs that Temporal has begun on them, would only be in the way
      this.#options.onNote(
        'the AWS emulator was killed before it had kept anything: its data are lost, and start anew',
      );
      forget([...database, places.aws]);
    }
    const keys = ensureKeys(places.keys);
    await ensureIssuerKeys(places.issuerKeys); // before two of those below would make them
    // side by side; after a failure the others are waited for, so that stop() knows of all that runs
    const [bundle, consoleDir, insurer, oidcIssuer, parts] = await allDone([
      this.#step('workflows bundled', () => ensureWorkflowBundle(places.bundles, this.#abort.signal)),
      this.#step('console built', () => ensureConsole(places.consoles, this.#abort.signal)),
      this.#openInsurer(),
      this.#openIssuer(),
      isExternal ? this.#findParts(keys) : this.#openParts(keys),
    ]);
    this.#throwIfStopping();
    const { bucketName, apiUrl, ...reached } = parts;
    const environment: Record<string, string> = {
      ...blankedOf(emulatorEnvironment(reached.aws, settings.region)),
      ...keys,
      PAYLOAD_KMS_KEY: '', // one for elsewhere is not for here
      BUCKET_NAME: bucketName,
      TEMPORAL_ADDRESS: reached.temporal,
      TEMPORAL_NAMESPACE: reached.temporalNamespace,
      TEMPORAL_TLS: 'false', // no dev server has it, wherever it is
      TEMPORAL_API_KEY: '', // one for elsewhere is not for here
      TEMPORAL_CLIENT_CERT: '',
      TEMPORAL_CLIENT_KEY: '',
      INSURER_ID: settings.insurerId,
      INSURER_BASE_URL: insurer.baseUrl,
      INSURER_API_TOKEN: insurer.token,
      WORKFLOW_BUNDLE: bundle,
    };
    const [ids] = await allDone([
      this.#step('worker ready', () => this.#openWorker(environment)),
      this.#keep(
        startConsole({ port: settings.ports.console, dir: consoleDir, apiUrl, oidcIssuer, logDir: places.logs }),
      ),
    ]);
    const consoleUrl = `${consoleOriginOf(settings.ports)}/`;
    const endpoints = { api: apiUrl, console: consoleUrl, ...reached, insurer: insurer.baseUrl, oidcIssuer };
    this.#throwIfStopping();
    announce(localDir, { ...endpoints, processes: listOf(ids) }, { pid: process.pid, environment });
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
    if (this.#hasLock) withdraw(localDir);
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
  async #keep(starting: Promise<ManagedProcess>): Promise<void> {
    const leashed = await starting;
    this.#running.push(leashed);
    if (this.#isStopping) await leashed.stop();
    void leashed.ended.then(() => {
      if (!this.#isStopping) this.#options.onBroken(`${leashed.name} has ended: ${lastWords(leashed)}`);
    });
  }

  async #openInsurer(): Promise<{ baseUrl: string; token: string }> {
    const { insurer, ports, localDir } = this.#options.settings;
    if (insurer !== undefined) return insurer;
    const token = process.env['INSURER_API_TOKEN'] || 'insurer-token';
    const places = placesIn(localDir);
    await this.#step('insurer simulator', () =>
      this.#keep(
        startInsurerSimulator({
          port: ports.insurer,
          controlPort: ports.insurerControl,
          token,
          stateFile: places.insurer,
          logDir: places.logs,
        }),
      ),
    );
    return { baseUrl: `http://127.0.0.1:${ports.insurer}`, token };
  }

  get #issuer(): string {
    return `http://127.0.0.1:${this.#options.settings.ports.issuer}`;
  }

  async #openIssuer(): Promise<string> {
    const { ports, localDir } = this.#options.settings;
    const { issuerKeys, logs } = placesIn(localDir);
    await this.#step('OIDC issuer', () =>
      this.#keep(
        startIssuer({ port: ports.issuer, keysFile: issuerKeys, consoleOrigin: consoleOriginOf(ports), logDir: logs }),
      ),
    );
    return this.#issuer;
  }

  async #deploy(
    keys: Keys,
    stateDir: string,
    { aws, temporal, temporalUi, temporalNamespace }: Reached,
    /** where Lambdas have another sight of things than we have */
    asLambdasSeeIt: Readonly<Record<string, string>> = {},
  ): Promise<Outputs> {
    const { settings } = this.#options;
    const { ports, region, insurerId, localDir } = settings;
    const spec = {
      endpoint: aws,
      region,
      stateDir,
      logDir: placesIn(localDir).logs,
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
        CONSOLE_ORIGIN: consoleOriginOf(ports),
        ...(temporalUi && { TEMPORAL_UI_ORIGIN: temporalUi }),
        ...Object.fromEntries(tuned),
        ...asLambdasSeeIt,
      },
      secret: keys,
    };
    return await this.#step('tables and API deployed', () => deployStacks(spec, api));
  }

  async #openParts(keys: Keys): Promise<Reached & Outputs> {
    const { ports, localDir } = this.#options.settings;
    const places = placesIn(localDir);
    const note = () => this.#options.onNote(`installing Temporal and the AWS emulator into ${localDir} …`);
    const wheels = await this.#step('Temporal and AWS emulator installed', () =>
      ensurePythonTools(localDir, note, this.#abort.signal),
    );
    const reached: Reached = {
      temporal: `127.0.0.1:${ports.temporal}`,
      temporalUi: `http://127.0.0.1:${ports.temporalUi}`,
      temporalNamespace: 'default',
      aws: `http://127.0.0.1:${ports.emulator}`,
    };
    const openTemporal = async () =>
      await this.#keep(
        findTemporal(process.env, wheels).then((command) =>
          startTemporal({
            command,
            port: ports.temporal,
            uiPort: ports.temporalUi,
            databaseFile: places.temporalDatabase,
            logDir: places.logs,
          }),
        ),
      );
    const openAws = async () => {
      await this.#step('AWS emulator', () =>
        this.#keep(
          startEmulator({
            command: wheels.ministack,
            port: ports.emulator,
            dataDir: places.aws,
            logDir: places.logs,
          }),
        ),
      );
      return await this.#deploy(keys, places.aws, reached);
    };
    const [, outputs] = await allDone([this.#step('Temporal', openTemporal), openAws()]);
    return { ...reached, ...outputs };
  }

  async #findParts(keys: Keys): Promise<Reached & Outputs> {
    const { awsExternal, issuerKeys } = placesIn(this.#options.settings.localDir);
    const aws = (process.env['AWS_ENDPOINT_URL'] || composed.aws).replace('//localhost', '//127.0.0.1');
    const given = process.env['TEMPORAL_ADDRESS'];
    const temporal = given || composed.temporal;
    const temporalNamespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    const hint = 'start it with docker compose up -d, or say where it is';
    if (!(await emulatorAnswers(aws).catch(() => false)))
      throw new StartFailure(`no AWS emulator answers at ${aws}: ${hint} with AWS_ENDPOINT_URL`);
    if (!(await namespaceAnswers(temporal, temporalNamespace).catch(() => false)))
      throw new StartFailure(`no Temporal answers at ${temporal}: ${hint} with TEMPORAL_ADDRESS`);
    // what is deployed there is not ours to know: a container may have been made anew
    forget([awsExternal]);
    const reached = { temporal, ...(!given && { temporalUi: composed.temporalUi }), temporalNamespace, aws };
    const asLambdasSeeIt = {
      TEMPORAL_ADDRESS: process.env['LAMBDA_TEMPORAL_ADDRESS'] || given || composed.temporalInside,
      OIDC_JWKS: JSON.stringify({ keys: [publicKeyOf(readIssuerKeys(issuerKeys))] }),
    };
    return { ...reached, ...(await this.#deploy(keys, awsExternal, reached, asLambdasSeeIt)) };
  }

  /** Starts a worker, and another one whenever it ends: one that was killed must cost nothing but time. */
  async #openWorker(environment: Readonly<Record<string, string>>): Promise<WorkerIds> {
    const { localDir } = this.#options.settings;
    let known: WorkerIds | undefined;
    const worker = await startWorker({
      name: 'worker',
      env: { ...process.env, ...environment },
      logDir: placesIn(localDir).logs,
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
      this.#options.onNote(`the worker has ended: ${lastWords(worker)}; starting another`);
      await updateProcesses(localDir, replaceIds(known ?? ids, undefined));
      const replacing = this.#replaceWorker(environment, 1);
      this.#starting = replacing;
      await replacing;
    });
    return ids;
  }

  async #replaceWorker(environment: Readonly<Record<string, string>>, tries: number): Promise<void> {
    try {
      const ids = await this.#openWorker(environment);
      await updateProcesses(this.#options.settings.localDir, replaceIds(undefined, ids));
    } catch (error) {
      if (this.#isStopping) return;
      if (tries < workerTries) await this.#replaceWorker(environment, tries + 1);
      else this.#options.onBroken(error instanceof Error ? error.message : String(error));
    }
  }
}

const consoleOriginOf = ({ console: port }: Ports): string => `http://127.0.0.1:${port}`;

const forget = (paths: readonly string[]): void => {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
};

const listOf = ({ worker, line }: WorkerIds): Endpoints['processes'] => ({
  worker: [worker],
  line: line === undefined ? [] : [line],
});

/** Takes a worker's IDs out, and puts others in. */
export const replaceIds =
  (before: WorkerIds | undefined, after: WorkerIds | undefined) =>
  ({ worker, line }: Endpoints['processes']): Endpoints['processes'] => {
    const without = (pids: readonly number[], pid: number | undefined) => pids.filter((each) => each !== pid);
    const added = after ? listOf(after) : { worker: [], line: [] };
    return {
      worker: [...new Set([...without(worker, before?.worker), ...added.worker])],
      line: [...new Set([...without(line, before?.line), ...added.line])],
    };
  };

/** What is to be taken out of a process's environment is set to nothing there, as the two are merged. */
const blankedOf = (environment: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value ?? '']));

/** All results; after a failure it is thrown once the others have ended too. */
async function allDone<Works extends readonly Promise<unknown>[]>(
  works: readonly [...Works],
): Promise<{ [Index in keyof Works]: Awaited<Works[Index]> }> {
  const settled = await Promise.allSettled(works);
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
  return (await Promise.all(works)) as { [Index in keyof Works]: Awaited<Works[Index]> };
}
