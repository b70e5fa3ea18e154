import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { openTlsFront } from '../../test/tls.fixture.ts';
import { startConnectProxy } from './connect-proxy.fixture.ts';
import { type ExchangeAnswer, openExchange } from './exchange.ts';
import { connectionsVia } from './insurer-connection.ts';
import type { InsurerRoute } from './open-socket.ts';
import { httpAnswer, type RawInsurer, startRawInsurer, testPermit } from './raw-insurer.fixture.ts';

const never = new AbortController().signal;
const request = { operation: 'care-records', path: '/patients/x/care-records', headers: {} } as const;
const host = ({ baseUrl }: RawInsurer): string => new URL(baseUrl).host;

function startExchange(origin: string, route: InsurerRoute, stallMs = 2_000) {
  const permit = testPermit();
  const exchange = openExchange({ origin, permit, stallMs, openConnection: connectionsVia(route) });
  return {
    permit,
    fetch: () => exchange.perform(request, readStatus, never),
    [Symbol.asyncDispose]: () => exchange.close(),
  };
}

async function readStatus({ status, body }: ExchangeAnswer): Promise<number> {
  for await (const _ of body);
  return status;
}

const startInsurer = () => startRawInsurer(({ socket }) => void socket.write(httpAnswer(200, '{}')));

test('an insurer that demands a client certificate is reached with one, over one connection', async () => {
  await using insurer = await startInsurer();
  await using front = await openTlsFront(host(insurer), 'http/1.1', true);
  await using it = startExchange(`https://${front.address}`, { ...front.client, ca: front.ca });
  expect([await it.fetch(), await it.fetch()]).toEqual([200, 200]);
  expect(insurer.connections).toBe(1);
  expect(insurer.seen[0]?.headers['host']).toBe(front.address);
});

test('without a client certificate, such an insurer sees no request', async () => {
  await using insurer = await startInsurer();
  await using front = await openTlsFront(host(insurer), 'http/1.1', true);
  await using it = startExchange(`https://${front.address}`, { ca: front.ca });
  await expect(it.fetch()).rejects.toMatchObject({ name: 'LineError', fault: 'reset' }); // in TLS 1.3, after the handshake
  expect(insurer.seen).toEqual([]);
});

test('an insurer whose certificate another authority has signed is refused, also if Node.js trusts it', async () => {
  await using insurer = await startInsurer();
  await using front = await openTlsFront(host(insurer), 'http/1.1', false);
  await using other = await openTlsFront(host(insurer), 'http/1.1', false);
  for (const ca of [undefined, other.ca]) {
    await using it = startExchange(`https://${front.address}`, { ca });
    await expect(it.fetch()).rejects.toMatchObject({
      fault: 'refused',
      context: { problem: expect.stringMatching(/CERT|SIGNATURE/) },
    });
  }
  expect(insurer.connections).toBe(0);
});

test.each(['http', 'https'])('an %s insurer is reached through a proxy, over one tunnel', async (scheme) => {
  await using insurer = await startInsurer();
  await using front = await openTlsFront(host(insurer), 'http/1.1', true);
  await using proxy = await startConnectProxy();
  const address = scheme === 'http' ? host(insurer) : front.address;
  const route = { ...front.client, ca: front.ca, proxyUrl: `http://k%C3%A4the:p%40ss@${proxy.host}` };
  await using it = startExchange(`${scheme}://${address}`, route);
  expect([await it.fetch(), await it.fetch()]).toEqual([200, 200]);
  expect(insurer.seen.map(({ path }) => path)).toEqual([request.path, request.path]);
  expect(insurer.connections).toBe(1);
  expect(proxy.asked.map(({ what }) => what)).toEqual([`CONNECT ${address}`]);
  const credentials = Buffer.from('käthe:p@ss').toString('base64');
  expect(proxy.asked[0]?.headers['proxy-authorization']).toBe(`Basic ${credentials}`);
  expect(insurer.seen[0]?.headers).not.toHaveProperty('proxy-authorization');
});

test('a proxy without a user gets no credentials', async () => {
  await using insurer = await startInsurer();
  await using proxy = await startConnectProxy();
  await using it = startExchange(insurer.baseUrl, { proxyUrl: `http://${proxy.host}` });
  expect(await it.fetch()).toBe(200);
  expect(proxy.asked[0]?.headers).not.toHaveProperty('proxy-authorization');
});

