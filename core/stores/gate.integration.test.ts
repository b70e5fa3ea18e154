import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
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
const never = new AbortController().signal;
/** Changes the line as an operator does: reads it, then sends a command for the state that was read. */
const pauseNow = async (gate: GateStore, who = olga) =>
  await gate.pause({ ...who, seen: (await gate.read()).changeNumber });
const resumeNow = async (gate: GateStore, who = olga) =>
  await gate.resume({ ...who, seen: (await gate.read()).changeNumber });

/** A client whose next write succeeds, but its answer is lost. Calls `then` before the next call. */
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

test('the gate of a new line is open and has no holder, and two concurrent readers see the same gate', async () => {
  const gate = open();
  const [one, two] = await Promise.all([gate.read(), gate.read()]);
  expect(one).toMatchObject({ state: 'open', silent: false, cooldownMs: 0, changeNumber: 0, outbox: [], busy: false });
  expect(one.holder).toBeUndefined();
  expect(two).toEqual(one);
});

test('if two processes take the line at the same time, one succeeds', async () => {
  const gate = open();
  const seen = await gate.read();
  const outcomes = await Promise.all([gate.attempt(seen, take), gate.attempt(seen, { ...take, holder: 'berta' })]);
  expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(['stale', 'written']);
});

test('a silent line keeps its silentSince across holders, until it is resumed', async () => {
  const gate = open();
  await gate.attempt(await gate.read(), take);
  expect(await pauseNow(gate)).not.toHaveProperty('silentSince'); // a request may be in flight
  const beforeMs = Date.now();
  await gate.attempt(await gate.read(), { kind: 'say-silent', holder: 'anton' });
  const { silentSince = '' } = await gate.read();
  expect(Date.parse(silentSince)).toBeGreaterThanOrEqual(beforeMs);
  expect(Date.parse(silentSince)).toBeLessThanOrEqual(Date.now());
  await gate.attempt(await gate.read(), { kind: 'release', holder: 'anton' });
  await gate.attempt(await gate.read(), { ...take, holder: 'berta' });
  expect(await gate.read()).toMatchObject({ holder: 'berta', silent: true, silentSince });
  await resumeNow(gate);
  expect(await gate.read()).not.toHaveProperty('silentSince');
});

test('a pause succeeds while the holder renews', async () => {
  const gate = open();
  await gate.attempt(await gate.read(), take);
  let isPaused = false;
  const renewing = (async () => {
    while (!isPaused) await gate.attempt(await gate.read(), { ...take, kind: 'renew', busy: false });
  })();
  expect(await pauseNow(gate)).toMatchObject({ state: 'paused', silent: false, holder: 'anton', by: 'olga' });
  isPaused = true;
  await renewing;
  expect(await gate.read()).toMatchObject({ state: 'paused', by: 'olga', reason: 'maintenance' });
});

test('a pause whose answer was lost is written once', async () => {
  const insurerId = newId();
  const before = await open(insurerId).read();
  const { client, wasLost } = losingOneAnswer();
  const paused = await openGate(client, insurerId).pause({ ...olga, seen: 0 });
  expect(wasLost()).toBe(true);
  expect(paused).toMatchObject({ state: 'paused', by: 'olga', leaseNumber: before.leaseNumber + 2 }); // written once, then found
  expect(paused.outbox).toHaveLength(1);
});

test('the reasons of two operators who pause at the same time are both stored, and one resume ends them', async () => {
  const gate = open();
  await gate.read();
  const otto = { by: 'otto', reason: 'the modem' };
  await Promise.all([gate.pause({ ...olga, seen: 0 }), gate.pause({ ...otto, seen: 0 })]);
  const { openReasons, outbox } = await gate.read();
  expect(openReasons?.map(({ by, reason }) => ({ by, reason }))).toEqual(expect.arrayContaining([olga, otto]));
  expect(outbox.map(({ number }) => number)).toEqual([1, 2]);
  await resumeNow(gate);
  expect(await gate.read()).not.toHaveProperty('openReasons');
});

test('a second pause whose answer was lost is recorded once', async () => {
  const insurerId = newId();
  await pauseNow(open(insurerId));
  const { client, wasLost } = losingOneAnswer();
  const { openReasons, outbox } = await openGate(client, insurerId).pause({ by: 'otto', reason: 'the modem', seen: 1 });
  expect(wasLost()).toBe(true);
  expect(openReasons).toHaveLength(2);
  expect(outbox).toHaveLength(2);
});

