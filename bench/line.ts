import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import PQueue from 'p-queue';
import type { PayloadReference } from '../core/contract/payload-reference.ts';
import type { Kvnr } from '../core/domain/kvnr.ts';
import type { StoredPatient } from '../core/domain/patient.ts';
import { freePorts } from '../local/free-ports.ts';
import { startInsurerSimulator } from '../local/insurer-process.ts';
import { ensurePythonTools } from '../local/python-tools.ts';
import { findTemporal, startTemporal } from '../local/temporal.ts';
import type { Summary } from '../simulator/log.ts';
import { World } from '../simulator/world.ts';
import { createLineActivities } from '../worker/activities/line-activities.ts';
import { createInsurerClient, type InsurerClient } from '../worker/insurer/insurer-client.ts';
import { createJsonAdapter } from '../worker/insurer/json-adapter/json-adapter.ts';
import { openLine } from '../worker/line/line.ts';
import { LineError, LineWithheld } from '../worker/line/line-error.ts';
import { createLineStatistics } from '../worker/line/line-statistics.ts';
import { createTransferReporter } from '../worker/reporting/transfer-reporter.ts';
import type { BenchLineInput, OneRequestActivities } from './line-workflow.ts';
import { longPermit } from './long-permit.ts';

/**
 * Measures how much of the line's time is used at 80 % failure, without Retry-After pauses. Compares this design with
 * Temporal's own retries, and with a queue in memory that loses everything when it dies. All use the same simulator, faults
 * and exchange. The figures come from the simulator's log.
 */
const seconds = Number(process.env['BENCH_SECONDS'] ?? 30);
const patients = 5_000;
const seed = 7;
const token = 'bench';
const window = 50;
const slots = 3; // as in worker/line-main.ts

const folder = mkdtempSync(join(tmpdir(), 'epa-sync-bench-'));
const kvnrs = new World({ seed, patients }).patients().map(({ kvnr }) => kvnr as Kvnr);

interface Contender {
  readonly name: string;
  /** uses the line until the signal aborts */
  run(insurer: InsurerClient, signal: AbortSignal): Promise<void>;
}

async function withWorker(
  options: { slots: number; retries: BenchLineInput['retries']; activities: object },
  signal: AbortSignal,
): Promise<void> {
  const taskQueue = `bench-${crypto.randomUUID()}`;
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle,
    activities: options.activities,
    maxConcurrentActivityTaskExecutions: options.slots,
    shutdownGraceTime: 0,
  });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const input: BenchLineInput = { patientRefs: kvnrs, window, retries: options.retries };
  await worker.runUntil(async () => {
    const handle = await client.workflow.start('benchLine', { taskQueue, workflowId: taskQueue, args: [input] });
    if (!signal.aborted) await new Promise((ended) => signal.addEventListener('abort', ended, { once: true }));
    await handle.terminate();
  });
  await client.connection.close();
  await connection.close();
}

const nowhere = async (body: Uint8Array): Promise<PayloadReference> => ({
  key: 'k',
  sizeBytes: body.byteLength,
  sha256: '',
});
const oneRequest = (insurer: InsurerClient, signal: AbortSignal): OneRequestActivities => ({
  fetchOnce: async (kvnr) => void (await insurer.fetchCareRecords(kvnr, 'bulk', signal)),
});

const contenders: readonly Contender[] = [
  {
    name: 'this design',
    run: async (insurer, signal) => {
      const transferReporter = createTransferReporter(
        async () => {},
        () => true,
      );
      const activities = createLineActivities({
        insurerId: 'bench',
        insurer,
        transferReporter,
        patients: {
          get: async (patientRef) =>
            ({ patientRef, kvnr: patientRef, revision: 1, standing: 'listed' }) as StoredPatient,
          markNotInsured: async (_patientRef, syncId) => syncId,
          markUnusable: async () => {},
          readNotInsured: async () => undefined,
          renewCareVersion: async () => {},
        },
        payloads: { put: async (_owner, body) => await nowhere(body) },
        lists: {
          putSegment: async (_listId, _index, body) => await nowhere(body),
          putManifest: async () => await nowhere(Buffer.alloc(0)),
          readManifest: async () => [],
        },
      });
      await withWorker({ slots, retries: 'ours', activities }, signal);
      transferReporter.stop();
    },
  },
  {
    name: 'p-queue in memory, nothing durable',
    run: async (insurer, signal) => {
      const queue = new PQueue({ concurrency: 1 });
      const left = kvnrs.values();
      const served = async (kvnr: Kvnr): Promise<void> => {
        for (;;) {
          const isServed = await queue.add(() =>
            insurer.fetchCareRecords(kvnr, 'bulk', signal).then(() => true, isLineFailure),
          );
          if (isServed || signal.aborted) return;
        }
      };
      await Promise.all(
        Array.from({ length: window }, async () => {
          for (const kvnr of left) if (!signal.aborted) await served(kvnr);
        }),
      );
    },
  },
  {
    name: 'one slot, 1 ms between attempts',
    run: async (insurer, signal) =>
      await withWorker({ slots: 1, retries: 'shortest', activities: { ...oneRequest(insurer, signal) } }, signal),
  },
  {
    name: "one slot, Temporal's default retries",
    run: async (insurer, signal) =>
      await withWorker({ slots: 1, retries: 'default', activities: { ...oneRequest(insurer, signal) } }, signal),
  },
];

