import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { openTlsFront } from '../../test/tls.fixture.ts';
import { startConnectProxy } from './connect-proxy.fixture.ts';
import { openExchange } from './exchange.ts';
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
    fetch: () =>
      exchange.perform(
        request,
        async ({ status, body }) => {
          for await (const _ of body);
          return status;
        },
        never,
      ),
    [Symbol.asyncDispose]: () => exchange.close(),
  };
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

/** Starts a server that accepts connections and sends nothing. */
async function startSilentServer() {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { port, [Symbol.asyncDispose]: async () => void server.close() };
}
