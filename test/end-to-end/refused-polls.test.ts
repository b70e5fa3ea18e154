import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { freePorts } from '../../local/free-ports.ts';
import { startProcess, untilReady } from '../../local/processes.ts';
import { ensurePythonTools } from '../../local/python-tools.ts';
import { findTemporal, namespaceAnswers } from '../../local/temporal.ts';
import { testDir } from '../../tools/test-dir.ts';
import { startDay } from '../day.fixture.ts';
import { metricsIn, workerLogLines } from '../logs.fixture.ts';

/** Starts a Temporal that takes one version of a deployment only. Returns its address. */
async function startStrictTemporal(logDir: string): Promise<string> {
  const command = await findTemporal(process.env, await ensurePythonTools(testDir));
  const [port = 0] = await freePorts(1);
  const limit = ['--dynamic-config-value', 'matching.maxVersionsInDeployment=1'];
  const server = startProcess({
    name: 'strict-temporal',
    command,
    args: ['server', 'start-dev', '--headless', '--port', String(port), '--log-level', 'warn', ...limit],
    env: { ...process.env, TEMPORAL_CONFIG_FILE: '' },
    logDir,
    graceMs: 1_000,
  });
  onTestFinished(async () => await server.kill());
  await untilReady(server, () => namespaceAnswers(`127.0.0.1:${port}`, 'default'), { timeoutMs: 30_000 });
  return `127.0.0.1:${port}`;
}

test('a build whose polls Temporal refuses becomes unhealthy, and the build before it stays healthy', async () => {
  await using day = await startDay({ patients: 1, rate: 0 });
  const TEMPORAL_ADDRESS = await startStrictTemporal(join(day.stack.dir, 'logs'));
  const [first = 0, second = 0] = await freePorts(2);
  const build = (name: string, port: number) =>
    day.startWorker({
      TEMPORAL_ADDRESS,
      WORKER_BUILD_ID: name,
      HEALTH_PORT: String(port),
      METRICS_INTERVAL_MS: '1000',
    });
  const healthOf = async (port: number): Promise<number> => (await fetch(`http://127.0.0.1:${port}/`)).status;

  await (await build('first', first)).logged('deployment version current');
  const reachable = () => metricsIn(workerLogLines(day)).findLast(({ name }) => name === 'TemporalReachable')?.values;
  await expect.poll(reachable, { timeout: 30_000 }).toEqual([1]);

  await (await build('second', second)).logged('polls of Temporal');
  const seen = readFileSync(join(day.stack.dir, 'worker-1.log'), 'utf8');
  expect(seen).toContain('"polls":"refused"');
  await expect.poll(() => healthOf(second), { timeout: 30_000 }).toBe(200); // not yet: a start takes some seconds
  await expect.poll(() => healthOf(second), { timeout: 120_000, interval: 1_000 }).toBe(503);
  await sleep(3_000);
  expect([await healthOf(first), await healthOf(second)]).toEqual([200, 503]);
}, 240_000);
