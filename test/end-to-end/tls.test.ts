import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startConnectProxy } from '../../worker/line/connect-proxy.fixture.ts';
import { startDay } from '../day.fixture.ts';
import { openTlsFront } from '../tls.fixture.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));

test('worker and clients reach a Temporal outside loopback over TLS, with a client certificate if required', async () => {
  await using day = await startDay({ patients: 10, rate: 0.5 });
  await using front = await openTlsFront(day.stack.environment['TEMPORAL_ADDRESS'] ?? '', 'h2', true);
  const caFile = join(day.stack.dir, 'ca.pem');
  writeFileSync(caFile, front.ca);
  const trusting = { TEMPORAL_ADDRESS: front.address, SSL_CERT_FILE: caFile };
  await expect(day.startWorker(trusting)).rejects.toThrow(/ended before it was ready/);

  const certificate = { TEMPORAL_CLIENT_CERT: front.client.cert, TEMPORAL_CLIENT_KEY: front.client.key };
  await day.startWorker({ ...trusting, ...certificate });
  expect(await day.runToEnd()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });

  /** Starts a client in a new process, because gRPC reads its trusted authorities at start. */
  const reach = async (more: Readonly<Record<string, string>>): Promise<string> => {
    const { stack } = day;
    const env = {
      ...process.env,
      ...stack.environment,
      INSURER_ID: 'test',
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: caFile,
      ...trusting,
      ...more,
    };
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', askForNamespace], { env, cwd: root });
    return stdout.trim();
  };
  expect(await reach(certificate)).toBe('default');
  await expect(reach({})).rejects.toThrow();
});

test('an insurer is reached over TLS, one request at a time, but not with an untrusted certificate', async () => {
  await using day = await startDay({ patients: 10, rate: 0.8 });
  const { host } = new URL(day.insurer.baseUrl);
  await using front = await openTlsFront(host, 'http/1.1', false);
  const caFile = join(day.stack.dir, 'ca.pem');
  writeFileSync(caFile, front.ca);
  const INSURER_BASE_URL = `https://${front.address}`;
  const distrusting = await day.startWorker({ INSURER_BASE_URL });
  await day.sync.start();
  await front.visited(3);
  expect(day.insurer.summary()).toMatchObject({ requests: 0 });
  await distrusting.stop();

  await day.startWorker({ INSURER_BASE_URL, NODE_EXTRA_CA_CERTS: caFile });
  expect(await day.ended()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });
  expect(day.insurer.summary()).toMatchObject({ overlaps: 0, beforeRetryAfter: 0, violations: 0 });
});

test('an insurer that demands a client certificate is reached through a proxy, one request at a time', async () => {
  await using day = await startDay({ patients: 10, rate: 0.8 });
  const { host } = new URL(day.insurer.baseUrl);
  await using front = await openTlsFront(host, 'http/1.1', true);
  await using proxy = await startConnectProxy();
  await day.startWorker({
    INSURER_BASE_URL: `https://${front.address}`,
    INSURER_CLIENT_CERT: front.client.cert,
    INSURER_CLIENT_KEY: front.client.key,
    INSURER_CA: front.ca,
    INSURER_PROXY_URL: `http://user:word@${proxy.host}`,
  });
  expect(await day.runToEnd()).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });
  expect(day.insurer.summary()).toMatchObject({ overlaps: 0, beforeRetryAfter: 0, violations: 0 });
  expect(new Set(proxy.asked.map(({ what }) => what))).toEqual(new Set([`CONNECT ${front.address}`]));
});

const askForNamespace = `
  import { openTemporal } from './core/temporal/connection.ts';
  import { clientConfig, readConfig } from './core/config.ts';
  const { workflowService } = openTemporal(readConfig(clientConfig, process.env));
  const { namespaceInfo } = await workflowService.describeNamespace({ namespace: 'default' });
  console.log(namespaceInfo.name);
  process.exit(0);`;
