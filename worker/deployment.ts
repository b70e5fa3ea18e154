import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isGrpcServiceError } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { syncTaskQueue } from '../core/contract/names.ts';
import { faultOf, type Log } from './log.ts';

/** The deployment whose versions are the builds of the workflows (ADR 0022). */
const deploymentName = 'epa-sync';

/** Interval in milliseconds at which a worker checks that the current version has workers. Longer than one poll lasts. */
const checkMs = 90_000;
/** Interval in milliseconds at which a worker retries to become the current version, until Temporal knows the version. */
const retryMs = 1_000;

/** Returns the versioning options of a build. A workflow continues on the current version, which replays its history. */
export const deploymentOptions = (buildId: string | undefined): Pick<WorkerOptions, 'workerDeploymentOptions'> =>
  buildId === undefined
    ? {}
    : {
        workerDeploymentOptions: {
          version: { deploymentName, buildId },
          useWorkerVersioning: true,
          defaultVersioningBehavior: 'AUTO_UPGRADE',
        },
      };

export interface DeploymentWatch {
  readonly client: Client;
  readonly buildId: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** milliseconds; for tests only */
  readonly checkIntervalMs?: number;
}

/**
 * Makes a build the current version once it takes work, because the worker that started last was deployed last. Does so again
 * if the current version has no workers any more, for example after a rollback. Ends with the signal; never throws.
 */
export async function keepDeploymentCurrent({
  client,
  buildId,
  log,
  signal,
  checkIntervalMs = checkMs,
}: DeploymentWatch): Promise<void> {
  const { workflowService, options } = client;
  const { namespace } = options;
  const makeCurrent = async (): Promise<void> => {
    await workflowService.setWorkerDeploymentCurrentVersion({ namespace, deploymentName, buildId });
    log.info('deployment version current', { buildId });
  };
  const wait = async (ms: number): Promise<unknown> =>
    await sleep(ms, undefined, { signal, ref: false }).catch(() => {});

  while (!signal.aborted) {
    // Temporal knows a version only after its first poll
    const fault = await makeCurrent().then(() => undefined, faultOf);
    if (fault === undefined) break;
    log.info('deployment version not current yet', { buildId, fault });
    await wait(retryMs);
  }
  let seen: string | undefined;
  for (;;) {
    await wait(checkIntervalMs);
    if (signal.aborted) return;
    try {
      const lastPoll = await lastPollOfCurrent(client);
      if (lastPoll === undefined || lastPoll === seen) await makeCurrent();
      seen = lastPoll;
    } catch (error) {
      log.warn('deployment version not checked', { fault: faultOf(error) });
    }
  }
}

/**
 * Returns whether Temporal has taken a poll of a build. A build beyond its limit of versions is never known.
 * @param buildId without one, there are no versions
 */
export async function isKnownBuild({ workflowService, options }: Client, buildId?: string): Promise<boolean> {
  if (buildId === undefined) return true;
  const version = { namespace: options.namespace, deploymentVersion: { deploymentName, buildId } };
  return await workflowService.describeWorkerDeploymentVersion(version).then(
    () => true,
    (error: unknown) => {
      if (isGrpcServiceError(error) && error.code === notFound) return false;
      throw error;
    },
  );
}
const notFound = 5; // gRPC status code

/**
 * Returns when a worker of the current version last polled, by the server's clock; undefined if none has for minutes. Two
 * equal answers mean that no worker has polled in between.
 */
async function lastPollOfCurrent({ workflowService, options }: Client): Promise<string | undefined> {
  const { namespace } = options;
  const { workerDeploymentInfo } = await workflowService.describeWorkerDeployment({ namespace, deploymentName });
  const current = workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId;
  const { pollers } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: syncTaskQueue },
    taskQueueType: workflowTasks,
  });
  const polls = (pollers ?? []).flatMap(({ deploymentOptions, lastAccessTime }) =>
    deploymentOptions?.buildId === current ? [`${lastAccessTime?.seconds}.${lastAccessTime?.nanos}`] : [],
  );
  return polls.sort().at(-1);
}

/** TaskQueueType, temporal.api.enums.v1 */
const workflowTasks = 1;
