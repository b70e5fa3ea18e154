import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { expect, test } from 'vitest';
import { createGateClient, type GateStore, openGate } from './gate.ts';

const region = process.env['AWS_REGION'] ?? 'eu-central-1';
const newId = (): string => `kk-${randomUUID().slice(0, 8)}`;
const open = (insurerId = newId()): GateStore => openGate(createGateClient(region), insurerId);
const leaseMs = 2_000;
const take = { kind: 'take', holder: 'anton', leaseMs } as const;
const olga = { by: 'olga', reason: 'maintenance' };

/** A client whose next write is done, and nobody hears of it; `then` happens before anybody asks again. */
function losingOneAnswer(then: () => Promise<unknown> = async () => {}) {
  const client = createGateClient(region);
  let isLost = false;
  const wasLost = (): boolean => isLost;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const answer = await next(args);
      if (isLost || context['commandName'] !== 'PutItemCommand') return answer;
      isLost = true;
      await then();
      throw new Error('connection lost');
    },
    { step: 'initialize', priority: 'high' },
  );
  return { client, wasLost };
}

test('the gate of a new line is open, nobody holds it, and two who look at once see the same one', async () => {
  const gate = open();
  const [one, two] = await Promise.all([gate.read(), gate.read()]);
  expect(one).toMatchObject({ state: 'open', silent: false, notBefore: 0, busy: false });
  expect(one.holder).toBeUndefined();
  expect(two).toEqual(one);
});

test('of two processes that take the line at once one gets it', async () => {
  const gate = open();
  const seen = await gate.read();
  const outcomes = await Promise.all([gate.attempt(seen, take), gate.attempt(seen, { ...take, holder: 'berta' })]);
  expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(['stale', 'written']);
});

test('a pause gets through while the holder renews', async () => {
  const gate = open();
  await gate.attempt(await gate.read(), take);
  let isPaused = false;
  const renewing = (async () => {
    while (!isPaused) await gate.attempt(await gate.read(), { ...take, kind: 'renew', busy: false });
  })();
  expect(await gate.pause(olga)).toMatchObject({ state: 'paused', silent: false, holder: 'anton', by: 'olga' });
  isPaused = true;
  await renewing;
  expect(await gate.read()).toMatchObject({ state: 'paused', by: 'olga', reason: 'maintenance' });
});

test('a pause whose answer was lost is one pause', async () => {
  const insurerId = newId();
  const before = await open(insurerId).read();
  const { client, wasLost } = losingOneAnswer();
  const paused = await openGate(client, insurerId).pause(olga);
  expect(wasLost()).toBe(true);
  expect(paused).toMatchObject({ state: 'paused', by: 'olga', leaseNumber: before.leaseNumber + 1 });
});

test('a resume whose answer was lost does not lift the pause that came after it', async () => {
  const insurerId = newId();
  const gate = open(insurerId);
  await gate.pause(olga);
  const { client, wasLost } = losingOneAnswer(() => gate.pause({ by: 'otto', reason: 'stop again' }));
  expect(await openGate(client, insurerId).resume(olga)).toMatchObject({ state: 'paused', by: 'otto' });
  expect(wasLost()).toBe(true);
});

test('a pause of a line that nobody holds is confirmed at once, and one of a dead holder after its lease', async () => {
  const never = new AbortController().signal;
  const gate = open();
  await gate.pause(olga);
  expect(await gate.awaitSilence(never, leaseMs)).toMatchObject({ state: 'paused', silent: true });
  await gate.resume(olga);
  await gate.attempt(await gate.read(), take);
  await gate.pause(olga);
  const startMs = performance.now();
  await gate.awaitSilence(never, leaseMs);
  expect(performance.now() - startMs).toBeGreaterThan(leaseMs);
});

test('who waits for silence is told when the line is resumed meanwhile, and can give up', async () => {
  const gate = open();
  await gate.attempt(await gate.read(), take);
  await gate.pause(olga);
  const waiting = expect(gate.awaitSilence(new AbortController().signal, leaseMs)).rejects.toMatchObject({
    fault: 'resumed',
  });
  await gate.resume(olga);
  await waiting;
  await gate.pause(olga);
  await expect(gate.awaitSilence(AbortSignal.timeout(50), leaseMs)).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('a database that does not answer costs a second, not the lease', async () => {
  const sockets = new Set<Socket>();
  const deaf = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const { port } = deaf.address() as AddressInfo;
  const client = new DynamoDBClient({ region, endpoint: `http://127.0.0.1:${port}`, maxAttempts: 1 });
  const startMs = performance.now();
  await expect(openGate(DynamoDBDocumentClient.from(client), newId()).read()).rejects.toMatchObject({
    fault: 'unavailable',
  });
  expect(performance.now() - startMs).toBeLessThan(1_500);
  deaf.close();
  for (const socket of sockets) socket.destroy();
});
