import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { startConnectProxy } from './connect-proxy.fixture.ts';
import { openExchange } from './exchange.ts';
import { connectionsVia } from './insurer-connection.ts';
import { openLine } from './line.ts';
import { LineWithheld } from './line-error.ts';
import type { Order } from './messages.ts';
import { httpAnswer, startRawInsurer } from './raw-insurer.fixture.ts';
import { SendPermit } from './send-permit.ts';

const never = new AbortController().signal;
const request = { operation: 'care-records', path: '/patients/x/care-records', headers: {} } as const;
/** longer than each test: a connection that the permit does not close stays open */
const stallMs = 60_000;
/** Time limit of a test in ms, shorter than the 4 s after which an idle connection closes by itself. */
const timeout = 3_000;

/** A real send permit, whose orders come from the test. */
function startPermit() {
  let orders = 0;
  let reported = Promise.withResolvers<void>();
  const permit = new SendPermit({
    tell: (message) => {
      if (message.kind === 'report' && message.orderNumber === orders && message.isClosed) reported.resolve();
    },
    writeCooldown: async () => 0,
    pauseGraceMs: 5_000,
    lineMinGapMs: 0,
    onStuck: () => {
      throw new Error('a socket did not close');
    },
    onLeaseLost: () => {},
  });
  return {
    permit,
    /** resolves once the last order is reported closed */
    get reportsClosed(): Promise<void> {
      return reported.promise;
    },
    obey(order: Partial<Order> = {}): void {
      orders += 1;
      reported = Promise.withResolvers();
      const sendUntilMs = systemClock.monotonicMs() + 60_000;
      const open = { sendUntilMs, isPaused: false, cooldownUntilMs: 0, liftNumber: 0, mustStop: false };
      permit.obey({ kind: 'order', number: orders, leaseNumber: 1, ...open, ...order });
    },
  };
}

async function startLine({
  scheme = 'http',
  proxyUrl,
}: {
  readonly scheme?: 'http' | 'https';
  readonly proxyUrl?: string;
} = {}) {
  const insurer = await startRawInsurer(async ({ path, socket }) => {
    if (!path.endsWith('hang')) socket.write(httpAnswer(200, '{}'));
  });
  const it = startPermit();
  it.obey();
  const line = openLine({
    origin: insurer.baseUrl.replace('http', scheme),
    permit: it.permit,
    stallMs,
    openConnection: connectionsVia({ proxyUrl }),
  });
  const fetch = (path: string = request.path): Promise<number> =>
    line.perform(
      'bulk',
      { ...request, path },
      async ({ status, body }) => {
        for await (const _ of body);
        return status;
      },
      never,
    );
  return {
    ...{ insurer, line, fetch, permit: it.permit, obey: it.obey },
    get reportsClosed() {
      return it.reportsClosed;
    },
    async [Symbol.asyncDispose]() {
      await line.close();
      await insurer[Symbol.asyncDispose]();
    },
  };
}

const endings = {
  'a pause': { isPaused: true },
  'the end of the lease': { sendUntilMs: 0 },
  'a shutdown': { mustStop: true },
};

for (const [ending, order] of Object.entries(endings)) {
  test(`${ending} closes an idle connection before it is reported closed`, { timeout }, async () => {
    await using it = await startLine();
    expect(await it.fetch()).toBe(200);
    expect(it.insurer.openConnections).toBe(1);
    it.obey(order);
    await it.reportsClosed;
    await it.insurer.allClose();
    it.obey();
    expect(await it.fetch()).toBe(200);
    expect(it.insurer.connections).toBe(2);
  });

  test(`${ending} closes a connection in the TLS handshake, and its request waits without a fault`, {
    timeout,
  }, async () => {
    await using it = await startLine({ scheme: 'https' }); // the insurer never answers the handshake
    let ended: unknown;
    const fetched = it.fetch().catch((error: unknown) => {
      ended = error;
    });
    await it.insurer.connectionArrives(1);
    it.obey(order);
    await it.reportsClosed;
    await it.insurer.allClose();
    expect(ended).toBeUndefined();
    it.obey();
    await it.insurer.connectionArrives(2);
    await it.line.close();
    await fetched;
  });
}

