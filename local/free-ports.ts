import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Below the ports of outgoing connections (Linux: from 32768), which could take a port before its server does. */
const candidates = { first: 15_000, last: 30_999 };

/** Parallel test files use separate slices, because a port counts as free until its server listens. */
const slices = 8;
const sliceSize = (candidates.last + 1 - candidates.first) / slices;
const slice = Number(process.env['VITEST_POOL_ID'] ?? 0) % slices;

/** Returns this many loopback ports that are free, so that several stacks can run at the same time. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = candidates.first + slice * sliceSize + randomInt(sliceSize);
    const server = await listen(port);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map(async (server) => await once(server.close(), 'close')));
  return [...held.keys()];
}

/** Listens on a port. @returns undefined if the port is in use */
const listen = (port: number): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