test.each([
  ['answers 407', 'HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0', 'proxy answered 407'],
  [
    'answers 502',
    'HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>',
    'proxy answered 502',
  ],
  ['is no proxy', 'SSH-2.0-x', 'proxy: HPE_INVALID_CONSTANT'],
  ['closes the connection', 'close', 'proxy: ECONNRESET'],
  ['never answers', 'hang', 'proxy: no answer in time'],
  ['answers and sends more', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK', 'proxy: unrequested bytes'],
])('a proxy that %s gives the fault refused, with the reason', async (_what, answer, problem) => {
  await using insurer = await startInsurer();
  await using proxy = await startConnectProxy(answer);
  await using it = startExchange(insurer.baseUrl, { proxyUrl: `http://${proxy.host}` }, 300);
  await expect(it.fetch()).rejects.toMatchObject({ fault: 'refused', context: { problem } });
  await proxy.allClose();
  expect(insurer.connections).toBe(0);
  expect(it.permit.ends).toEqual([]);
});

test('a proxy that is not there gives the fault refused', async () => {
  const proxy = await startConnectProxy();
  await proxy[Symbol.asyncDispose]();
  await using it = startExchange('http://127.0.0.1:1', { proxyUrl: `http://${proxy.host}` });
  await expect(it.fetch()).rejects.toMatchObject({ fault: 'refused', context: { problem: 'ECONNREFUSED' } });
});

test('the time limit for connecting covers proxy and TLS handshake together', async () => {
  await using silent = await startSilentServer();
  await using proxy = await startConnectProxy();
  await using it = startExchange(`https://127.0.0.1:${silent.port}`, { proxyUrl: `http://${proxy.host}` }, 300);
  await expect(it.fetch()).rejects.toMatchObject({ fault: 'refused', context: { problem: 'TLS: no answer in time' } });
  await proxy.allClose();
});

test('a tunnel that the proxy has closed is not used again', async () => {
  await using insurer = await startRawInsurer(({ socket }, number) => {
    socket.write(httpAnswer(200, '{}'));
    if (number === 1) socket.end();
  });
  await using proxy = await startConnectProxy();
  await using it = startExchange(insurer.baseUrl, { proxyUrl: `http://${proxy.host}` });
  await it.fetch();
  await proxy.allClose();
  expect(await it.fetch()).toBe(200);
  expect(proxy.asked).toHaveLength(2);
});

test('an insurer with two addresses of which the first does not answer is reached at the second, within a short limit', async () => {
  await using insurer = await startInsurer();
  const port = Number(new URL(insurer.baseUrl).port);
  await using _deaf = await startDeafServer('127.0.0.2', port);
  const asked: unknown[] = [];
  using _lookup = vi.spyOn(dns, 'lookup').mockImplementation(((name: string, _options: unknown, tell: Tell) => {
    asked.push(name);
    tell(
      null,
      ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 })),
    );
  }) as never);
  await using it = startExchange(`http://insurer.test:${port}`, {}, 200);
  expect(await it.fetch()).toBe(200);
  expect(asked).toEqual(['insurer.test']);
  expect(insurer.connections).toBe(1);
});
type Tell = (error: null, addresses: readonly { address: string; family: number }[]) => void;

test('a request that cannot be written fails, and the next one is sent', async () => {
  await using insurer = await startInsurer();
  const permit = testPermit();
  const exchange = openExchange({ origin: insurer.baseUrl, permit, stallMs: 2_000 });
  const send = (headers: Record<string, string>) => exchange.perform({ ...request, headers }, readStatus, never);
  await expect(send({ x: 'a\nb' })).rejects.toMatchObject({
    fault: 'refused',
    context: { problem: 'ERR_INVALID_CHAR' },
  });
  expect(insurer.seen).toEqual([]);
  expect(await send({ x: 'a' })).toBe(200);
  await exchange.close();
});

test('interim answers without end do not hold the line for ever', async () => {
  await using insurer = await startRawInsurer(async ({ socket, closed }) => {
    const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 20);
    await closed;
    clearInterval(timer);
  });
  await using it = startExchange(insurer.baseUrl, {}, 100);
  await expect(it.fetch()).rejects.toMatchObject({ fault: 'stalled', context: { problem: 'no final status' } });
  expect(it.permit.ends).toEqual([{ needsRest: true }]);
});

/** Starts a server whose machine answers no SYN: its process accepts nothing, and its backlog is full. */
async function startDeafServer(host: string, port: number) {
  const listens = `require('node:net').createServer().listen({ host: '${host}', port: ${port}, backlog: 1 }, () => {
    require('node:fs').writeSync(1, 'listens');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  })`;
  const server = spawn(process.execPath, ['-e', listens], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  const waiting: Socket[] = [];
  for (let isHeard = true; isHeard; ) {
    const socket = connect(port, host).on('error', () => {});
    waiting.push(socket);
    isHeard = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 200, false)),
    ]);
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of waiting) socket.destroy();
      server.kill('SIGKILL');
      await once(server, 'exit');
    },
  };
}

/** Starts a server that accepts connections and sends nothing. */
async function startSilentServer() {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { port, [Symbol.asyncDispose]: async () => void server.close() };
}
