import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import type { InsurerLineActivities } from '../../core/contract/insurer-line.ts';
import { createGateClient, openGate } from '../../core/stores/gate.ts';
import { createInsurerLineActivities } from './insurer-line-activities.ts';

const client = createGateClient(process.env['AWS_REGION'] ?? 'eu-central-1');
const olga = { operator: 'olga', reason: 'the insurer called' };

/** Creates a line with its gate and its activities, as in a worker. */
async function openLine() {
  const insurerId = `kk-${randomUUID().slice(0, 8)}`;
  const gate = openGate(client, insurerId);
  await gate.read();
  const activities = createInsurerLineActivities({ insurerId, gate });
  const environment = new MockActivityEnvironment();
  const run = <Answer>(work: (activities: InsurerLineActivities) => Promise<Answer>): Promise<Answer> =>
    environment.run<[], Answer, () => Promise<Answer>>(() => work(activities));
  const failureOf = async (work: (activities: InsurerLineActivities) => Promise<unknown>) => {
    const error = await run(work).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(ApplicationFailure);
    return error as ApplicationFailure;
  };
  return { insurerId, gate, environment, run, failureOf };
}

test('a pause that is repeated after the death of its worker changes nothing, and its change is in the outbox once', async () => {
  const { insurerId, run } = await openLine();
  const request = { insurerId, ...olga, seen: 0 };
  const first = await run(({ silenceLine }) => silenceLine(request));
  expect(first).toMatchObject({ state: 'paused', changeNumber: 1, by: 'olga', reason: olga.reason });
  expect(first.outbox).toMatchObject([{ number: 1, state: 'paused', by: 'olga' }]);
  expect(await run(({ silenceLine }) => silenceLine(request))).toEqual({ ...first, changeNumber: 2 });
});

test('a pause of a paused line returns both reasons, and its change is in the outbox', async () => {
  const { insurerId, run } = await openLine();
  await run(({ silenceLine }) => silenceLine({ insurerId, ...olga, seen: 0 }));
  const otto = { operator: 'otto', reason: 'the modem' };
  const { openReasons, outbox } = await run(({ silenceLine }) => silenceLine({ insurerId, ...otto, seen: 1 }));
  expect(openReasons).toMatchObject([
    { by: 'olga', reason: olga.reason },
    { by: 'otto', reason: 'the modem' },
  ]);
  expect(outbox).toMatchObject([
    { number: 1, by: 'olga' },
    { number: 2, state: 'paused', by: 'otto' },
  ]);
});

test('a pause waits for a holder that is not silent yet, and heartbeats in the meantime', async () => {
  const { insurerId, gate, environment, run } = await openLine();
  const holder = 'h';
  await gate.attempt(await gate.read(), { kind: 'take', holder, leaseMs: 60_000 });
  const heartbeat = new Promise((resolve) => environment.once('heartbeat', resolve));
  const paused = run(({ silenceLine }) => silenceLine({ insurerId, ...olga, seen: 0 }));
  await heartbeat;
  await expect.poll(async () => (await gate.read()).state).toBe('paused');
  await gate.attempt(await gate.read(), { kind: 'say-silent', holder });
  expect(await paused).toMatchObject({ state: 'paused' });
});

test('a superseded command, and a pause that was resumed, fail without a retry', async () => {
  const { insurerId, gate, run, failureOf } = await openLine();
  const opened = await run(({ openLine }) => openLine({ insurerId, ...olga, seen: 0 }));
  expect(opened).toEqual({ state: 'open', changeNumber: 0, outbox: [] });
  await gate.attempt(await gate.read(), { kind: 'take', holder: 'h', leaseMs: 60_000 });
  const paused = failureOf(({ silenceLine }) => silenceLine({ insurerId, ...olga, seen: 0 }));
  await expect.poll(async () => (await gate.read()).state).toBe('paused');
  const late = { insurerId, ...olga, seen: 0 };
  expect(await failureOf(({ openLine }) => openLine(late))).toMatchObject({ type: 'Superseded', nonRetryable: true });
  await run(({ openLine }) => openLine({ ...late, seen: 1 }));
  expect(await paused).toMatchObject({ type: 'Resumed', nonRetryable: true });
});

test('acknowledged changes leave the outbox', async () => {
  const { insurerId, run } = await openLine();
  await run(({ silenceLine }) => silenceLine({ insurerId, ...olga, seen: 0 }));
  await run(({ openLine }) => openLine({ insurerId, ...olga, seen: 1 }));
  await run(({ acknowledgeChanges }) => acknowledgeChanges({ insurerId, upTo: 1 }));
  const { outbox } = await run(({ readLineChanges }) => readLineChanges({ insurerId }));
  expect(outbox).toMatchObject([{ number: 2, state: 'open' }]);
});

test('the line of another insurer is rejected, and so is one that no worker has used', async () => {
  const { failureOf } = await openLine();
  const other = { insurerId: 'another', upTo: 1, seen: 0, ...olga };
  for (const name of ['silenceLine', 'openLine', 'readLineChanges', 'acknowledgeChanges'] as const)
    expect(await failureOf((activities) => activities[name](other))).toMatchObject({ type: 'UnknownInsurer' });
  const insurerId = `kk-${randomUUID().slice(0, 8)}`;
  const activities = createInsurerLineActivities({ insurerId, gate: openGate(client, insurerId) });
  await expect(activities.readLineChanges({ insurerId })).rejects.toMatchObject({
    type: 'UnknownInsurer',
    nonRetryable: true,
  });
});
