import { Runtime, Worker } from '@temporalio/worker';
import { readConfig, workerConfig } from '../core/config.ts';
import { lineTaskQueue, urgentLineTaskQueue } from '../core/contract/names.ts';
import { openStores } from '../core/stores/open-stores.ts';
import { createMetrics } from '../core/telemetry/metrics.ts';
import { startTraces } from '../core/telemetry/start-traces.ts';
import { createLineActivities } from './activities/line-activities.ts';
import { createInsurerClient } from './insurer/insurer-client.ts';
import { createJsonAdapter } from './insurer/json-adapter/json-adapter.ts';
import { type LineParts, runLineProcess } from './line/line-process.ts';
import { createSlotSupplier, outsideQuietHours } from './line/slot-supplier.ts';
import { createLog, faultOf } from './log.ts';
import { createRefusals } from './refusals.ts';
import { startLineReporter } from './reporting/line-reporter.ts';
import { createTransferReporter } from './reporting/transfer-reporter.ts';
import { connectToTemporal } from './temporal-connection.ts';
import { createTemporalLogger } from './temporal-log.ts';

/**
 * Runs the line process: it holds the socket to the insurer and runs the activities that use it, while the keeper permits
 * it (docs/explanation/the-line.md, "Two processes"). Only the keeper starts it.
 */

/**
 * Concurrent tasks of each queue: more than one, so that the next request is ready when one ends. As many people take turns
 * on the line. Each task may hold an answer of CARE_RECORDS_MAX_BYTES.
 */
const slots = { [lineTaskQueue]: 3, [urgentLineTaskQueue]: 8 } as const;

const log = createLog('line');
const config = readConfig(workerConfig, process.env);
// Ctrl-C reaches this process too, but only the keeper decides when it ends.
Runtime.install({ shutdownSignals: [], logger: createTemporalLogger(log) });
const stores = openStores(config);
const metrics = createMetrics(config);
const { dataConverter, activityInterceptors } = createRefusals(config, metrics, log);
/** functions to call once all tasks have ended */
const endings: (() => unknown)[] = [];

async function createWorkers({ line, permit, statistics, quietTime }: LineParts): Promise<readonly Worker[]> {
  const reporter = startLineReporter({
    statistics,
    metrics,
    isOpen: () => permit.isOpen() && quietTime('bulk') === 0, // no success is expected in quiet hours
    intervalMs: config.METRICS_INTERVAL_MS,
  });
  const insurer = createInsurerClient({
    adapter: createJsonAdapter({ baseUrl: config.INSURER_BASE_URL, token: config.INSURER_API_TOKEN }),
    stallMs: config.LINE_STALL_MS,
    listFirstByteMs: config.LIST_FIRST_BYTE_MS,
    careRecordsBytesMax: config.CARE_RECORDS_MAX_BYTES,
    ...{ line, permit, statistics },
  });
  const insurerId = config.INSURER_ID;
  const transferReporter = createTransferReporter(
    (measured) => stores.transfers.save(insurerId, measured),
    () => permit.isOpen(),
  );
  const activities = createLineActivities({ ...stores, insurer, insurerId, transferReporter });
  const traces = await startTraces('epa-sync-line', config.OTEL_EXPORTER_OTLP_ENDPOINT);
  endings.push(transferReporter.stop, reporter.stop, () => traces?.stop());
  const createWorker = async (taskQueue: keyof typeof slots): Promise<Worker> => {
    // Two workers on one connection would delay each other's long polls (docs/explanation/architecture.md, "Temporal").
    const connection = await connectToTemporal(config);
    return await Worker.create({
      connection,
      namespace: config.TEMPORAL_NAMESPACE,
      taskQueue,
      dataConverter,
      activities: { ...activities },
      interceptors: { activity: [activityInterceptors, ...(traces?.activityInterceptors ?? [])] },
      tuner: {
        activityTaskSlotSupplier: createSlotSupplier(
          outsideQuietHours(permit, taskQueue === lineTaskQueue ? 'bulk' : 'person', quietTime),
          slots[taskQueue],
        ),
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
      },
      shutdownGraceTime: '10 s', // time to store answers; waiting tasks end immediately, and the lease is handed back
    });
  };
  return await Promise.all([createWorker(lineTaskQueue), createWorker(urgentLineTaskQueue)]);
}

try {
  await runLineProcess({ config, writeCooldown: stores.gateOf(config.INSURER_ID).startCooldown, createWorkers });
  for (const end of endings) await end();
  process.exit(0);
} catch (error) {
  log.error('line process failed', { fault: faultOf(error) });
  process.exit(1); // the keeper starts another one
}
