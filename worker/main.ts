import { Client } from '@temporalio/client';
import { Runtime, Worker } from '@temporalio/worker';
import { ConfigError, readConfig, workerConfig } from '../core/config.ts';
import { bulkTaskQueue, syncTaskQueue } from '../core/contract/names.ts';
import { openStores } from '../core/stores/open-stores.ts';
import { createMetrics } from '../core/telemetry/metrics.ts';
import { startTraces } from '../core/telemetry/start-traces.ts';
import { signalGateChanged } from '../core/temporal/insurer-line-client.ts';
import { createAccessLogCheckActivities } from './activities/access-log-check.ts';
import { createEndSync } from './activities/end-sync.ts';
import { createExportActivities } from './activities/export.ts';
import { syncHeartbeatMaxMs } from './activities/heartbeats.ts';
import { createInsurerLineActivities } from './activities/insurer-line-activities.ts';
import { createListActivities } from './activities/list-activities.ts';
import { createPatientRecordActivities } from './activities/patient-record-activities.ts';
import { createRefreshActivities } from './activities/refresh.ts';
import { createSyncActivities } from './activities/sync-activities.ts';
import { deploymentOptions, keepDeploymentCurrent } from './deployment.ts';
import { startHealth } from './health.ts';
import { startKeeper } from './line/keeper.ts';
import { createLog, faultOf } from './log.ts';
import { checkPseudonymKey } from './pseudonym-key.ts';
import { createRefusals } from './refusals.ts';
import { watchAccessLog } from './reporting/access-log-watch.ts';
import { createAnchorWatch } from './reporting/anchor-watch.ts';
import { readBacklogs } from './reporting/backlogs.ts';
import { createProgressSinks } from './reporting/live-progress.ts';
import { reportedRuns, startReporter } from './reporting/reporter.ts';
import { connectToTemporal } from './temporal-connection.ts';
import { createTemporalLogger } from './temporal-log.ts';
import { createPollReader, watchTemporal } from './temporal-watch.ts';
import { workflowSource } from './workflow-source.ts';

/**
 * Runs one worker. This process runs the workflows and all activities that do not call the insurer, and keeps the lease of
 * the line. Its child process runs the activities that call the insurer (docs/explanation/the-line.md, "Two processes"). On
 * SIGTERM and SIGINT the worker first releases the lease, then stops.
 */