const isLineFailure = (error: unknown): false => {
  if (error instanceof LineError || error instanceof LineWithheld) return false;
  throw error;
};

async function measure(contender: Contender, latencyMs: number): Promise<Summary> {
  const [port = 0, controlPort = 0] = await freePorts(2);
  Object.assign(process.env, {
    INSURER_SEED: String(seed),
    INSURER_PATIENTS: String(patients),
    INSURER_LATENCY_MS: String(latencyMs),
    INSURER_FAILURE_RATE: '0.8',
  });
  const stateFile = join(folder, `insurer-${port}.json`);
  const simulator = await startInsurerSimulator({ port, controlPort, token, stateFile, logDir: folder });
  const baseUrl = `http://127.0.0.1:${port}`;
  const shared = { permit: longPermit(), stallMs: 2_000, statistics: createLineStatistics() };
  const line = openLine({ origin: baseUrl, ...shared });
  const insurer = createInsurerClient({ adapter: createJsonAdapter({ baseUrl, token }), line, ...shared });
  const abort = new AbortController();
  try {
    const running = contender.run(insurer, abort.signal).catch(isEndOfBench);
    await new Promise((end) => setTimeout(end, seconds * 1_000));
    const summary = (await (await fetch(`http://127.0.0.1:${controlPort}/summary`)).json()) as Summary;
    abort.abort(new Error('end of the bench'));
    await running;
    await line.close();
    return summary;
  } finally {
    await simulator.stop();
  }
}

const isEndOfBench = (error: unknown): void => {
  if (!(error instanceof Error && /end of the bench|line closed/.test(error.message))) throw error;
};

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});
const hasOwnCli = (process.env['TEMPORAL_CLI_PATH'] ?? '') !== '';
const pythonTools = hasOwnCli
  ? { temporal: '', ministack: '' }
  : await ensurePythonTools(resolve(process.env['LOCAL_DIR'] ?? '.local'));
const [temporalPort = 0] = await freePorts(1);
const address = `127.0.0.1:${temporalPort}`;
const temporal = await startTemporal({
  command: await findTemporal(process.env, pythonTools),
  port: temporalPort,
  logDir: folder,
});
const workflowBundle = await bundleWorkflowCode({
  workflowsPath: join(import.meta.dirname, 'line-workflow.ts'),
  logger: new DefaultLogger('ERROR'),
});
try {
  process.stdout.write(`\nLine utilisation, 80 % failure, seed ${seed}, ${seconds} s each, Retry-After taken out\n\n`);
  process.stdout.write(
    '| | ms a request | utilisation | beside this design | requests/s | patients | overlaps and the like |\n',
  );
  process.stdout.write('|---|---|---|---|---|---|---|\n');
  for (const latencyMs of [20, 120]) {
    let ours: number | undefined;
    for (const contender of contenders) {
      const { utilisation, requestsPerSecond, patientsServed, violations } = await measure(contender, latencyMs);
      ours ??= utilisation;
      const cells = [
        contender.name,
        latencyMs,
        `${(utilisation * 100).toFixed(1)} %`,
        (utilisation / ours).toFixed(2),
        requestsPerSecond.toFixed(1),
        patientsServed,
        violations,
      ];
      process.stdout.write(`| ${cells.join(' | ')} |\n`);
    }
  }
} finally {
  await temporal.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