for (const [ending, order] of Object.entries(endings)) {
  test(`${ending} closes a connection whose proxy has not answered, and its request waits without a fault`, {
    timeout,
  }, async () => {
    await using proxy = await startConnectProxy('hang');
    await using it = await startLine({ proxyUrl: `http://${proxy.host}` });
    let ended: unknown;
    const fetched = it.fetch().catch((error: unknown) => {
      ended = error;
    });
    await proxy.requestArrives(1);
    it.obey(order);
    await it.reportsClosed;
    await proxy.allClose();
    expect(ended).toBeUndefined();
    it.obey();
    await proxy.requestArrives(2);
    await it.line.close();
    await fetched;
  });

  test(`${ending} closes an idle tunnel, and one in the TLS handshake`, { timeout }, async () => {
    for (const scheme of ['http', 'https'] as const) {
      await using proxy = await startConnectProxy();
      await using it = await startLine({ scheme, proxyUrl: `http://${proxy.host}` });
      const fetched = it.fetch().catch(() => {});
      await it.insurer.connectionArrives(1);
      if (scheme === 'http') await fetched;
      it.obey(order);
      await it.reportsClosed;
      await proxy.allClose();
      await it.line.close();
      await fetched;
    }
  });
}

test('the permit closes an idle connection by its own clock when the lease ends', { timeout }, async () => {
  await using it = await startLine();
  it.obey({ sendUntilMs: systemClock.monotonicMs() + 150 });
  expect(await it.fetch()).toBe(200);
  await it.reportsClosed;
  await it.insurer.allClose();
});

test('a request in flight may end within the grace of a pause, and then its connection is closed', {
  timeout,
}, async () => {
  await using it = await startLine();
  const fetched = it.fetch('/hang');
  const { socket } = await it.insurer.requestArrives(1);
  it.obey({ isPaused: true });
  socket.write(httpAnswer(200, '{}'));
  expect(await fetched).toBe(200);
  await it.reportsClosed;
  await it.insurer.allClose();
});

test('a request immediately after a pause and a resume waits until the old connection is closed', {
  timeout,
}, async () => {
  await using it = await startLine();
  await it.fetch();
  it.obey({ isPaused: true });
  it.obey();
  expect(await it.fetch()).toBe(200);
  expect(it.insurer.connections).toBe(2);
});

test('a cooldown keeps an idle connection', async () => {
  await using it = await startLine();
  await it.fetch();
  it.obey({ cooldownUntilMs: systemClock.monotonicMs() + 100 });
  await it.fetch();
  expect(it.insurer.connections).toBe(1);
});

test('no connection is opened without a permission', async () => {
  await using insurer = await startRawInsurer();
  const { permit, obey } = startPermit();
  obey({ isPaused: true });
  const exchange = openExchange({ origin: insurer.baseUrl, permit, stallMs });
  await expect(exchange.perform(request, async () => {}, never)).rejects.toBeInstanceOf(LineWithheld);
  await exchange.close();
  expect(insurer.connections).toBe(0);
});

test.skipIf(!existsSync('/proc/net/tcp'))(
  'a pause closes a socket that still waits for the answer to its SYN',
  async () => {
    await using full = await startFullInsurer();
    const it = startPermit();
    it.obey();
    const line = openLine({ origin: `http://127.0.0.1:${full.port}`, permit: it.permit, stallMs });
    const fetched = line.perform('bulk', request, async () => {}, never).catch(() => {});
    await expect.poll(() => connectingTo(full.port)).toBe(1);
    it.obey({ isPaused: true });
    await it.reportsClosed;
    expect(connectingTo(full.port)).toBe(0);
    await line.close();
    await fetched;
  },
);

/** Returns the number of sockets to a port on loopback whose SYN has no answer, as Linux knows them. */
const connectingTo = (port: number): number =>
  readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , to, state]) => to?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) && state === '02')
    .length;

/** Starts a server that accepts no connection, and fills the queue of its kernel. */
async function startFullInsurer() {
  const thread = new Worker(
    `const { createServer } = require('node:net');
     const { parentPort } = require('node:worker_threads');
     const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
     });`,
    { eval: true },
  );
  const [port] = (await once(thread, 'message')) as [number];
  const waiting = [1, 2].map(() => connect({ port, host: '127.0.0.1' }));
  await Promise.all(waiting.map((socket) => once(socket, 'connect')));
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of waiting) socket.destroy();
      await thread.terminate();
    },
  };
}
