import { Client } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { ConfigError, readConfig, workerConfig } from '../core/config.ts';
import { syncTaskQueue } from '../core/contract/names.ts';
import { openStores } from '../core/stores/open-stores.ts';
import { createMetrics } from '../core/telemetry/metrics.ts';
import { startTraces } from '../core/telemetry/start-traces.ts';
import { dataConverterOf, temporalConnection } from '../core/temporal/connection.ts';
import { signalGateChanged } from '../core/temporal/insurer-line-client.ts';
import { createInsurerLineActivities } from './activities/insurer-line-activities.ts';
import { createListActivities } from './activities/list-activities.ts';
import { createPatientRecordActivities } from './activities/patient-record-activities.ts';
import { createSyncActivities } from './activities/sync-activities.ts';
import { deploymentOptions, keepDeploymentCurrent } from './deployment.ts';
import { startHealth } from './health.ts';
import { startKeeper } from './line/keeper.ts';
import { createLog, faultOf } from './log.ts';
import { checkPseudonymKey } from './pseudonym-key.ts';
import { watchAccessLog } from './reporting/access-log-watch.ts';
import { readBacklogs } from './reporting/backlogs.ts';
import { reportedRuns, startReporter } from './reporting/reporter.ts';
import { createTemporalLogger } from './temporal-log.ts';
import { workflowSource } from './workflow-source.ts';

/**
 * One worker: workflows and all activities but the insurer's run in this process, which also keeps the line; the insurer's
 * run in its child (docs/explanation/the-line.md, "Two processes"). Ends in order on SIGTERM and SIGINT: first the lease is handed back.
 */
const log = createLog('worker');
Runtime.install({ shutdownSignals: [], logger: createTemporalLogger(log) }); // SIGTERM: the line first, then the worker
try {
  const config = readConfig(workerConfig, process.env);
  const opened = openStores(config);
  const insurerId = config.INSURER_ID;
  const pseudonymKey = Buffer.from(config.PSEUDONYM_KEY, 'base64');
  await checkPseudonymKey({ syncRuns: opened.syncRuns, insurerId, pseudonymKey, log });
  const connection = await NativeConnection.connect(temporalConnection(config));
  const metrics = createMetrics(insurerId);
  const syncsTookMs: number[] = [];
  const onFailure = (): void => metrics.emit({ AccessLogFailures: 1 });
  const stores = { ...opened, accessLog: watchAccessLog(opened.accessLog, onFailure) };
  const gate = stores.gateOf(insurerId);
  const temporal = { connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter: dataConverterOf(config) };
  const traces = await startTraces('epa-sync-worker', config.OTEL_EXPORTER_OTLP_ENDPOINT);
  const client = new Client(temporal);
  const source = workflowSource();
  const syncActivities = createSyncActivities(stores);
  const worker = await Worker.create({
    ...temporal,
    taskQueue: syncTaskQueue,
    ...source,
    ...deploymentOptions(config.WORKER_BUILD_ID),
    interceptors: { ...source.interceptors, activity: [...(traces?.activityInterceptors ?? [])] },
    activities: {
      ...syncActivities,
      ...createInsurerLineActivities({ insurerId, gate }),
      ...createPatientRecordActivities({ ...stores, log, onSyncEnded: (tookMs) => syncsTookMs.push(tookMs) }),
      ...createListActivities({ ...stores, ...syncActivities, pseudonymKey }),
    },
    maxConcurrentActivityTaskExecutions: 16, // each may hold one patient’s answer, 64 MiB at worst
    stickyQueueScheduleToStartTimeout: '1 s', // a frozen worker must not keep an operator waiting for ten
    maxHeartbeatThrottleInterval: '4 s', // an attempt that stood still for five must be over before the next one begins
    shutdownGraceTime: '10 s',
  });
  const keeper = await startKeeper({
    config,
    gate,
    log,
    onSystemPause: (reason) => {
      log.error('line paused by the system', { reason });
    },
    onUnacknowledged: () => {
      // the keeper calls again while it is in vain
      signalGateChanged(client, insurerId).catch((error: unknown) =>
        log.warn('insurer-line not signalled', { fault: faultOf(error) }),
      );
    },
  });
  const reporter = startReporter({
    keeper,
    metrics,
    log,
    readRuns: async () => (await stores.syncRuns.listRuns(insurerId, reportedRuns)).entries,
    readBacklogs: () => readBacklogs(client),
    takeSyncDurationsMs: () => syncsTookMs.splice(0),
    schedule: { startHour: config.SYNC_HOUR, dueHour: config.RUN_DUE_HOUR },
    intervalMs: config.METRICS_INTERVAL_MS,
  });
  const { HEALTH_PORT: healthPort, WORKER_BUILD_ID: buildId } = config;
  const health =
    healthPort === undefined
      ? undefined
      : startHealth(healthPort, () => worker.getState() === 'RUNNING' && keeper.isWell);
  const stopping = new AbortController();
  const stop = (): void => {
    log.info('stopping');
    stopping.abort();
    void keeper.stop().then(() => worker.shutdown());
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  log.info('worker-ready', { linePid: keeper.pids[0] });
  if (buildId !== undefined) void keepDeploymentCurrent({ client, buildId, log, signal: stopping.signal });
  await worker.run();
  await keeper.stop();
  await reporter.stop();
  await traces?.stop();
  health?.close();
  await connection.close();
  stores.close();
  log.info('stopped');
} catch (error) {
  log.error('worker failed', {
    fault: faultOf(error),
    ...(error instanceof ConfigError && { problems: error.message }),
  });
  process.exit(1);
}
