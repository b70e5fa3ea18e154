import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { expect, test } from 'vitest';
import type { AccessDraft, AccessEntry } from '../domain/access.ts';
import { anchorKey } from '../domain/access-anchor.ts';
import { type AccessLogStore, createAccessLogStore } from './access-log.ts';
import { newPatientRef, openEmulatedStores } from './emulated.fixture.ts';
import { refsOfPerson } from './linked-access-logs.ts';
import { defaultTables } from './tables.ts';

const stores = openEmulatedStores();
const { accessLog, accessAnchors, dynamo } = stores;

const draftOf = (patientRef: string, id: string = randomUUID()): AccessDraft => ({
  id,
  patientRef,
  recorded: new Date().toISOString(),
  operation: 'read-patient',
  outcome: 'success',
  agent: { who: 'user', name: 'Änne \ud800', role: 'clinician' },
  source: { component: 'api' },
});
const draftsOf = (patientRef: string, count: number) => Array.from({ length: count }, () => draftOf(patientRef));

async function readAll(patientRef: string, limit = 1_000, order?: 'newest'): Promise<AccessEntry[]> {
  const entries: AccessEntry[] = [];
  let afterSeq: number | undefined;
  do {
    const page = await accessLog.read(patientRef, limit, afterSeq, order);
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    entries.push(...page.entries);
    afterSeq = page.lastKey;
  } while (afterSeq !== undefined);
  return entries;
}

test('entries are read in the order of appending, page by page, as one valid chain', async () => {
  const patientRef = newPatientRef();
  const first = await accessLog.append(patientRef, draftsOf(patientRef, 1));
  const more = await accessLog.append(patientRef, draftsOf(patientRef, 120)); // more than fit into one transaction
  expect(await readAll(patientRef, 50)).toEqual([...first, ...more]);
  expect(await readAll(patientRef, 50, 'newest')).toEqual([...first, ...more].reverse());
  expect(more.map(({ seq }) => seq)).toEqual(Array.from({ length: 120 }, (_, index) => index + 2));
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: 121 });
  expect(await accessLog.append(patientRef, [])).toEqual([]);
});

test('a patient without entries has an empty, valid log', async () => {
  const patientRef = newPatientRef();
  expect(await accessLog.read(patientRef, 10)).toEqual({ entries: [] });
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: 0 });
});

test('a hundred concurrent appends from several processes form one valid chain', async () => {
  const patientRef = newPatientRef();
  const drafts = draftsOf(patientRef, 100);
  const clients = Array.from({ length: 20 }, () => DynamoDBDocumentClient.from(new DynamoDBClient({})));
  const logs = clients.map((client) => createAccessLogStore(client, defaultTables, accessAnchors));
  const appended = await Promise.all(
    drafts.map(async (draft, index) => (await logs[index % logs.length]?.append(patientRef, [draft]))?.[0]),
  );
  for (const client of clients) client.destroy();
  const entries = await readAll(patientRef);
  expect(entries).toEqual(appended.toSorted((a, b) => (a?.seq ?? 0) - (b?.seq ?? 0)));
  expect(new Set(entries.map(({ id }) => id))).toEqual(new Set(drafts.map(({ id }) => id)));
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: 100 });
});

test('a log is valid at every moment while entries are appended', async () => {
  const patientRef = newPatientRef();
  let isOver = false;
  const appending = (async () => {
    for (let count = 0; count < 30; count++) await accessLog.append(patientRef, draftsOf(patientRef, 1));
    isOver = true;
  })();
  while (!isOver) expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true });
  await appending;
});

test('an entry that is appended twice is stored once, and the stored entry is returned', async () => {
  const patientRef = newPatientRef();
  const [a, b, c] = draftsOf(patientRef, 3) as [AccessDraft, AccessDraft, AccessDraft];
  const first = await accessLog.append(patientRef, [a, b]);
  const later = { ...a, recorded: new Date(0).toISOString() };
  const again = await accessLog.append(patientRef, [later, c, c, b]);
  expect(again.map(({ seq }) => seq)).toEqual([1, 3, 3, 2]);
  expect(again[0]).toEqual(first[0]);
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: 3 });
});

