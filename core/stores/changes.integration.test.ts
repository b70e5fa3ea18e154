import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterEach, expect, test, vi } from 'vitest';
import type { RecordedChange } from '../domain/patient-change.ts';
import { ChangesGone, type ChangesPosition, type ChangesStore, createChangesStore } from './changes.ts';
import { Crash, newPatientRef } from './emulated.fixture.ts';

const dayMs = 24 * 60 * 60 * 1_000;
afterEach(() => void vi.useRealTimers());

/** Opens a store over a table of its own. `crashAt(n)` makes the n-th call from now on fail, and all later ones. */
async function openFeed() {
  const client = new DynamoDBClient({});
  const name = `Changes-${randomUUID()}`;
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'feed', AttributeType: 'S' },
        { AttributeName: 'seq', AttributeType: 'N' },
      ],
      KeySchema: [
        { AttributeName: 'feed', KeyType: 'HASH' },
        { AttributeName: 'seq', KeyType: 'RANGE' },
      ],
    }),
  );
  const crash = { at: Number.POSITIVE_INFINITY, answerLost: false, calls: 0 };
  client.middlewareStack.add(
    (next) => async (args) => {
      crash.calls += 1;
      if (crash.calls > crash.at || (crash.calls === crash.at && !crash.answerLost)) throw new Crash();
      const answer = await next(args);
      if (crash.calls === crash.at) throw new Crash();
      return answer;
    },
    { step: 'initialize', priority: 'high' },
  );
  const dynamo = DynamoDBDocumentClient.from(client);
  return {
    feed: createChangesStore(dynamo, { changes: name }),
    crashAt: (at: number, kind: 'never sent' | 'answer lost'): void =>
      void Object.assign(crash, { at, answerLost: kind === 'answer lost', calls: 0 }),
    recover: (): void => void Object.assign(crash, { at: Number.POSITIVE_INFINITY }),
    /** what an operator does after changes were lost (docs/operations/runbook.md) */
    beginNewFeed: async (): Promise<void> => {
      const command = new UpdateCommand({
        TableName: name,
        Key: { feed: 'head', seq: 0 },
        UpdateExpression: 'SET id = :id',
        ExpressionAttributeValues: { ':id': randomUUID() },
      });
      await dynamo.send(command);
    },
  };
}

let count = 0;
const changesOf = (patientRef: string, number: number): RecordedChange[] =>
  Array.from({ length: number }, () => ({
    id: String(++count).padStart(8, '0'),
    patientRef,
    what: 'changed',
    at: '2026-11-30T06:00:00.000Z',
    careVersion: '1',
  }));
const ids = (changes: readonly RecordedChange[]): string[] => changes.map(({ id }) => id);

/** Reads page by page until there is nothing more. */
async function readAll(feed: ChangesStore, limit: number, from?: ChangesPosition) {
  const changes: RecordedChange[] = [];
  let page = await feed.read(from, limit);
  changes.push(...page.changes);
  while (page.hasMore) {
    expect(page.changes).toHaveLength(limit);
    page = await feed.read(page.next, limit);
    changes.push(...page.changes);
  }
  return { changes, next: page.next };
}

test('pages of any size give each change once, in order, and the last one leads to what comes later', async () => {
  const { feed } = await openFeed();
  const ref = newPatientRef();
  const all: RecordedChange[] = [];
  for (const number of [1, 4, 2, 7]) {
    const batch = changesOf(ref, number);
    await feed.append(batch);
    all.push(...batch);
  }
  for (const limit of [1, 2, 3, 5, 14, 1_000]) {
    const { changes, next } = await readAll(feed, limit);
    expect(changes).toEqual(all);
    expect(next).toEqual(await feed.end());
    expect(await feed.read(next, limit)).toEqual({ changes: [], next, hasMore: false }); // as often as one likes
  }
  const { next } = await feed.read(undefined, 3);
  const later = changesOf(ref, 2);
  await feed.append(later);
  expect((await readAll(feed, 4, next)).changes).toEqual([...all.slice(3), ...later]);
});

test.each(['never sent', 'answer lost'] as const)(
  'a crash at any step of recording (%s) loses no change, and a repeated call tells none twice',
  async (kind) => {
    const { feed, crashAt, recover } = await openFeed();
    const told: RecordedChange[] = [];
    for (let call = 1, crashed = true; crashed; call++) {
      const batch = changesOf(newPatientRef(), 2);
      crashAt(call, kind);
      crashed = await feed.append(batch).then(
        () => false,
        (error: unknown) => error instanceof Crash,
      );
      recover();
      await feed.append(batch); // Lambda repeats it
      told.push(...batch);
      expect(ids((await readAll(feed, 1_000)).changes)).toEqual(ids(told));
      expect(call).toBeLessThan(10);
    }
  },
);

