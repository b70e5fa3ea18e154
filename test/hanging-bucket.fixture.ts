import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A proxy to the bucket in which the reads of a list's shards can hang. Everything else passes. */
export interface HangingBucket extends AsyncDisposable {
  readonly url: string;
  /** From now on, reads of shards hang. */
  hang(): void;
  /** Resolves once this many reads have hung. */
  hanging(count: number): Promise<void>;
  goOn(): void;
}

/** @param target the bucket's endpoint, http://HOST:PORT */
export async function startHangingBucket(target: string): Promise<HangingBucket> {
  const { hostname, port } = new URL(target);
  let released: PromiseWithResolvers<void> | undefined;
  let hung = 0;
  const server = createServer((incoming, answer) => {
    const pass = (): void => {
      const { method, url: path, headers } = incoming;
      const sent = request({ hostname, port, method, path, headers }, (reply) => {
        answer.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(answer);
      });
      sent.on('error', () => answer.destroy());
      incoming.pipe(sent);
    };
    const isShard = incoming.method === 'GET' && (incoming.url ?? '').includes('/shards/');
    if (released === undefined || !isShard) return pass();
    hung += 1;
    void released.promise.then(pass);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hang() {
      released = Promise.withResolvers();
    },
    async hanging(count) {
      while (hung < count) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    goOn() {
      released?.resolve();
      released = undefined;
    },
    async [Symbol.asyncDispose]() {
      released?.resolve();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