test('an entry that is appended again after many others is stored once', async () => {
  const patientRef = newPatientRef();
  const [draft] = draftsOf(patientRef, 1) as [AccessDraft];
  const [first] = await accessLog.append(patientRef, [draft]);
  await accessLog.append(patientRef, draftsOf(patientRef, 250));
  expect(await accessLog.append(patientRef, [draft])).toEqual([first]);
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: 251 });
});

test.each(['never sent', 'answer lost'] as const)(
  'an append that crashes at any call (%s) fails as unavailable, and repeating it gives one entry',
  async (kind) => {
    let failed = true;
    for (let call = 1; failed; call += 1) {
      const patientRef = newPatientRef();
      const [known, fresh] = draftsOf(patientRef, 2) as [AccessDraft, AccessDraft];
      await accessLog.append(patientRef, [known]);
      stores.crashAt(call, kind);
      const outcome = await accessLog.append(patientRef, [fresh]).catch((error: unknown) => error);
      stores.recover();
      failed = !Array.isArray(outcome);
      if (failed) expect(outcome).toMatchObject({ name: 'AccessLogError', fault: 'unavailable' });
      await accessLog.append(patientRef, [fresh]);
      expect((await readAll(patientRef)).map(({ id }) => id)).toEqual([known.id, fresh.id]);
      expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true, entries: 2 });
    }
  },
);

test('the first entries of many patients are appended together, including patients with a log', async () => {
  const patientRefs = Array.from({ length: 60 }, () => newPatientRef());
  const drafts = patientRefs.map((patientRef) => draftOf(patientRef));
  const known = patientRefs.filter((_, index) => index % 20 === 0);
  for (const patientRef of known) await accessLog.append(patientRef, [draftOf(patientRef)]);
  for (const _ of ['at first', 'after an answer that was lost']) {
    await accessLog.appendFirst(drafts);
    for (const [index, patientRef] of patientRefs.entries()) {
      if (index % 5 > 0) continue;
      const entries = await readAll(patientRef);
      expect(entries).toHaveLength(known.includes(patientRef) ? 2 : 1);
      expect(entries.at(-1)).toMatchObject({ id: drafts[index]?.id });
      expect(await accessLog.verify(patientRef)).toMatchObject({ valid: true });
    }
  }
});

test.each<[string, (patientRef: string) => Promise<unknown>, number]>([
  [
    'changed',
    async (patientRef) =>
      await dynamo.send(
        new UpdateCommand({
          TableName: defaultTables.accessLog,
          Key: { patientRef, seq: 2 },
          UpdateExpression: 'SET #outcome = :refused',
          ExpressionAttributeValues: { ':refused': 'refused' },
          ExpressionAttributeNames: { '#outcome': 'outcome' },
        }),
      ),
    2,
  ],
  [
    'removed',
    async (patientRef) =>
      await dynamo.send(new DeleteCommand({ TableName: defaultTables.accessLog, Key: { patientRef, seq: 2 } })),
    2,
  ],
  [
    'removed as the last one',
    async (patientRef) =>
      await dynamo.send(new DeleteCommand({ TableName: defaultTables.accessLog, Key: { patientRef, seq: 4 } })),
    4,
  ],
  [
    'made to expire early',
    async (patientRef) =>
      await dynamo.send(
        new UpdateCommand({
          TableName: defaultTables.accessLog,
          Key: { patientRef, seq: 1 },
          UpdateExpression: 'SET expiresAt = :now',
          ExpressionAttributeValues: { ':now': 1 },
        }),
      ),
    1,
  ],
  [
    'inserted',
    async (patientRef) =>
      await dynamo.send(
        new PutCommand({ TableName: defaultTables.accessLog, Item: { ...(await itemAt(patientRef, 4)), seq: 5 } }),
      ),
    5,
  ],
  [
    'put in the place of another',
    async (patientRef) => {
      const [second, third] = [await itemAt(patientRef, 2), await itemAt(patientRef, 3)];
      await dynamo.send(new PutCommand({ TableName: defaultTables.accessLog, Item: { ...second, seq: 3 } }));
      await dynamo.send(new PutCommand({ TableName: defaultTables.accessLog, Item: { ...third, seq: 2 } }));
    },
    2,
  ],
])('verification finds an entry that was %s', async (_what, tamper, firstBrokenSeq) => {
  const patientRef = newPatientRef();
  await anchor(patientRef, await accessLog.append(patientRef, draftsOf(patientRef, 4)));
  await tamper(patientRef);
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: false, firstBrokenSeq });
  await accessLog.append(patientRef, draftsOf(patientRef, 1)); // further entries do not repair the log
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: false, firstBrokenSeq });
});

