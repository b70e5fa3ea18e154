import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Client } from '@temporalio/client';
import { describe, expect, test, vi } from 'vitest';
import { clientConfig, readConfig } from '../config.ts';
import { createGateClient, openGate } from '../stores/gate.ts';
import { openTemporal } from './connection.ts';
import { createInsurerLineClient } from './insurer-line-client.ts';

/** No worker runs in these tests, only the gate. */
const config = readConfig(clientConfig, { ...process.env, INSURER_ID: 'kk' });
const client = createGateClient(config.AWS_REGION);
const olga = { operator: 'olga', reason: 'the insurer called' };
const otto = { operator: 'otto', reason: 'all is well' };
const hanging = () => new Promise<Client>(() => {});

async function open(temporal: () => Promise<Client> = hanging) {
  const insurerId = `kk-${randomUUID().slice(0, 8)}`;
  const gate = openGate(client, insurerId);
  await vi.waitFor(gate.read, 10_000); // a busy emulator may need longer than the gate's time limit of one second
  return { gate, line: createInsurerLineClient({ temporal, gate, insurerId }) };
}

const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
};

/** Concurrent, because they mostly wait for time limits, and each has its own line. */
describe.concurrent('the client of the line', () => {
  test('a pause and a resume need a name and a reason', async () => {
    const { line } = await open();
    for (const command of [
      { operator: 'olga', reason: ' ' },
      { operator: '', reason: 'r' },
      { operator: 'olga', reason: 'two\nlines' },
    ]) {
      const invalid = { fault: 'invalid', problem: expect.any(String) };
      await expect(line.pause(command)).rejects.toMatchObject(invalid);
      await expect(line.resume(command)).rejects.toMatchObject(invalid);
    }
    expect(await line.read()).toEqual({ state: 'open', busy: false });
  });

  test('a line that no worker has used is unknown, and a read does not create it', async () => {
    const line = createInsurerLineClient({ temporal: hanging, gate: openGate(client, 'nobody'), insurerId: 'nobody' });
    for (const ask of [() => line.pause(olga), () => line.resume(olga), () => line.read(), () => line.readChanges()])
      for (const _ of ['once', 'again']) await expect(ask()).rejects.toMatchObject({ fault: 'unknown-insurer' });
  });

  test('a pause takes a few seconds while the connection to Temporal hangs, and the silent line is reported as paused', async () => {
    const { line } = await open();
    const seconds = await secondsOf(async () =>
      expect(await line.pause(olga)).toMatchObject({ state: 'paused', busy: false, by: 'olga', reason: olga.reason }),
    );
    expect(seconds).toBeLessThan(5);
    expect(await line.readChanges()).toMatchObject([{ number: 1, state: 'paused', by: 'olga' }]);
    expect(await line.resume(otto)).toMatchObject({ state: 'open', busy: false });
    expect(await line.readChanges()).toMatchObject([{ state: 'open', by: 'otto' }, { state: 'paused' }]);
  });

  test('the answer to a resume names every reason that it ends', async () => {
    const { line } = await open(async () => {
      throw new Error('no Temporal');
    });
    await line.pause(olga);
    const openReasons = [{ by: 'olga' }, { by: 'otto', reason: 'the modem' }];
    const paused = { state: 'paused', by: 'olga', reason: olga.reason, openReasons };
    expect(await line.pause({ operator: 'otto', reason: 'the modem' })).toMatchObject(paused);
    expect(await line.pause({ operator: 'otto', reason: 'the modem' })).toMatchObject(paused);
    expect(await line.read()).toMatchObject(paused);
    expect(await line.resume(olga)).toMatchObject({ state: 'open', openReasons });
    expect(await line.read()).toEqual({ state: 'open', busy: false });
    expect(await line.resume(olga)).toEqual({ state: 'open', busy: false, openReasons: [] });
  });

  test('a pause succeeds if no worker takes the update', async ({ onTestFinished }) => {
    const temporal = openTemporal(config);
    onTestFinished(() => temporal.connection.close());
    const { line, gate } = await open(async () => temporal);
    await line.pause(olga);
    expect(await gate.find()).toMatchObject({ state: 'paused', changeNumber: 1 });
  });

  test('a superseded pause is repeated; a superseded resume is not', async () => {
    const { gate } = await open();
    let seen = 0;
    const meanwhile = async (): Promise<Client> => {
      const number = seen;
      if (number < 2) await gate.pause({ by: 'anna', reason: 'first', seen: number });
      if (number < 2) await gate.resume({ by: 'anna', reason: 'first', seen: number + 1 });
      seen = 2;
      throw new Error('no Temporal');
    };
    const line = createInsurerLineClient({ temporal: meanwhile, gate, insurerId: 'kk' });
    expect(await line.pause(olga)).toMatchObject({ state: 'paused', by: 'olga' });
    const again = async (): Promise<Client> => {
      const { changeNumber, state } = await gate.find();
      if (state === 'paused' && changeNumber === 3) {
        await gate.resume({ by: 'anna', reason: 'second', seen: 3 });
        await gate.pause({ by: 'anna', reason: 'it is not well', seen: 4 });
      }
      throw new Error('no Temporal');
    };
    const late = createInsurerLineClient({ temporal: again, gate, insurerId: 'kk' });
    await expect(late.resume(otto)).rejects.toMatchObject({ fault: 'superseded' });
    expect(await gate.find()).toMatchObject({ state: 'paused', by: 'anna', reason: 'it is not well' });
  });

  test('a pause is not confirmed while the holder renews and is not silent', async ({ onTestFinished }) => {
    const { gate, line } = await open(async () => {
      throw new Error('no Temporal');
    });
    const holder = 'stubborn';
    await gate.attempt(await gate.read(), { kind: 'take', holder, leaseMs: 500 });
    const renewing = setInterval(
      () => void gate.read().then((seen) => gate.attempt(seen, { kind: 'renew', holder, leaseMs: 500, busy: true })),
      100,
    );
    onTestFinished(() => clearInterval(renewing));
    await expect(line.pause(olga)).rejects.toMatchObject({ fault: 'not-silent' });
    expect(await gate.find()).toMatchObject({ state: 'paused', by: 'olga' });
  });

  test('an unreachable gate is reported within seconds', async () => {
    const nowhere = DynamoDBDocumentClient.from(
      new DynamoDBClient({ region: config.AWS_REGION, endpoint: 'http://127.0.0.1:1', maxAttempts: 1 }),
    );
    const line = createInsurerLineClient({ temporal: hanging, gate: openGate(nowhere, 'kk'), insurerId: 'kk' });
    const seconds = await secondsOf(() => expect(line.pause(olga)).rejects.toMatchObject({ fault: 'unavailable' }));
    expect(seconds).toBeLessThan(4);
  });
});
