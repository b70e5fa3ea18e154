import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { defaultDeployment } from '../contract/deployment.ts';
import { openStores, patiently, promptly } from './open-stores.ts';

/** Starts a server that accepts connections and never answers. */
async function startSilentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).resume());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test.each([
  ['the socket is silent', { ...patiently.requestHandler, socketTimeout: 100 }],
  ['the answer is late', { ...patiently.requestHandler, requestTimeout: 100 }],
])('a call to a bucket or table that hangs fails when %s for too long', async (_when, requestHandler) => {
  await using server = await startSilentServer();
  for (const service of ['S3', 'DYNAMODB']) vi.stubEnv(`AWS_ENDPOINT_URL_${service}`, server.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const stores = openStores(
    { AWS_REGION: 'eu-central-1', BUCKET_NAME: 'data', ANCHOR_BUCKET_NAME: 'anchors', DEPLOYMENT: defaultDeployment },
    { ...patiently, maxAttempts: 1, requestHandler },
  );
  onTestFinished(stores.close);
  const inTime = { name: 'TimeoutError' };
  await expect(stores.lists.putSegment('l1', 1, Buffer.alloc(8 * 1024 * 1024))).rejects.toMatchObject(inTime);
  await expect(stores.patients.get('ref')).rejects.toMatchObject(inTime);
});

test('without other limits, no call can hang for ever', async () => {
  const stores = openStores({
    AWS_REGION: 'eu-central-1',
    BUCKET_NAME: 'data',
    ANCHOR_BUCKET_NAME: 'anchors',
    DEPLOYMENT: defaultDeployment,
  });
  const requestHandler = stores.bucket.s3.config.requestHandler as unknown as {
    handle(request: unknown): Promise<unknown>;
    httpHandlerConfigs(): object;
  };
  await requestHandler.handle({}).catch(() => {}); // the handler reads its limits with the first call
  expect(requestHandler.httpHandlerConfigs()).toMatchObject(patiently.requestHandler);
  expect(patiently.requestHandler.requestTimeout).toBeGreaterThan(promptly.requestHandler.requestTimeout);
  stores.close();
});