test('an entry expires after three years, and the log stays valid after any deletions of expired items', async () => {
  const patientRef = newPatientRef();
  const at = (recorded: string) => ({ ...draftOf(patientRef), recorded });
  await accessLog.append(
    patientRef,
    ['2026-01-01', '2026-01-02', '2026-01-03'].map((day) => at(`${day}T00:00:00.000Z`)),
  );
  const later = createAccessLogStore(dynamo, defaultTables, accessAnchors, () => new Date('2029-01-02T12:00:00Z'));
  expect(await itemAt(patientRef, 1)).toMatchObject({ expiresAt: Date.parse('2029-01-01T00:00:00Z') / 1000 });
  expect((await later.read(patientRef, 1)).entries.map(({ seq }) => seq)).toEqual([3]);
  expect(await later.verify(patientRef)).toMatchObject({ valid: true, entries: 1 });
  await dynamo.send(new DeleteCommand({ TableName: defaultTables.accessLog, Key: { patientRef, seq: 1 } }));
  expect(await later.verify(patientRef)).toMatchObject({ valid: true, entries: 1 });
  expect(await accessLog.verify(patientRef)).toMatchObject({ valid: false, firstBrokenSeq: 1 });
});

test('all patients with entries are found, each once, and again from any of them on', async () => {
  const patientRefs = Array.from({ length: 5 }, () => newPatientRef());
  for (const patientRef of patientRefs) await accessLog.append(patientRef, draftsOf(patientRef, 2));
  const all = (await Array.fromAsync(accessLog.patientRefs())).flat();
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(expect.arrayContaining(patientRefs));
  const from = all.length - 3;
  expect((await Array.fromAsync(accessLog.patientRefs(all[from]))).flat()).toEqual(all.slice(from + 1));
});

test('anchors are found by patient, also if one was hidden, and all patients with anchors in order', async () => {
  const patientRefs = Array.from({ length: 3 }, () => newPatientRef('0')).toSorted();
  const [entry] = await accessLog.append(newPatientRef(), draftsOf(newPatientRef(), 1));
  const { hash = '' } = entry ?? {};
  for (const patientRef of patientRefs)
    for (const seq of [2, 1, 2]) await accessAnchors.put(anchorKey(patientRef, { seq, expiresAt: 7, hash }));
  for (const patientRef of patientRefs)
    expect(await accessAnchors.read(patientRef)).toEqual(
      [1, 2].map((seq) => ({ seq, expiresAt: 7, hash, writtenAt: expect.any(Number) })),
    );
  const all = (await Array.fromAsync(accessAnchors.patientRefs())).flat();
  expect(all).toEqual(all.toSorted());
  expect(all).toEqual(expect.arrayContaining(patientRefs));
  const after = (await Array.fromAsync(accessAnchors.patientRefs(patientRefs[1]))).flat();
  expect(after).toEqual(all.slice(all.indexOf(patientRefs[1] ?? '') + 1));
});

test('an entry that expires during the verification may be there or not', async () => {
  const patientRef = newPatientRef();
  const at = (recorded: string) => ({ ...draftOf(patientRef), recorded });
  await accessLog.append(patientRef, [at('2026-01-01T00:00:00.000Z'), at('2026-01-02T00:00:00.000Z')]);
  const before = new Date('2028-12-31T23:59:59.000Z');
  const after = new Date('2029-01-01T00:00:01.000Z');
  let moment = before;
  const ticking = createAccessLogStore(dynamo, defaultTables, accessAnchors, () => {
    const now = moment;
    moment = after; // all later looks at the clock
    return now;
  });
  expect(await ticking.verify(patientRef)).toMatchObject({ valid: true, entries: 2 });
  await dynamo.send(new DeleteCommand({ TableName: defaultTables.accessLog, Key: { patientRef, seq: 1 } }));
  expect(await ticking.verify(patientRef, before)).toMatchObject({ valid: true, entries: 1 });
});