test('a batch that comes again in halves, or with others, adds only what is new', async () => {
  const { feed } = await openFeed();
  const [first, second] = [changesOf(newPatientRef(), 4), changesOf(newPatientRef(), 3)];
  await feed.append(first);
  await feed.append(first.slice(0, 2));
  await feed.append([...first.slice(2), ...second]);
  expect(ids((await readAll(feed, 1_000)).changes)).toEqual(ids([...first, ...second]));
});

test('while several record at the same time, a reader misses none, and each patient keeps the order', async () => {
  const { feed } = await openFeed();
  const writers = Array.from({ length: 6 }, () => Array.from({ length: 8 }, () => changesOf(newPatientRef(), 2)));
  let isOver = false;
  const writing = Promise.all(
    writers.map(async (batches) => {
      for (const batch of batches) await feed.append(batch);
    }),
  ).finally(() => (isOver = true));
  const read: RecordedChange[] = [];
  for (let next: ChangesPosition | undefined, wasOver = false; !wasOver; ) {
    wasOver = isOver;
    const page: Awaited<ReturnType<ChangesStore['read']>> = await feed.read(next, 5);
    read.push(...page.changes);
    next = page.next;
    wasOver &&= !page.hasMore;
  }
  await writing;
  expect(ids(read).toSorted()).toEqual(ids(writers.flat(2)).toSorted());
  for (const batches of writers) {
    const own = new Set(ids(batches.flat()));
    expect(ids(read).filter((id) => own.has(id))).toEqual(ids(batches.flat()));
  }
});

test('a cursor is good for 30 days; after that, what it would miss is an error, and a new reader begins with the oldest change', async () => {
  const { feed } = await openFeed();
  const start = await feed.end();
  vi.useFakeTimers({ toFake: ['Date'] });
  const [old, young] = [changesOf(newPatientRef(), 3), changesOf(newPatientRef(), 3)];
  await feed.append(old);
  const { next: middle } = await feed.read(undefined, 1);
  vi.setSystemTime(Date.now() + 20 * dayMs);
  await feed.append(young);
  vi.setSystemTime(Date.now() + 10 * dayMs);
  for (const from of [undefined, start]) expect((await readAll(feed, 4, from)).changes).toEqual([...old, ...young]);
  expect((await readAll(feed, 4, middle)).changes).toEqual([...old.slice(1), ...young]);
  vi.setSystemTime(Date.now() + 2 * dayMs);
  for (const from of [start, middle]) await expect(feed.read(from, 1_000)).rejects.toThrow(ChangesGone);
  const { changes, next } = await readAll(feed, 2);
  expect(changes).toEqual(young);
  vi.setSystemTime(Date.now() + 400 * dayMs);
  expect(await readAll(feed, 2, next)).toEqual({ changes: [], next }); // nothing has happened since
  expect((await readAll(feed, 2)).changes).toEqual([]);
  const last = changesOf(newPatientRef(), 1);
  await feed.append(last); // the numbers go on, although no batch is left
  expect((await readAll(feed, 2, next)).changes).toEqual(last);
});

test('before the first change there is a cursor, too', async () => {
  const { feed } = await openFeed();
  const { changes, next, hasMore } = await feed.read(undefined, 10);
  expect({ changes, hasMore }).toEqual({ changes: [], hasMore: false });
  expect(await feed.read(next, 10)).toEqual({ changes, next, hasMore });
  const first = changesOf(newPatientRef(), 2);
  await feed.append(first);
  expect((await feed.read(next, 10)).changes).toEqual(first);
});

test('after an operator has begun a new feed, no earlier cursor is good, and recording goes on', async () => {
  const { feed, beginNewFeed } = await openFeed();
  const start = await feed.end();
  await feed.append(changesOf(newPatientRef(), 2));
  const [{ next }, end] = [await feed.read(undefined, 1), await feed.end()];
  await beginNewFeed();
  const later = changesOf(newPatientRef(), 2);
  for (const from of [start, next, end]) await expect(feed.read(from, 10)).rejects.toThrow(ChangesGone);
  await feed.append(later);
  for (const from of [start, next, end]) await expect(feed.read(from, 10)).rejects.toThrow(ChangesGone);
  expect((await readAll(feed, 10)).changes).toEqual(later);
});
