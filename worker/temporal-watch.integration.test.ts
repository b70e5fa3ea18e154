import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { bulkTaskQueue, syncTaskQueue } from '../core/contract/names.ts';
import { freePorts } from '../local/free-ports.ts';
import { ensurePythonTools } from '../local/python-tools.ts';
import { findTemporal, startTemporal } from '../local/temporal.ts';
import { testDir } from '../tools/test-dir.ts';
import { deploymentOptions } from './deployment.ts';
import { createLog } from './log.ts';
import { createPollReader } from './temporal-watch.ts';
import { workflowSource } from './workflow-source.ts';

/** Starts both workers of a build. */
async function startBuild(address: string, buildId: string): Promise<() => Promise<void>> {
  const connection = await NativeConnection.connect({ address });
  const activities = { nothing: async () => {} };
  const shared = { connection, activities, identity: buildId, ...deploymentOptions(buildId) };
  const workers = [
    await Worker.create({ ...shared, taskQueue: syncTaskQueue, ...workflowSource() }),
    await Worker.create({ ...shared, taskQueue: bulkTaskQueue }),
  ];
  const ended = Promise.allSettled(workers.map((worker) => worker.run()));
  return async () => {
    for (const worker of workers) worker.shutdown();
    await ended;
    await connection.close();
  };
}

test('a build beyond the limit of versions is absent, although Temporal shows its polls', {
  timeout: 120_000,
}, async () => {
  const dir = mkdtempSync(join(testDir, 'versions-'));
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const command = await findTemporal(process.env, await ensurePythonTools(testDir));
  const server = await startTemporal({ command, port, logDir: dir, partitions: 1, versionsMax: 1 });
  const stops: (() => Promise<void>)[] = [async () => void (await server.stop())];
  try {
    const client = new Client({ connection: await Connection.connect({ address }) });
    stops.unshift(async () => await client.connection.close());
    const log = createLog('worker', () => {});
    const pollsOf = (buildId: string) => createPollReader({ client, identity: buildId, buildId }, log);
    const pollers = async () => {
      const taskQueue = { name: syncTaskQueue };
      const request = { namespace: 'default', taskQueue, taskQueueType: 2 };
      const answer = await client.workflowService.describeTaskQueue(request);
      return answer.pollers?.map(({ identity }) => identity);
    };
    stops.unshift(await startBuild(address, 'first'));
    await expect.poll(pollsOf('first'), { timeout: 30_000, interval: 250 }).toBe('taken');
    stops.unshift(await startBuild(address, 'second'));
    await expect.poll(pollers, { timeout: 30_000, interval: 250 }).toContain('second');
    expect(await pollsOf('second')()).toBe('absent');
    expect(await pollsOf('first')()).toBe('taken');
  } finally {
    for (const stop of stops) await stop();
    rmSync(dir, { recursive: true });
  }
});
