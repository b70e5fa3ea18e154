import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { clientConfig, readConfig } from '../core/config.ts';
import { dailySyncId } from '../core/contract/names.ts';
import { patientRefOf } from '../core/crypto/pseudonyms.ts';
import type { Kvnr } from '../core/domain/kvnr.ts';
import type { Progress } from '../core/domain/progress.ts';
import { joinRecord } from '../core/domain/split-answer.ts';
import { parseLossless, printLossless } from '../core/json/lossless.ts';
import { listKeys } from '../core/stores/objects.ts';
import { openStores } from '../core/stores/open-stores.ts';
import { defaultTables } from '../core/stores/tables.ts';
import { openTemporal } from '../core/temporal/connection.ts';
import { createDailySyncClient } from '../core/temporal/daily-sync-client.ts';
import { createInsurerLineClient, type InsurerLineClient } from '../core/temporal/insurer-line-client.ts';
import { pathsIn } from '../local/settings.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { type Insurer, type InsurerOptions, startInsurer } from '../simulator/insurer.ts';
import { testDir } from '../tools/test-dir.ts';
import { type StackParts, startTestStack, type TestStack } from './stack.ts';

const root = dirname(import.meta.dirname);

/** A worker as in a deployment: a process with a child that holds the sockets. */
export interface RunningWorker {
  readonly pid: number;
  /** the last line process that it has started */
  readonly linePid: number;
  readonly isRunning: boolean;
  /** each time it took the lease: the lease number, and when it logged this, epoch ms */
  readonly takes: readonly { readonly leaseNumber: number; readonly atMs: number }[];
  /** whether it holds the lease, according to its log */
  readonly isHolder: boolean;
  /** exit code; null while it runs, or if a signal has ended it */
  readonly exitCode: number | null;
  /** Resolves once it has logged an event. */
  logged(event: string): Promise<void>;
  /** Sends SIGKILL: the lease is not released. Resolves at the end of the process. */
  kill(): Promise<void>;
  /** Sends SIGTERM. Resolves at the end of the process. */
  stop(): Promise<void>;
}

/**
 * A complete system with real parts: Temporal, the AWS emulator with the data stack, the insurer simulator, and workers as
 * separate processes.
 */
export interface Day extends AsyncDisposable {
  readonly stack: TestStack;
  readonly insurer: Insurer;
  readonly client: Client;
  readonly stores: ReturnType<typeof openStores>;
  readonly sync: ReturnType<typeof createDailySyncClient>;
  readonly line: InsurerLineClient;
  /** Starts a worker. @param command starts another worker than the checkout's */
  startWorker(settings?: Readonly<Record<string, string>>, command?: WorkerCommand): Promise<RunningWorker>;
  refOf(kvnr: string): string;
  /**
   * Resolves with the first progress that matches.
   * @param everyMs time between two reads, which cost 30 ms of CPU each; 200 by default. A shorter one is for what passes
   *   quickly, a longer one for a long wait
   */
  until(matches: (progress: Progress) => boolean, everyMs?: number): Promise<Progress>;
  /** Starts a run and resolves with its last progress. */
  runToEnd(): Promise<Progress>;
  /** Resolves with the last progress of the current run. */
  ended(): Promise<Progress>;
  /** Returns all patientRefs in the table. */
  storedRefs(): Promise<string[]>;
  /** Returns all keys of the bucket under a prefix. */
  keysUnder(prefix: string): Promise<string[]>;
  /** Returns a stored patient's care records as JSON texts, in the insurer's order. */
  careRecordTexts(patientRef: string): Promise<string[]>;
  /** Returns the versions that have items in CareRecords. */
  careVersionsOf(patientRef: string): Promise<string[]>;
}

export interface WorkerCommand {
  readonly command: readonly string[];
  readonly dir: string;
}

/** The insurer that the API of a test stack is deployed for. */
export const insurerId = 'test';

/** Returns a JSON text without white space, with every number and name as written, which is how it is stored. */
export const compact = (text: string): string => printLossless(parseLossless(text));

