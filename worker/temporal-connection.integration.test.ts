import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { connectToTemporal } from './temporal-connection.ts';

/** gRPC's status OK, and an empty message: one byte for the compression, four for the length. */
const emptyAnswer = Buffer.alloc(5);

test('a worker sends requests to Temporal without gzip, and asks for answers without it', async () => {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer();
  server.on('stream', (stream, headers) => {
    seen.push(headers);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(emptyAnswer);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const connection = await connectToTemporal({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    await connection.close();
  } finally {
    server.close();
  }
  expect(seen).toMatchObject([{ ':path': expect.stringMatching(/GetSystemInfo$/) }]);
  expect(seen[0]).not.toHaveProperty('grpc-encoding');
  expect(seen[0]).not.toHaveProperty('grpc-accept-encoding');
});
