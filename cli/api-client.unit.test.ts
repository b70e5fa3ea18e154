import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { findApi } from './api-client.ts';

/** Starts an API that answers everything with a problem, and returns the error of the client. */
async function errorOf(status: number, problem: string, detail?: string): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ type: `urn:epa-sync:problem:${problem}`, title: 'No', status, detail }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  const API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await findApi({ API_URL, EPA_SYNC_TOKEN: 'token' }, 'operator')
    .get('/line')
    .catch((thrown: unknown) => thrown);
  return (error as Error).message;
}

test('what the API says in detail replaces the advice for its problem', async () => {
  expect(await errorOf(403, 'forbidden')).toBe('no. npm run sync -- --help lists the role of each command.');
  expect(await errorOf(403, 'forbidden', 'You are in too many groups.')).toBe('no. You are in too many groups.');
  expect(await errorOf(422, 'payload-unreadable')).toBe('no.');
});