test('links are found among any number of entries, until they expire', async () => {
  const [first, second, third] = [newPatientRef(), newPatientRef(), newPatientRef()] as const;
  const at = (patientRef: string, recorded: string) => ({ ...draftOf(patientRef), recorded });
  const linkOf = async (before: string, now: string, day: string) => {
    const recorded = `${day}T00:00:00.000Z`;
    await accessLog.append(before, [{ ...at(before, recorded), nextPatientRef: now }]);
    await accessLog.append(now, [{ ...at(now, recorded), previousPatientRef: before }]);
  };
  const long = draftsOf(second, 500).map((draft) => ({ ...draft, agent: { ...draft.agent, name: 'n'.repeat(3_000) } }));
  await accessLog.append(second, long); // more than one page
  await linkOf(first, second, '2026-01-01');
  await linkOf(second, third, '2026-06-01');
  for (const ref of [first, second, third])
    expect(new Set(await refsOfPerson(accessLog, ref))).toEqual(new Set([first, second, third]));
  const later = createAccessLogStore(dynamo, defaultTables, accessAnchors, () => new Date('2029-03-01T00:00:00Z'));
  expect(await refsOfPerson(later, third)).toEqual([third, second]);
  expect(await refsOfPerson(later, first)).toEqual([first]);
});

test('a new entry after all have expired gives a valid log, while old items still exist', async () => {
  const patientRef = newPatientRef();
  await accessLog.append(patientRef, [{ ...draftOf(patientRef), recorded: '2026-01-01T00:00:00.000Z' }]);
  const later = createAccessLogStore(dynamo, defaultTables, accessAnchors, () => new Date('2030-01-01T00:00:00Z'));
  const [entry] = await later.append(patientRef, [{ ...draftOf(patientRef), recorded: '2030-01-01T00:00:00.000Z' }]);
  expect(entry?.seq).toBe(2);
  expect(await later.verify(patientRef)).toMatchObject({ valid: true, entries: 1 });
});

test.each<[string, (server: ReturnType<typeof createServer>) => void]>([
  ['hangs', () => undefined],
  ['hangs up', (server) => server.on('connection', (socket) => socket.destroy())],
  [
    'fails',
    (server) => server.on('connection', (socket) => socket.end('HTTP/1.1 500 x\r\ncontent-length: 2\r\n\r\n{}')),
  ],
])('a table that %s is reported within two seconds', async (_how, behave) => {
  const server = createServer().listen(0, '127.0.0.1');
  behave(server);
  await once(server, 'listening');
  const client = new DynamoDBClient({ endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const unreachable = createAccessLogStore(DynamoDBDocumentClient.from(client), defaultTables, accessAnchors);
  const patientRef = newPatientRef();
  const operations: ((store: AccessLogStore) => Promise<unknown>)[] = [
    async (store) => await store.append(patientRef, [draftOf(patientRef)]),
    async (store) => await store.read(patientRef, 1),
    async (store) => await store.verify(patientRef),
  ];
  const startedMs = performance.now();
  for (const outcome of await Promise.allSettled(operations.map(async (operation) => await operation(unreachable))))
    expect(outcome).toMatchObject({ reason: { name: 'AccessLogError', fault: 'unavailable' } });
  expect(performance.now() - startedMs).toBeLessThan(3_000);
  client.destroy();
  server.close();
});

/** Writes the anchors of entries, which the Lambda does in a deployment. */
async function anchor(patientRef: string, entries: readonly AccessEntry[]): Promise<void> {
  for (const { seq, hash, expiresAt = 0 } of entries)
    await accessAnchors.put(anchorKey(patientRef, { seq, hash, expiresAt }));
}

async function itemAt(patientRef: string, seq: number) {
  return (await dynamo.send(new GetCommand({ TableName: defaultTables.accessLog, Key: { patientRef, seq } }))).Item;
}