const log = createLog('worker');
/** Activities at the same time about lists and all patients. Each reads one shard or segment at a time. */
const bulkSlots = 8;
Runtime.install({ shutdownSignals: [], logger: createTemporalLogger(log) }); // we handle SIGTERM ourselves, because the line must stop first
try {
  const config = readConfig(workerConfig, process.env);
  const opened = openStores(config);
  const insurerId = config.INSURER_ID;
  const pseudonymKey = Buffer.from(config.PSEUDONYM_KEY, 'base64');
  await checkPseudonymKey({ syncRuns: opened.syncRuns, insurerId, pseudonymKey, log });
  const connection = await connectToTemporal(config);
  const metrics = createMetrics(config);
  const syncDurationsMs: number[] = [];
  const onFailure = (): void => metrics.emit({ AccessLogFailures: 1 });
  const anchorWatch = createAnchorWatch(opened.accessAnchors);
  const observer = { onFailure, onAppended: anchorWatch.note };
  const stores = { ...opened, accessLog: watchAccessLog(opened.accessLog, observer) };
  const gate = stores.gateOf(insurerId);
  const refusals = createRefusals(config, metrics, log);
  const { dataConverter } = refusals;
  const temporal = { connection, namespace: config.TEMPORAL_NAMESPACE, dataConverter };
  const traces = await startTraces('epa-sync-worker', config.OTEL_EXPORTER_OTLP_ENDPOINT);
  const client = new Client(temporal);
  const source = workflowSource();
  const endSync = createEndSync({ ...stores, log, onSyncEnded: (durationMs) => syncDurationsMs.push(durationMs) });
  const syncActivities = { ...createSyncActivities({ ...stores, endSync }), ...createRefreshActivities(stores) };
  const activityInterceptors = [refusals.activityInterceptors, ...(traces?.activityInterceptors ?? [])];
  const shared = {
    ...temporal,
    ...deploymentOptions(config.WORKER_BUILD_ID),
    maxHeartbeatThrottleInterval: syncHeartbeatMaxMs,
    shutdownGraceTime: '10 s',
  } as const;
  const progressSinks = createProgressSinks(stores.liveProgress.saveLive, log);
  const bulkWorker = await Worker.create({
    ...shared,
    taskQueue: bulkTaskQueue,
    interceptors: { activity: activityInterceptors },
    activities: {
      ...syncActivities,
      ...createListActivities({ ...stores, ...syncActivities, pseudonymKey }),
      ...createAccessLogCheckActivities({
        ...stores,
        onBroken: () => metrics.emit({ AccessLogTampered: 1 }),
        onChecked: ({ logs, brokenLogs }) => log.info('access logs checked', { logs, brokenLogs }),
      }),
      ...createExportActivities({
        ...stores,
        onBatch: (patients) => metrics.emit({ ExportedPatients: patients }),
        onSkipped: (patientRef) => log.warn('patient left out of an export', { patientRef }),
        onFailed: () => metrics.emit({ ExportFailures: 1 }),
      }),
    },
    maxConcurrentActivityTaskExecutions: bulkSlots,
  });
  const worker = await Worker.create({
    ...shared,
    taskQueue: syncTaskQueue,
    ...source,
    sinks: { ...refusals.sinks, ...progressSinks.sinks },
    interceptors: { ...source.interceptors, activity: activityInterceptors },
    activities: {
      ...syncActivities,
      ...createInsurerLineActivities({ insurerId, gate }),
      ...createPatientRecordActivities({ ...stores, log, endSync }),
    },
    maxConcurrentActivityTaskExecutions: 16, // each can hold one patient's answer of up to 64 MiB
    stickyQueueScheduleToStartTimeout: '1 s', // by default an operator would wait 10 s for a frozen worker
  });
  const workers = [worker, bulkWorker];
  const keeper = await startKeeper({
    config,
    gate,
    log,
    onSystemPause: (reason) => {
      log.error('line paused by the system', { reason });
    },
    onUnacknowledged: () => {
      // if this fails, the keeper calls again
      signalGateChanged(client, insurerId).catch((error: unknown) =>
        log.warn('insurer-line not signalled', { fault: faultOf(error) }),
      );
    },
  });
  const { HEALTH_PORT: healthPort, WORKER_BUILD_ID: buildId } = config;
  const { identity = '' } = worker.options;
  const temporalWatch = watchTemporal(
    createPollReader({ client, identity, ...(buildId !== undefined && { buildId }) }, log),
    log,
  );
  const reporter = startReporter({
    keeper,
    metrics,
    log,
    readRuns: async () => (await stores.syncRuns.listRuns(insurerId, reportedRuns)).entries,
    readBacklogs: () => readBacklogs(client),
    isTemporalReachable: () => temporalWatch.isReachable,
    readAnchorLagSeconds: anchorWatch.lagSeconds,
    readAccessLogCheckedAt: () => stores.accessLogChecks.readCompletedAt(insurerId, new Date().toISOString()),
    takeSyncDurationsMs: () => syncDurationsMs.splice(0),
    schedule: { startHour: config.SYNC_HOUR, dueHour: config.RUN_DUE_HOUR },
    intervalMs: config.METRICS_INTERVAL_MS,
  });
  const health =
    healthPort === undefined
      ? undefined
      : startHealth(
          healthPort,
          () => workers.every((each) => each.getState() === 'RUNNING') && keeper.isHealthy && !temporalWatch.isRefused,
        );
  const stopping = new AbortController();
  const stop = (): void => {
    log.info('stopping');
    stopping.abort();
    void keeper.stop().then(() => {
      for (const each of workers) each.shutdown();
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  log.info('worker-ready', { linePid: keeper.linePid });
  if (buildId !== undefined) void keepDeploymentCurrent({ client, buildId, log, signal: stopping.signal });
  await Promise.all(workers.map((each) => each.run()));
  await keeper.stop();
  await temporalWatch.stop();
  await progressSinks.stop();
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
