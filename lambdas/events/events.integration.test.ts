import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { DeleteRuleCommand, EventBridgeClient, RemoveTargetsCommand } from '@aws-sdk/client-eventbridge';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CloudEvent } from '../../core/domain/event.ts';
import { bundleLambdas } from '../../infra/lambda-bundle.ts';
import { attachQueue, receiveEvents } from '../../test/event-queue.fixture.ts';
import type { StreamRecord } from './stream-record.ts';

/**
 * Runs the Lambda as it is deployed: one file, in its own process. A proxy between it and the bus decides what happens to
 * each of its calls. The bus, a rule and a queue are the emulator's.
 */
let dir: string;
let queueUrl: string | undefined;
const insurerId = `events-${randomUUID().slice(0, 8)}`;
const sqs = new SQSClient({});
const bridge = new EventBridgeClient({});
const rule = { EventBusName: 'epa-sync', Name: insurerId };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'epa-sync-events-'));
  bundleLambdas(dir);
  const pattern = { detail: { source: [{ prefix: `/epa-sync/${insurerId}/` }] } };
  queueUrl = await attachQueue({ sqs, bridge }, insurerId, pattern);
});
afterAll(async () => {
  await bridge.send(new RemoveTargetsCommand({ EventBusName: rule.EventBusName, Rule: rule.Name, Ids: ['queue'] }));
  await bridge.send(new DeleteRuleCommand(rule));
  sqs.destroy();
  bridge.destroy();
  rmSync(dir, { recursive: true });
});

/** Returns what has come since the last call, in order. */
const received = async (): Promise<readonly CloudEvent[]> => await receiveEvents(sqs, queueUrl);

/** Returns the writes of five patients in turn: imported, then four new versions of their care records. */
function writes(): StreamRecord[] {
  const refs = Array.from({ length: 5 }, () => randomUUID().replaceAll('-', ''));
  const item = (patientRef: string, version: number) => ({
    patientRef: { S: patientRef },
    kvnr: { S: 'A123456780' },
    contentHash: { S: 'h' },
    ...(version > 0 && { careVersion: { S: `v${version}` } }),
  });
  return [0, 1, 2, 3, 4].flatMap((version) =>
    refs.map((patientRef, index) => ({
      eventID: randomUUID(),
      dynamodb: {
        ApproximateCreationDateTime: 1_796_000_000,
        SequenceNumber: String(95 + version * 5 + index), // from two to three digits
        Keys: { shard: { S: '00' }, patientRef: { S: patientRef } },
        ...(version > 0 && { OldImage: item(patientRef, version - 1) }),
        NewImage: item(patientRef, version),
      },
    })),
  );
}

interface PutEvents {
  readonly Entries: readonly object[];
}
/** What the proxy does to a call: `before`, `after`: kills the Lambda before or after the bus has taken it; a number: refuses that entry */
type Fate = 'before' | 'after' | number | undefined;

const host = `
  import { text } from 'node:stream/consumers';
  const { handler } = await import(process.argv[1] + '/events.mjs');
  await handler(JSON.parse(await text(process.stdin)));`;

