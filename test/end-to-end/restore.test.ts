import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DeleteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { defaultTables } from '../../core/stores/tables.ts';
import { type Day, startDay } from '../day.fixture.ts';

const root = dirname(dirname(import.meta.dirname));
const world = {
  patients: 12,
  rate: 0,
  notInsuredShare: 0,
  unknownShare: 0,
  differingDuplicates: 0,
  malformedEntries: 0,
};

/** Starts a day and completes its run. Then the line is paused and no worker is left. */
async function dayAtRest(): Promise<Day> {
  const day = await startDay(world);
  const worker = await day.startWorker();
  await day.runToEnd();
  await day.line.pause({ operator: 'test', reason: 'restore' });
  await worker.stop();
  day.insurer.unchangedDay();
  return day;
}

/** Runs `npm run restore`. Answers its question once `before` is done. */
async function restore(day: Day, args: readonly string[], answer = '', before = async () => {}) {
  const { PSEUDONYM_KEY: _, PAYLOAD_KEYS: __, ...environment } = day.stack.environment;
  const env = { PATH: process.env['PATH'], ...environment, INSURER_ID: 'test' };
  const command = spawn(process.execPath, [join(root, 'cli', 'restore.ts'), ...args], { env });
  onTestFinished(() => void command.kill());
  let out = '';
  command.stdout.on('data', (chunk) => {
    out += String(chunk);
    if (!out.endsWith('to go on: ')) return;
    void before().then(() => command.stdin.end(`${answer}\n`));
  });
  const [errors] = await Promise.all([text(command.stderr), once(command, 'close')]);
  return { exitCode: command.exitCode, out, errors };
}

const refsOf = (day: Day): string[] => day.insurer.patients().map(({ kvnr }) => day.refOf(kvnr));

async function deletePatient(patientRef: string): Promise<void> {
  const dynamo = new DynamoDBClient({});
  const Key = { shard: { S: patientRef.slice(0, 2) }, patientRef: { S: patientRef } };
  await dynamo.send(new DeleteItemCommand({ TableName: defaultTables.patients, Key }));
  dynamo.destroy();
}

/** Runs once after the restoration. Expects that it fetches everyone, and stores all as the insurer has it. */
async function expectCompleteAfterRun(day: Day): Promise<void> {
  day.insurer.resetLog();
  await day.startWorker();
  await day.line.resume({ operator: 'test', reason: 'restored' });
  expect(await day.runToEnd()).toMatchObject({ state: 'completed', careRecords: { done: 12, pending: 0 } });
  expect(new Set(await day.storedRefs())).toEqual(new Set(refsOf(day)));
  for (const { kvnr, careRecords } of day.insurer.patients()) {
    const { careRecords: sent } = JSON.parse(careRecords ?? '') as { careRecords: unknown[] };
    expect((await day.careRecordTexts(day.refOf(kvnr))).map((each) => JSON.parse(each) as unknown)).toEqual(sent);
    expect(await day.careVersionsOf(day.refOf(kvnr))).toHaveLength(1);
  }
}

test('copy restores deleted patients, and the next run fetches all care records again', async () => {
  await using day = await dayAtRest();
  const [lost = '', emptied = ''] = refsOf(day);
  const { careVersion = '' } = (await day.stores.patients.get(emptied)) ?? {};
  const restored = await restore(day, ['copy', new Date().toISOString()], 'restore', async () => {
    await deletePatient(lost);
    await day.stores.careRecords.deleteVersion(emptied, careVersion); // also deletes the documents, which no backup contains
  });
  expect(restored).toMatchObject({ exitCode: 0, errors: '' });
  expect(restored.out).toMatch(/^Patients: 12 items now, 12 at /m);
  expect(restored.out).toMatch(/^Patients: 12 items copied$/m);
  expect(restored.out).toMatch(/^12 patients wait for their care records/m);
  expect(new Set(await day.storedRefs())).toEqual(new Set(refsOf(day)));
  expect(await day.stores.patients.get(lost)).toMatchObject({ careVersion: expect.any(String), careState: 'pending' });
  await expectCompleteAfterRun(day);
});

test('after refetch, the next run takes in the whole list again, even if it has not changed', async () => {
  await using day = await dayAtRest();
  const [lost = ''] = refsOf(day);
  await deletePatient(lost);
  expect(await restore(day, ['refetch'])).toMatchObject({
    exitCode: 0,
    out: expect.stringMatching(/^11 patients wait/),
  });
  await expectCompleteAfterRun(day);
});

describe('on one day', () => {
  let day: Day;
  beforeAll(async () => {
    day = await dayAtRest();
  });
  afterAll(async () => await day?.[Symbol.asyncDispose]());

  test('nothing is copied without confirmation or while the line is open', async () => {
    const [lost = ''] = refsOf(day);
    const at = new Date().toISOString();
    for (const answer of ['', 'no']) {
      const rejected = await restore(day, ['copy', at], answer, async () => await deletePatient(lost));
      expect(rejected).toMatchObject({ exitCode: 2, errors: 'epa-sync: nothing was copied\n' });
      expect(await day.storedRefs()).toHaveLength(11);
    }
    await day.startWorker();
    await day.line.resume({ operator: 'test', reason: 'test over' });
    for (const args of [['copy', at], ['refetch']])
      expect(await restore(day, args)).toMatchObject({
        exitCode: 2,
        errors: expect.stringContaining('the line is open'),
      });
    expect(await restore(day, ['copy', 'yesterday'])).toMatchObject({ exitCode: 2 });
    expect(await day.storedRefs()).toHaveLength(11);
  });

  test('a worker with another pseudonym key does not start, because it would remove every patient', async () => {
    const stored = await day.storedRefs();
    expect(stored.length).toBeGreaterThan(0);
    const PSEUDONYM_KEY = Buffer.alloc(32, 7).toString('base64');
    await expect(day.startWorker({ PSEUDONYM_KEY })).rejects.toThrow(/ended before it was ready/);
    await day.startWorker();
    expect(await day.storedRefs()).toEqual(stored);
  });
});
