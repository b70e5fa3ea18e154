import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { dataConverterOf, openStores, temporalConnection } from '../../core/clients.ts';
import { readConfig, workerConfig } from '../../core/config.ts';
import { lineTaskQueue, urgentLineTaskQueue } from '../../core/contract/names.ts';
import { createMetrics } from '../../core/metrics.ts';
import { startTraces } from '../../core/traces.ts';
import { createLineActivities } from '../activities/line-activities.ts';
import { createLog, faultOf } from '../log.ts';
import { startLineReporter } from '../reporting/line-reporter.ts';
import { createTemporalLogger } from '../temporal-log.ts';
import { openLine } from './line.ts';
import { createLineMeter } from './meter.ts';
import { attachToParent } from './parent.ts';
import { createTap } from './tap.ts';

/**
 * The child of the two processes: holds the sockets to the insurer and runs the line's activities, as far as its parent,
 * the keeper, lets it (DESIGN, "Two processes"). Started by the keeper only.
 */
/** Tasks at once, so that the next request is there when one ends. People do not queue behind bulk: a queue of their own. */
const slots = { [lineTaskQueue]: 3, [urgentLineTaskQueue]: 2 } as const;

const log = createLog('line');
const config = readConfig(workerConfig, process.env);
// Ctrl-C reaches this process too, but only the keeper decides when it ends.
Runtime.install({ shutdownSignals: [], logger: createTemporalLogger(log) });
const stores = openStores(config);
const dataConverter = dataConverterOf(config);
const workers: Worker[] = [];
let isStopping = false;
const { grant, ready } = attachToParent({
  writeHold: stores.gateOf(config.INSURER_ID).hold,
  pauseGraceMs: config.PAUSE_GRACE_MS,
  lineMinGapMs: config.LINE_MIN_GAP_MS,
  onStop: () => {
    isStopping = true;
    line.stop();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  },
});
const meter = createLineMeter();
const line = openLine({
  meter,
  baseUrl: config.INSURER_BASE_URL,
  token: config.INSURER_API_TOKEN,
  right: grant,
  stallMs: config.LINE_STALL_MS,
  careRecordsBytesMax: config.CARE_RECORDS_MAX_BYTES,
});

try {
  const reporter = startLineReporter({
    meter,
    metrics: createMetrics(config.INSURER_ID),
    isOpen: () => grant.isOpen(),
    everyMs: config.METRICS_INTERVAL_MS,
  });
  const activities = createLineActivities({ ...stores, line, insurerId: config.INSURER_ID });
  const traces = await startTraces('epa-sync-line', config.OTEL_EXPORTER_OTLP_ENDPOINT);
  const createWorker = async (taskQueue: keyof typeof slots): Promise<Worker> => {
    // Two workers on one connection would share one long poll's fate (DESIGN, "what the prototype taught").
    const connection = await NativeConnection.connect(temporalConnection(config));
    return await Worker.create({
      connection,
      namespace: config.TEMPORAL_NAMESPACE,
      taskQueue,
      dataConverter,
      activities: { ...activities },
      interceptors: { activity: [...(traces?.activityInterceptors ?? [])] },
      tuner: {
        activityTaskSlotSupplier: createTap(grant, slots[taskQueue]),
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
      },
      shutdownGraceTime: '10 s', // for what has come to be kept: whoever waits for the line is told at once, and the lease handed back
    });
  };
  workers.push(...(await Promise.all([createWorker(lineTaskQueue), createWorker(urgentLineTaskQueue)])));
  const running = Promise.all(workers.map((worker) => worker.run()));
  if (isStopping) for (const worker of workers) worker.shutdown();
  else ready();
  await running;
  await line.close();
  reporter.stop();
  await traces?.stop();
  process.exit(0);
} catch (error) {
  log.error('line process failed', { fault: faultOf(error) });
  process.exit(1); // the keeper starts another one
}
