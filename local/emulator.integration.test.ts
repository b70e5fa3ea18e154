import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { callApi } from '../test/api.fixture.ts';
import { startTestStack } from '../test/stack.ts';

const run = promisify(execFile);

/** Returns how many Lambda processes an emulator has started: they inherit its port. */
async function lambdaProcesses(endpoint: string): Promise<number> {
  const { stdout } = await run('ps', ['axeww', '-o', 'command='], { maxBuffer: 100_000_000 });
  const ofEmulator = stdout.split('\n').filter((line) => line.includes(` GATEWAY_PORT=${new URL(endpoint).port} `));
  return ofEmulator.filter((line) => /^\S*node\b/.test(line)).length;
}

test('twenty calls of a Lambda wait for each other, and do not start twenty processes', async () => {
  await using stack = await startTestStack({ api: true });
  const call = async () => await callApi(stack.api?.url ?? '', 'readDocument', { params: { token: 'a.b.c.d.e' } });
  const { status } = await call();
  const answers = await Promise.all(Array.from({ length: 20 }, call));
  expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => status));
  const processes = await lambdaProcesses(stack.environment['AWS_ENDPOINT_URL'] ?? '');
  expect(processes).toBeGreaterThan(0);
  expect(processes).toBeLessThanOrEqual(4); // local/emulator.py, PROCESSES_MAX
}, 120_000);

test('the answer to a preflight ends with its headers, so that the next answer on the connection is understood', async () => {
  await using stack = await startTestStack({ api: true });
  const { hostname, port, pathname } = new URL(`${stack.api?.url}/sync`);
  const headers = `Host: ${hostname}\r\nOrigin: ${stack.api?.consoleOrigin}\r\nAccess-Control-Request-Method: POST`;
  const socket = connect(Number(port), hostname);
  socket.write(`OPTIONS ${pathname} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 204 .*\r\n\r\n$/s);
}, 120_000);