/** Runs the Lambda once. @returns whether it has succeeded */
async function invoke(Records: readonly StreamRecord[], fateOf: (call: number) => Fate = () => undefined) {
  const emulator = process.env['AWS_ENDPOINT_URL'] ?? '';
  let calls = 0;
  const relay = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asked = await buffer(request);
    const fate = fateOf(calls++);
    if (fate === 'before') return void lambda.kill('SIGKILL');
    const { Entries } = JSON.parse(asked.toString()) as PutEvents;
    const body = JSON.stringify({ Entries: Entries.filter((_, index) => index !== fate) });
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers as Record<string, string>;
    const relayed = await fetch(emulator, { method: 'POST', headers, body });
    if (fate === 'after') return void lambda.kill('SIGKILL');
    const answer = (await relayed.json()) as { FailedEntryCount: number; Entries: object[] };
    if (typeof fate === 'number') {
      answer.Entries.splice(fate, 0, { ErrorCode: 'ThrottlingException', ErrorMessage: 'Rate exceeded' });
      answer.FailedEntryCount += 1;
    }
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer));
  };
  const proxy = createServer((request, response) => {
    relay(request, response).catch(() => response.destroy());
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const lambda = spawn(process.execPath, ['--input-type=module', '-e', host, dir], {
    env: {
      ...process.env,
      ...{ DEPLOYMENT: 'epa-sync', INSURER_ID: insurerId, EVENT_BUS_NAME: 'epa-sync' },
      AWS_ENDPOINT_URL_EVENTBRIDGE: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  lambda.stdin.end(JSON.stringify({ Records }));
  const errors = buffer(lambda.stderr);
  const [code] = (await once(lambda, 'exit')) as [number | null];
  proxy.closeAllConnections();
  proxy.close();
  return { isDone: code === 0, calls, errors: (await errors).toString() };
}

/** Compares what has come with the writes: nothing is missing, and the first time of each event is in order. */
function expectAll(records: readonly StreamRecord[], events: readonly CloudEvent[]): void {
  const once = [...new Map(events.map((event) => [event.id, event])).values()]; // in the order of the first time
  expect(once.map(({ id }) => id.slice(0, 36)).toSorted()).toEqual(records.map(({ eventID }) => eventID).toSorted());
  for (const subject of new Set(once.map((event) => event.subject))) {
    const sequences = once.filter((event) => event.subject === subject).map(({ sequence }) => sequence);
    expect(sequences).toHaveLength(5);
    expect(sequences).toEqual(sequences.toSorted());
  }
  for (const event of events) expect(event).toEqual(once.find(({ id }) => id === event.id)); // a repeated one is the same
}

test('25 writes are three calls, and their events come in order', async () => {
  const records = writes();
  expect(await invoke(records)).toMatchObject({ isDone: true, calls: 3 });
  const events = await received();
  expect(events).toHaveLength(25);
  expectAll(records, events);
  expect(JSON.stringify(events)).not.toContain('A123456780');
});

test.each([0, 1, 2].flatMap((call) => (['before', 'after'] as const).map((when) => [when, call] as const)))(
  'if the Lambda dies %s call %i of the bus, the repeated batch brings what is missing',
  async (when, call) => {
    const records = writes();
    expect(await invoke(records, (each) => (each === call ? when : undefined))).toMatchObject({ isDone: false });
    const before = await received();
    expect(before).toHaveLength(Math.min(25, 10 * (when === 'after' ? call + 1 : call)));
    expect(await invoke(records)).toMatchObject({ isDone: true });
    expectAll(records, [...before, ...(await received())]);
  },
);

test('if the bus refuses one event, the Lambda goes on from it', async () => {
  const records = writes();
  expect(await invoke(records, (call) => (call === 1 ? 4 : undefined))).toMatchObject({ isDone: true, calls: 4 });
  const events = await received();
  expect(events).toHaveLength(30); // the five after the refused one have come twice
  expect(new Set(events.map(({ id }) => id)).size).toBe(25);
});

test('if the bus refuses an event again and again, the Lambda fails, so that the batch is repeated', async () => {
  const records = writes();
  const refused = await invoke(records, () => 0);
  expect(refused).toMatchObject({ isDone: false, calls: 1 });
  expect(refused.errors).toContain('EventRefused');
  expect(refused.errors).not.toContain('A123456780');
  const before = await received();
  expect(await invoke(records)).toMatchObject({ isDone: true });
  const ids = [...before, ...(await received())].map(({ id }) => id);
  expect(new Set(ids).size).toBe(25);
});

test('a write that tells nothing, and a run of another insurer, are no call of the bus', async () => {
  const [first] = writes();
  if (first === undefined) throw new Error('no write');
  const { dynamodb } = first;
  const unchanged = { ...first, dynamodb: { ...dynamodb, OldImage: dynamodb.NewImage } };
  const progress = { M: { runId: { S: 'r' }, state: { S: 'completed' } } };
  const foreign = {
    ...first,
    dynamodb: { ...dynamodb, Keys: { insurerId: { S: 'another' }, runId: { S: 'r' } }, NewImage: { progress } },
  };
  expect(await invoke([unchanged, foreign])).toMatchObject({ isDone: true, calls: 0 });
});
