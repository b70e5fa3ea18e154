import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteObjectCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { linkEntry, type StoredEntry } from '../../core/domain/access-log.ts';
import { newPatientRef } from '../../core/stores/emulated.fixture.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { draftFor } from '../access-draft.fixture.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';

let day: Day;
let call: CallWithPermittedRole;
let dynamo: DynamoDBDocumentClient;
let s3: S3Client;

beforeAll(async () => {
  day = await startDay({ patients: 3, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  await day.startWorker();
  ({ call } = await openApi(day.stack));
  dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}), { marshallOptions: { removeUndefinedValues: true } });
  s3 = new S3Client({ forcePathStyle: true });
}, 300_000);
afterAll(async () => {
  dynamo?.destroy();
  s3?.destroy();
  await day?.[Symbol.asyncDispose]();
});

const verify = async (patientRef: string) => (await call('verifyAccessLog', { params: { patientRef } })).json;

/** Writes a log of four entries, and waits for their anchors. */
async function anchoredLog(): Promise<string> {
  const patientRef = newPatientRef();
  for (let count = 0; count < 4; count++) await day.stores.accessLog.append(patientRef, [draftFor(patientRef)]);
  await expect
    .poll(async () => await day.stores.accessLog.verify(patientRef), { timeout: 30_000 })
    .toMatchObject({
      ...{ valid: true, entries: 4, anchored: 4, unanchored: 0 },
    });
  return patientRef;
}

async function entriesOf(patientRef: string): Promise<StoredEntry[]> {
  const { Items = [] } = await dynamo.send(
    new QueryCommand({
      TableName: defaultTables.accessLog,
      KeyConditionExpression: 'patientRef = :ref',
      ExpressionAttributeValues: { ':ref': patientRef },
    }),
  );
  return Items as StoredEntry[];
}

const put = async (Item: StoredEntry) =>
  await dynamo.send(new PutCommand({ TableName: defaultTables.accessLog, Item }));
const remove = async (patientRef: string, seq: number) =>
  await dynamo.send(new DeleteCommand({ TableName: defaultTables.accessLog, Key: { patientRef, seq } }));

/** Writes the entries from a seq on again, so that the chain is valid, with another person in the first of them. */
async function forgeFrom(patientRef: string, seq: number): Promise<void> {
  const entries = await entriesOf(patientRef);
  let previous = entries[seq - 2];
  for (const entry of entries.slice(seq - 1)) {
    const agent = entry.seq === seq ? { who: 'somebody-else', role: 'clinician' as const } : entry.agent;
    previous = linkEntry({ ...entry, agent }, previous);
    await put(previous);
  }
}

const replaced = ['differs-from-anchor', 'anchored-twice']; // before and after the forged entry has an anchor

test.each<[string, (patientRef: string) => Promise<unknown>, number, readonly string[]]>([
  [
    'an entry that was rewritten with a hash that matches',
    async (patientRef) => {
      const [first, second] = await entriesOf(patientRef);
      if (second) await put(linkEntry({ ...second, outcome: 'refused' }, first));
    },
    2,
    replaced,
  ],
  ['a chain that was forged to the end with the role of the app', async (ref) => await forgeFrom(ref, 2), 2, replaced],
  ['a chain that was forged in its last entry', async (ref) => await forgeFrom(ref, 4), 4, replaced],
  [
    'an entry whose expiry was moved into the past',
    async (patientRef) =>
      await dynamo.send(
        new UpdateCommand({
          TableName: defaultTables.accessLog,
          Key: { patientRef, seq: 4 },
          UpdateExpression: 'SET expiresAt = :past',
          ExpressionAttributeValues: { ':past': 1 },
        }),
      ),
    4,
    ['missing'],
  ],
  [
    'an entry whose expiry was moved into the future',
    async (patientRef) => {
      const [, second] = await entriesOf(patientRef);
      if (second) await put({ ...second, expiresAt: second.expiresAt + 1 });
    },
    2,
    [...replaced, 'changed'],
  ],
  [
    'a log whose end was cut off',
    async (ref) => await Promise.all([3, 4].map((seq) => remove(ref, seq))),
    3,
    ['missing'],
  ],
  [
    'a log that was deleted as a whole',
    async (ref) => await Promise.all([1, 2, 3, 4].map((seq) => remove(ref, seq))),
    1,
    ['missing'],
  ],
])('the API finds %s', async (_what, tamper, firstBrokenSeq, problems) => {
  const patientRef = await anchoredLog();
  expect(await verify(patientRef)).toMatchObject({ valid: true });
  await expect.poll(async () => (await day.stores.accessLog.verify(patientRef)).unanchored).toBe(0);
  await tamper(patientRef);
  const found = await verify(patientRef);
  expect(found).toMatchObject({ valid: false, firstBrokenSeq, problem: expect.toBeOneOf([...problems]) });
  expect(await verify(patientRef)).toMatchObject({ valid: false, firstBrokenSeq }); // its own entry does not hide it
});

