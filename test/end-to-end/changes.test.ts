import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PatientChangeKind } from '../../core/domain/patient-change.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { problemTypeIn } from '../../lambdas/http/problem.fixture.ts';
import { problemType } from '../../lambdas/http/problems.ts';
import { freePorts } from '../../local/free-ports.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type AwsMode, type FaultyProxy, startAwsProxy } from '../chaos/faulty-proxy.ts';
import { type Day, startDay } from '../day.fixture.ts';

interface Told {
  readonly id: string;
  readonly patientRef: string;
  readonly what: PatientChangeKind;
  readonly when: string;
  readonly careVersion?: string;
}

const pure = {
  identicalDuplicates: 0,
  differingDuplicates: 0,
  malformedEntries: 0,
  notInsuredShare: 0,
  unknownShare: 0,
};
let day: Day;
/** connection of the Lambdas to DynamoDB; the worker has another one */
let awsProxy: FaultyProxy<AwsMode>;
let call: CallWithPermittedRole;
/** all changes so far, by patient */
const told = new Map<string, Told[]>();
let cursor: string;

beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = `http://127.0.0.1:${port}`; // the emulator passes it on to the Lambdas
  day = await startDay({ patients: 30, rate: 0.3, newlyInsured: 1, ...pure }, {}, { api: true });
  delete process.env['AWS_ENDPOINT_URL_DYNAMODB'];
  awsProxy = await startAwsProxy(day.stack.environment['AWS_ENDPOINT_URL'] ?? '', port);
  ({ call } = await openApi(day.stack));
  await day.startWorker();
}, 300_000);
afterAll(async () => {
  await day?.[Symbol.asyncDispose]();
  await awsProxy?.close();
});

const read = async (query = '') => await call('readChanges', { query });

/** Follows the cursor until there is nothing more now. */
async function follow(): Promise<void> {
  for (let hasMore = true; hasMore; ) {
    const { status, json } = await read(`?since=${cursor}&limit=7`);
    expect(status).toBe(200);
    for (const change of json.changes as Told[])
      told.set(change.patientRef, [...(told.get(change.patientRef) ?? []), change]);
    ({ next: cursor, hasMore } = json);
  }
}

/** Patients of whom a reader of the changes does not know whether they are stored, or the care version. */
async function unknownPatients(): Promise<string[]> {
  await follow();
  const stored = new Set(await day.storedRefs());
  const wrong: string[] = [];
  for (const patientRef of new Set([...stored, ...told.keys()])) {
    const patient = stored.has(patientRef) ? await day.stores.patients.get(patientRef) : undefined;
    const last = told.get(patientRef)?.at(-1);
    const isKnown = last !== undefined && last.what !== 'removed';
    if (isKnown !== (patient !== undefined) || (isKnown && last.careVersion !== patient?.careVersion))
      wrong.push(patientRef);
  }
  return wrong;
}
const caughtUp = async (): Promise<void> => await expect.poll(unknownPatients, { timeout: 30_000 }).toEqual([]);
const whatsOf = (kvnr: string): PatientChangeKind[] => (told.get(day.refOf(kvnr)) ?? []).map(({ what }) => what);

test('a cursor from before the first change leads to all changes of a run, in order per patient, without personal data', async () => {
  const { json } = await read('?since=now');
  expect(json).toEqual({ changes: [], next: expect.any(String), hasMore: false });
  cursor = json.next;
  await day.runToEnd();
  await caughtUp();
  for (const { kvnr } of day.insurer.patients()) expect(whatsOf(kvnr)).toEqual(['imported', 'care-records-updated']);
  const { text } = await read();
  for (const { kvnr } of day.insurer.patients()) expect(text).not.toContain(kvnr);
  expect((await read(`?since=${cursor}`)).json).toEqual({ changes: [], next: expect.any(String), hasMore: false });
});

test('nothing is lost while the Lambda fails: the next day can be read once it works again', async () => {
  const before = day.insurer.patients().map(({ kvnr }) => kvnr);
  awsProxy.startFault('drop');
  day.insurer.nextDay({ gone: 3, new: 4, changed: 5 });
  const { patients } = await day.runToEnd();
  expect(patients).toMatchObject({ new: 4, changed: 5, removed: 3 });
  awsProxy.endFault();
  await caughtUp();
  const today = new Set(day.insurer.patients().map(({ kvnr }) => kvnr));
  const first: PatientChangeKind[] = ['imported', 'care-records-updated'];
  for (const kvnr of today) if (!before.includes(kvnr)) expect(whatsOf(kvnr)).toEqual(first);
  const later = before.map((kvnr) => [today.has(kvnr), whatsOf(kvnr).slice(2).join()] as const);
  expect(later.filter(([isStored]) => !isStored).map(([, what]) => what)).toEqual(['removed', 'removed', 'removed']);
  expect(later.filter(([isStored, what]) => isStored && what === 'changed')).toHaveLength(5);
  expect(later.filter(([, what]) => what === '')).toHaveLength(before.length - 3 - 5);
});

test('a sync on demand of somebody who is not on the list yet is an import, and one of somebody unknown is no change', async () => {
  const [kvnr, unknown] = [day.insurer.world.kvnrAt(34), day.insurer.world.kvnrAt(5_000)];
  for (const each of [unknown, kvnr]) await call('requestPatientSync', { body: { kvnr: each } });
  await expect
    .poll(async () => await follow().then(() => whatsOf(kvnr)), { timeout: 30_000 })
    .toEqual(['imported', 'care-records-updated']);
  expect(whatsOf(unknown)).toEqual([]);
});

test('after an operator has begun a new feed, an old cursor is answered with where to go on', async () => {
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));
  await dynamo.send(
    new UpdateCommand({
      TableName: defaultTables.changes,
      Key: { feed: 'head', seq: 0 },
      UpdateExpression: 'SET id = :id',
      ExpressionAttributeValues: { ':id': 'new' },
    }),
  );
  const { status, json } = await read(`?since=${cursor}`);
  expect([status, problemTypeIn(json)]).toEqual([410, problemType('cursor-too-old')]);
  expect(json.detail).toMatch(/since=now.*POST \/exports/);
});
