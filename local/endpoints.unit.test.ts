import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { replaceIds } from './dev-environment.ts';
import { type Endpoints, findRunningStack, publishEndpoints, takeLock, updateProcesses } from './endpoints.ts';
import { ensureKeys } from './keys.ts';
import { pathsIn } from './settings.ts';

const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'epa-sync-endpoints-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};
const endpoints: Endpoints = {
  api: 'http://127.0.0.1:9020/api',
  console: 'http://127.0.0.1:9030/',
  temporal: '127.0.0.1:9010',
  temporalNamespace: 'default',
  aws: 'http://127.0.0.1:9020',
  insurer: 'http://127.0.0.1:9080',
  oidcIssuer: 'http://127.0.0.1:9090',
  processes: { worker: [1], line: [2] },
};
const processesIn = (dir: string) => (JSON.parse(readFileSync(pathsIn(dir).endpoints, 'utf8')) as Endpoints).processes;

test('workers that are added and replaced at the same time are all listed', async () => {
  const dir = newDir();
  publishEndpoints(dir, endpoints, { pid: process.pid, environment: {} });
  await Promise.all([
    updateProcesses(dir, replaceIds({ worker: 1, line: 2 }, { worker: 11, line: 12 })),
    ...Array.from({ length: 8 }, (_, index) =>
      updateProcesses(dir, replaceIds(undefined, { worker: 100 + index, line: undefined })),
    ),
  ]);
  expect(processesIn(dir).worker.toSorted((a, b) => a - b)).toEqual([11, 100, 101, 102, 103, 104, 105, 106, 107]);
  expect(processesIn(dir).line).toEqual([12]);
});

test('a replaced line process is listed once', async () => {
  const dir = newDir();
  publishEndpoints(dir, endpoints, { pid: process.pid, environment: {} });
  await updateProcesses(dir, replaceIds({ worker: 1, line: 2 }, { worker: 1, line: 3 }));
  await updateProcesses(dir, replaceIds(undefined, { worker: 1, line: 3 }));
  expect(processesIn(dir)).toEqual({ worker: [1], line: [3] });
});

test('the files of a dead stack do not count as a running stack', () => {
  const dir = newDir();
  publishEndpoints(dir, endpoints, { pid: 999_999_999, environment: {} });
  writeFileSync(pathsIn(dir).lock, '999999999');
  expect(findRunningStack(dir)).toBeUndefined();
  expect(takeLock(dir)).toBeUndefined();
});

test('only the owner can read the files that contain keys', () => {
  const dir = newDir();
  publishEndpoints(dir, endpoints, { pid: process.pid, environment: { PSEUDONYM_KEY: 'k' } });
  const keys = ensureKeys(pathsIn(dir).keys, false);
  expect(ensureKeys(pathsIn(dir).keys, false)).toEqual(keys);
  for (const file of [pathsIn(dir).stack, pathsIn(dir).workerEnvironment, pathsIn(dir).keys])
    expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a value of several lines is one line of the environment for docker compose', () => {
  const dir = newDir();
  const environment = { INSURER_CLIENT_CERT: '-----BEGIN\nMIIB\n-----END\n', INSURER_ID: 'demo' };
  publishEndpoints(dir, endpoints, { pid: process.pid, environment });
  expect(readFileSync(pathsIn(dir).workerEnvironment, 'utf8')).toBe(
    'INSURER_CLIENT_CERT="-----BEGIN\\nMIIB\\n-----END\\n"\nINSURER_ID=demo\n',
  );
});