test('an entry whose anchor has not come yet is shown as late, and not as a manipulation', async () => {
  const patientRef = await anchoredLog();
  const Bucket = day.stack.environment['ANCHOR_BUCKET_NAME'];
  const listed = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: `${patientRef}/` }));
  const [, second, , fourth] = listed.Versions ?? [];
  await s3.send(new DeleteObjectCommand({ Bucket, Key: second?.Key })); // a delete marker does not remove an anchor
  await s3.send(new DeleteObjectCommand({ Bucket, Key: fourth?.Key, VersionId: fourth?.VersionId }));
  const { logs, ...person } = await verify(patientRef);
  expect(person).toMatchObject({ valid: true, entries: 4, anchored: 3, unanchored: 1 });
  expect(person.oldestUnanchoredSeconds).toBeGreaterThan(0);
  expect(logs).toMatchObject([{ patientRef, unanchoredSeqs: [4] }]);
});

/** Runs a check of all logs, and returns what the API says of it. */
async function checkAll() {
  const startedAt = new Date().toISOString();
  expect(await call('checkAccessLogs')).toMatchObject({ status: 202, json: { state: 'running' } });
  const read = async () => (await call('readAccessLogCheck')).json.check;
  await expect
    .poll(
      async () => {
        const check = await read();
        return check?.startedAt >= startedAt && check.state;
      },
      { timeout: 60_000 },
    )
    .toBe('completed');
  return await read();
}

test('a check of all logs finds a forged log, and one of which nothing is left but its anchors', async () => {
  const before = await checkAll();
  const [sound, forged, deleted] = [await anchoredLog(), await anchoredLog(), await anchoredLog()];
  await forgeFrom(forged, 3);
  for (const seq of [1, 2, 3, 4]) await remove(deleted, seq);
  const check = await checkAll();
  expect(check).toMatchObject({ state: 'completed', finishedAt: expect.any(String) });
  expect(check.logs).toBe(before.logs + 3);
  expect(check.entries).toBe(before.entries + 8);
  expect(check.brokenLogs).toBe(before.brokenLogs + 2);
  expect(check.broken).toContainEqual({
    ...{ patientRef: forged, firstBrokenSeq: 3, problem: expect.toBeOneOf(replaced) },
  });
  expect(check.broken).toContainEqual({ patientRef: deleted, firstBrokenSeq: 1, problem: 'missing' });
  expect(JSON.stringify(check)).not.toContain(sound);
});

test('a change of the table is a metric immediately, without a verification', async () => {
  const tampered = () =>
    [...readFileSync(join(day.stack.dir, 'logs', 'emulator.log'), 'utf8').matchAll(/"AccessLogTampered":\[?(\d+)/g)]
      .map(([, count]) => Number(count))
      .reduce((sum, count) => sum + count, 0);
  const patientRef = await anchoredLog();
  const before = tampered();
  await remove(patientRef, 4);
  await forgeFrom(patientRef, 3);
  await expect.poll(tampered, { timeout: 30_000 }).toBe(before + 2);
});

test('after the emulator was restarted, entries get anchors again', async () => {
  await day.stack.restartEmulator();
  await anchoredLog();
});
