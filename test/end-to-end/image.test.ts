import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePorts } from '../../local/free-ports.ts';
import { startDay } from '../day.fixture.ts';
import { buildImage } from '../image.fixture.ts';

// without a Docker engine: the lines of the Dockerfile run in an empty folder outside the repository
test('the worker built from its Dockerfile completes a run, answers health checks, and stops cleanly', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'epa-sync-image-'));
  try {
    const { command, environment } = await buildImage(dir);
    for (const unwanted of [
      'node_modules/aws-cdk-lib',
      'node_modules/vitest',
      'infra',
      'worker/line/line.integration.test.ts',
    ])
      expect(existsSync(join(dir, unwanted)), unwanted).toBe(false);

    await using day = await startDay({ patients: 30, rate: 0.5 });
    const [healthPort = 0] = await freePorts(1);
    const worker = await day.startWorker({ ...environment, HEALTH_PORT: String(healthPort) }, { command, dir });
    const askHealth = () =>
      spawnSync(process.execPath, [join(dir, 'worker', 'ask-health.mjs'), String(healthPort)]).status;
    await expect.poll(askHealth, { timeout: 10_000 }).toBe(0);
    expect(await day.runToEnd()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });

    await worker.stop();
    expect(worker.exitCode).toBe(0);
    expect(askHealth()).toBe(1);
    expect(day.insurer.summary()).toMatchObject({ overlaps: 0, violations: 0 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
