import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startDay } from './day.fixture.ts';
import { openTlsFront } from './temporal-tls.fixture.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);

test('worker and clients reach a Temporal that is not on loopback over TLS, with a client certificate where one is asked for', async () => {
  await using day = await startDay({ patients: 10, rate: 0.5 });
  await using front = await openTlsFront(day.stack.environment['TEMPORAL_ADDRESS'] ?? '');
  const caFile = join(day.stack.dir, 'ca.pem');
  writeFileSync(caFile, front.ca);
  const trusting = { TEMPORAL_ADDRESS: front.address, SSL_CERT_FILE: caFile };
  await expect(day.startWorker(trusting)).rejects.toThrow(/ended before it was ready/);

  const certificate = { TEMPORAL_CLIENT_CERT: front.client.cert, TEMPORAL_CLIENT_KEY: front.client.key };
  await day.startWorker({ ...trusting, ...certificate });
  expect(await day.runToEnd()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });

  /** a client in a process of its own: whom Node trusts is settled when it starts */
  const reach = async (more: Readonly<Record<string, string>>): Promise<string> => {
    const { stack } = day;
    const env = {
      ...process.env,
      ...stack.environment,
      INSURER_ID: 'test',
      NODE_EXTRA_CA_CERTS: caFile,
      ...trusting,
      ...more,
    };
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', askForNamespace], { env, cwd: root });
    return stdout.trim();
  };
  expect(await reach(certificate)).toBe('default');
  await expect(reach({})).rejects.toThrow();
});

const askForNamespace = `
  import { openTemporal } from './core/clients.ts';
  import { clientConfig, readConfig } from './core/config.ts';
  const { workflowService } = openTemporal(readConfig(clientConfig, process.env));
  const { namespaceInfo } = await workflowService.describeNamespace({ namespace: 'default' });
  console.log(namespaceInfo.name);
  process.exit(0);`;