export async function startDay(
  options: InsurerOptions = {},
  settings: Readonly<Record<string, string>> = {},
  parts: StackParts = {},
): Promise<Day> {
  const stack = await startTestStack(parts);
  // a large document of the simulator's own size costs a tenth of a second each time that it is generated, sent or stored
  const insurer = await startInsurer({ seed: 7, patients: 200, latencyMs: 2, largeDocumentBytes: 500_000, ...options });
  const bundle = await ensureWorkflowBundle(pathsIn(testDir).bundles);
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    ...stack.environment,
    ...settings,
    INSURER_ID: insurerId,
    INSURER_BASE_URL: insurer.baseUrl,
    INSURER_API_TOKEN: insurer.token,
    WORKFLOW_BUNDLE: bundle,
    LEASE_MS: '3000',
    LINE_STALL_MS: '1500',
    LIST_FIRST_BYTE_MS: '1500',
    LINE_MIN_GAP_MS: '5',
  };
  Object.assign(process.env, stack.environment, settings);
  const config = readConfig(clientConfig, environment);
  const client = openTemporal(config);
  const stores = openStores(config);
  const dynamo = new DynamoDBClient({});
  const sync = createDailySyncClient(client, stores, config);
  const line = createInsurerLineClient({ temporal: async () => client, gate: stores.gateOf(insurerId), insurerId });
  const workers: RunningWorker[] = [];
  let workersStarted = 0;
  const pseudonymKey = Buffer.from(config.PSEUDONYM_KEY, 'base64');

  const until: Day['until'] = async (matches, everyMs = 200) => {
    for (;;) {
      const progress = await sync.readProgress().catch(() => undefined); // Temporal or the emulator may be restarting
      if (progress !== undefined && matches(progress)) return progress;
      await sleep(everyMs);
    }
  };
  /** the current run: before its first save, a read can still return the previous run */
  let runId: string | undefined;
  const start = async (): ReturnType<typeof sync.start> => {
    const started = await sync.start();
    runId = started.runId;
    return started;
  };
  /** Waits for the end of the workflow: a run that is queried ten times a second takes a third of a core more. */
  const ended = async (): Promise<Progress> => {
    while (await isRunning()) await sleep(500); // Temporal restarts
    return await until((progress) => progress.runId === runId && progress.state !== 'running' && !progress.stale);
  };
  const isRunning = async (): Promise<boolean> => {
    try {
      await client.workflow.getHandle(dailySyncId(insurerId)).result();
      return false;
    } catch (error) {
      return !(error instanceof WorkflowFailedError);
    }
  };

  return {
    stack,
    insurer,
    client,
    stores,
    sync: { ...sync, start },
    line,
    until,
    ended,
    refOf: (kvnr) => patientRefOf(kvnr as Kvnr, pseudonymKey),
    async startWorker(settings = {}, command = { command: ['node', 'worker/main.ts'], dir: root }) {
      const logFile = join(stack.dir, `worker-${workersStarted++}.log`);
      const worker = await startWorker({ ...environment, ...settings }, logFile, command);
      workers.push(worker);
      return worker;
    },
    async runToEnd() {
      await start();
      return await ended();
    },
    async storedRefs() {
      const patients = await Array.fromAsync(stores.patients.scan(0, 1));
      return patients.filter(({ isBeingRemoved }) => !isBeingRemoved).map(({ patientRef }) => patientRef);
    },
    keysUnder: async (prefix) => await Array.fromAsync(listKeys(stores.bucket, prefix)),
    async careRecordTexts(patientRef) {
      const patient = await stores.patients.get(patientRef);
      if (patient?.careVersion === undefined) return [];
      const page = await stores.careRecords.read(patientRef, patient.careVersion);
      return await Promise.all(
        (page?.records ?? []).map(async (record) =>
          joinRecord({ body: record.body, documents: await stores.careRecords.readDocuments(record) }),
        ),
      );
    },
    async careVersionsOf(patientRef) {
      const versions = new Set<string>();
      const query = {
        TableName: defaultTables.careRecords,
        KeyConditionExpression: 'patientRef = :patientRef',
        ExpressionAttributeValues: { ':patientRef': { S: patientRef } },
      };
      for await (const { Items } of paginateQuery({ client: dynamo }, query))
        for (const { sk } of Items ?? []) versions.add(sk?.S?.split('#')[0] ?? '');
      return [...versions];
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.isRunning && worker.kill()));
      await client.connection.close();
      stores.close();
      dynamo.destroy();
      await insurer.close();
      await stack.stop();
    },
  };
}

async function startWorker(
  env: NodeJS.ProcessEnv,
  logFile: string,
  { command: [, ...args], dir }: WorkerCommand,
): Promise<RunningWorker> {
  const child: ChildProcess = spawn(process.execPath, args, { env, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(logFile);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let linePid = 0;
  const takes: RunningWorker['takes'][number][] = [];
  let isHolder = false;
  const heard = new Set<string>();
  const hearing = new EventEmitter();
  const ready = new Promise<void>((resolve, reject) => {
    if (child.stdout === null || child.stderr === null) return reject(new Error('no output'));
    createInterface({ input: child.stderr }).on('line', (line) => log.write(`${line}\n`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.write(`${line}\n`);
      if (!line.startsWith('{')) return;
      const said = JSON.parse(line) as { event: string; linePid?: number; change?: string; leaseNumber?: number };
      if (said.event === 'line process started' && said.linePid !== undefined) linePid = said.linePid;
      if (said.change === 'take' && said.leaseNumber !== undefined) {
        takes.push({ leaseNumber: said.leaseNumber, atMs: performance.timeOrigin + performance.now() });
        isHolder = true;
      }
      if (said.change === 'release' || said.event === 'lease over') isHolder = false;
      heard.add(said.event);
      hearing.emit(said.event);
      if (said.event === 'worker-ready') resolve();
    });
    void ended.then(() => reject(new Error(`the worker ended before it was ready: see ${logFile}`)));
  });
  await ready;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    pid: child.pid ?? 0,
    get linePid() {
      return linePid;
    },
    takes,
    get isHolder() {
      return isHolder;
    },
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    get exitCode() {
      return child.exitCode;
    },
    logged: async (event) => {
      if (!heard.has(event)) await once(hearing, event);
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}