test('a resume whose answer was lost does not lift a later pause', async () => {
  const insurerId = newId();
  const gate = open(insurerId);
  await pauseNow(gate);
  const { client, wasLost } = losingOneAnswer(() => pauseNow(gate, { by: 'otto', reason: 'stop again' }));
  const resuming = openGate(client, insurerId).resume({ ...olga, seen: 1 });
  await expect(resuming).rejects.toMatchObject({ fault: 'superseded' });
  expect(await gate.read()).toMatchObject({ state: 'paused', by: 'otto' });
  expect(wasLost()).toBe(true);
});

test('a pause is confirmed immediately without a holder, and after the lease of a dead holder', async () => {
  const gate = open();
  await pauseNow(gate);
  expect(await gate.awaitSilence(never)).toMatchObject({ state: 'paused', silent: true });
  await resumeNow(gate);
  await gate.attempt(await gate.read(), take);
  await pauseNow(gate);
  const startMs = performance.now();
  await gate.awaitSilence(never);
  expect(performance.now() - startMs).toBeGreaterThan(leaseMs);
});

test('a wait for silence fails if the line is resumed, and can be cancelled', async () => {
  const gate = open();
  await gate.attempt(await gate.read(), take);
  await pauseNow(gate);
  const waiting = expect(gate.awaitSilence(new AbortController().signal)).rejects.toMatchObject({
    fault: 'resumed',
  });
  await resumeNow(gate);
  await waiting;
  await pauseNow(gate);
  await expect(gate.awaitSilence(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('a wait for silence that was frozen between request and answer does not take an old answer as proof', async () => {
  const insurerId = newId();
  const gate = open(insurerId);
  const shortLease = { ...take, leaseMs: 300 }; // lapses after 450 ms
  await gate.attempt(await gate.read(), shortLease);
  await pauseNow(gate);
  const client = createGateClient(region);
  let looks = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args);
      looks += 1;
      if (looks !== 2) return answer;
      await sleep(600);
      await gate.attempt(await gate.read(), { ...shortLease, kind: 'renew', busy: true }); // a live holder that is not silent yet
      void sleep(300).then(async () => gate.attempt(await gate.read(), { kind: 'say-silent', holder: 'anton' }));
      return answer;
    },
    { step: 'initialize', priority: 'high' },
  );
  expect(await openGate(client, insurerId).awaitSilence(never)).toMatchObject({ silent: true });
});

test('a line that no worker has used cannot be paused, and a read does not create it', async () => {
  const gate = open();
  await expect(gate.pause({ ...olga, seen: 0 })).rejects.toMatchObject({ fault: 'unknown-insurer' });
  await expect(gate.resume({ ...olga, seen: 0 })).rejects.toMatchObject({ fault: 'unknown-insurer' });
  await expect(gate.acknowledge(1)).rejects.toMatchObject({ fault: 'unknown-insurer' });
  await expect(gate.awaitSilence(never)).rejects.toMatchObject({ fault: 'unknown-insurer' });
  await expect(gate.find()).rejects.toMatchObject({ fault: 'unknown-insurer' });
});

test('of two operators who have seen the same state, one changes it and the other is rejected', async () => {
  const gate = open();
  const { changeNumber: seen } = await gate.read();
  await gate.pause({ ...olga, seen });
  await gate.resume({ by: 'otto', reason: 'done', seen: seen + 1 });
  await expect(gate.pause({ ...olga, seen })).rejects.toMatchObject({ fault: 'superseded' });
  expect(await gate.read()).toMatchObject({ state: 'open', by: 'otto', changeNumber: seen + 2 });
});

test('changes stay in the outbox until they are acknowledged, also twice', async () => {
  const gate = open();
  await pauseNow(gate);
  const { outbox } = await resumeNow(gate);
  expect(outbox.map(({ state, by }) => [state, by])).toEqual([
    ['paused', 'olga'],
    ['open', 'olga'],
  ]);
  await gate.acknowledge(1);
  await gate.acknowledge(1);
  expect((await gate.read()).outbox.map(({ number }) => number)).toEqual([2]);
});

test('a call to a database that does not answer ends after a second', async () => {
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
