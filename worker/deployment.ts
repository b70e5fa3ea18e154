import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { WorkerOptions } from '@temporalio/worker';
import { syncTaskQueue } from '../core/contract/names.ts';
import { faultOf, type Log } from './log.ts';

/** All builds of the workflows are versions of this one deployment (docs/adr/0022-worker-deployment-versions.md). */
const deploymentName = 'epa-sync';

/** How often a worker looks whether the current version still has workers, ms: longer than one poll of theirs lasts. */
const checkMs = 90_000;
/** How often it tries to become the current version, until Temporal knows it, ms. */
const retryMs = 1_000;

/** What a worker of a build says of itself; a workflow goes on with whatever version is the current one, after a replay of what it has done. */
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
  /** for tests, which cannot wait so long */
  readonly checkIntervalMs?: number;
}

/**
 * Makes a build the current version once it takes work: whoever has started last is what was deployed last. And once more when the
 * version that is current has no workers any more, as after a deployment that was rolled back. Ends with the signal; never throws.
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
    // until its first poll has come there, Temporal does not know the version
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
      log.warn('deployment version not looked after', { fault: faultOf(error) });
    }
  }
}

/** When a worker of the current version was seen last, by the server's clock; undefined when none was for minutes. Two answers that are the same say that nobody came between. */
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
