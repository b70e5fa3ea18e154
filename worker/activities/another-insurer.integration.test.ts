import { randomBytes, randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';
import type { FetchPatientListResult } from '../../core/contract/line-activities.ts';
import type { SplitResult } from '../../core/contract/list-activities.ts';
import { patientRefOf } from '../../core/crypto/pseudonyms.ts';
import type { ShardLine } from '../../core/domain/diff.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { shards } from '../../core/domain/shard.ts';
import { openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { createInsurerClient } from '../insurer/insurer-client.ts';
import { createNdjsonAdapter } from '../insurer/ndjson-adapter.fixture.ts';
import { openLine } from '../line/line.ts';
import { httpAnswer, type RawRequest, startRawInsurer, testPermit } from '../line/raw-insurer.fixture.ts';
import { noTransfers } from '../reporting/no-transfers.fixture.ts';
import { endSyncIn } from './end-sync.fixture.ts';
import { createLineActivities } from './line-activities.ts';
import { createListActivities } from './list-activities.ts';
import { createStoreCareRecords } from './store-care-records.ts';

// Another insurer's API needs another adapter, and nothing else: the activities, the line and the stores are the real ones.

const insurerId = 'kk';
const [anna, ben, cem, dora] = ['A123456780', 'X110434370', 'Z987654321', 'B123456782'] as const;
const member = (nummer: string, more = ''): string =>
  `{"nummer":"${nummer}","name":"Groß","vorname":"Änne","geboren":"01.02.1950","geschlecht":"w"${more}}`;

type Answer = (request: RawRequest) => void;
const sends =
  (status: number, body = '', headers: Record<string, string> = {}): Answer =>
  ({ socket }) =>
    void socket.write(httpAnswer(status, body, headers));
const page = (next: string | undefined, ...lines: string[]): Answer =>
  sends(200, `${lines.join('\n')}\n`, next === undefined ? {} : { 'x-next': next });
const hangs: Answer = () => {};
const breaksOff: Answer = ({ socket }) =>
  void socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 999\r\nx-next: wrong\r\n\r\n${member(dora)}\n`);

/** Starts the insurer, which gives its answers in turn, and then hangs. */
async function startWorld(...answers: Answer[]) {
  const insurer = await startRawInsurer((request, number) => answers[number - 1]?.(request));
  const { baseUrl } = insurer;
  const stores = openEmulatedStores();
  const pseudonymKey = randomBytes(32);
  const refOf = (kvnr: string): string => patientRefOf(kvnr as Kvnr, pseudonymKey);
  /** A worker with a line of its own. */
  const startWorker = () => {
    const permit = testPermit();
    const line = openLine({ origin: baseUrl, permit, stallMs: 400 });
    const adapter = createNdjsonAdapter({ baseUrl: `${baseUrl}/api`, key: 'secret' });
    const client = createInsurerClient({ adapter, line, permit, stallMs: 400 });
    return {
      line,
      activities: createLineActivities({ ...stores, insurer: client, insurerId, transferReporter: noTransfers }),
    };
  };
  const workers = [startWorker()];
  return {
    insurer,
    stores,
    refOf,
    paths: () => insurer.seen.map(({ path }) => path),
    /** Starts an attempt on a new worker, with the heartbeat details of the one before. */
    attempt<Result>(run: (activities: ReturnType<typeof createLineActivities>) => Promise<Result>, details?: unknown) {
      const worker = startWorker();
      workers.push(worker);
      const environment = new MockActivityEnvironment(
        { heartbeatDetails: details, attempt: workers.length },
        { logger: new DefaultLogger('ERROR') },
      );
      const heartbeats: unknown[] = [];
      environment.on('heartbeat', (beat) => heartbeats.push(beat));
      const result = environment.run(() => run(worker.activities)) as Promise<Result>;
      return { result, heartbeats, cancel: () => environment.cancel() };
    },
    /** Splits a list. @returns the lines that are compared with the table, and the issues */
    async split(fetched: FetchPatientListResult) {
      if (fetched.kind !== 'list') throw new Error(fetched.kind);
      const runId = randomUUID();
      const { splitPatientList } = createListActivities({
        ...stores,
        pseudonymKey,
        syncRuns: { ...stores.syncRuns, isApplying: async () => true },
      });
      const environment = new MockActivityEnvironment();
      const { list } = fetched;
      const split: SplitResult = await environment.run(async () => await splitPatientList({ insurerId, runId, list }));
      const lines: ShardLine[] = [];
      for (const [index, shard] of shards.entries())
        for await (const line of stores.lists.readShard(fetched.list.listId, shard, split.shardParts[index] ?? 0))
          lines.push(line);
      const { entries: issues } = await stores.syncRuns.listIssues(insurerId, runId, 100);
      return { split, lines, issues };
    },
    async [Symbol.asyncDispose]() {
      for (const { line } of workers) await line.close();
      await insurer[Symbol.asyncDispose]();
    },
  };
}
const newList = () => ({ insurerId, listId: randomUUID() });

test('a list comes page by page: each page is asked for until it is complete, also by another worker', async () => {
  await using world = await startWorld(
    page('2', member(anna, ',"bonus":1.10')),
    sends(503),
    breaksOff,
    page('3 & more'), // without members
    hangs,
    page('4', member(ben), '{"nummer":"B123456782","name":"al"se"}', ''),
    page(undefined, member(cem)),
  );
  const input = newList();
  const first = world.attempt(async (activities) => {
    const fetching = activities.fetchPatientList(input);
    await world.insurer.requestArrives(5);
    first.cancel(); // the fifth request has no answer yet
    return await fetching;
  });
  await expect(first.result).rejects.toThrow();
  const second = world.attempt((activities) => activities.fetchPatientList(input), first.heartbeats.at(-1));
  const fetched = await second.result;
  expect(world.paths().map((path) => path.replace('/api/v2/members', ''))).toEqual([
    ...['', '?after=2', '?after=2', '?after=2', '?after=3%20%26%20more'],
    ...['?after=3%20%26%20more', '?after=4'],
  ]);
  expect(world.insurer).toMatchObject({ overlaps: 0 });
  expect(fetched.lineUse).toEqual({ requests: 6, faults: { 'server-error': 1, 'cut-short': 1 } });

  const { split, lines, issues } = await world.split(fetched);
  expect(split).toMatchObject({ entries: 4, flagged: 0, quarantined: 1, unreadable: 1 });
  const ours = `"familyName":"Groß","givenName":"Änne","birthDate":"1950-02-01","gender":"female"`;
  expect(new Map(lines.map((line) => [line.patientRef, 'body' in line ? line.body : 'quarantined']))).toEqual(
    new Map([
      [world.refOf(anna), `{"kvnr":"${anna}",${ours},"bonus":1.10}`],
      [world.refOf(ben), `{"kvnr":"${ben}",${ours}}`],
      [world.refOf(cem), `{"kvnr":"${cem}",${ours}}`],
      [world.refOf(dora), 'quarantined'],
    ]),
  );
  expect(issues).toMatchObject([{ kind: 'quarantined', position: 2, patientRef: world.refOf(dora) }]);
});

test('if a page can no longer be asked for, the list begins again', async () => {
  await using world = await startWorld(
    page('2', member(anna)),
    sends(410),
    page('2', member(ben)),
    page(undefined, member(cem)),
  );
  const { lines } = await world.split(await world.attempt((a) => a.fetchPatientList(newList())).result);
  expect(world.paths().map((path) => path.replace('/api/v2/members', ''))).toEqual(['', '?after=2', '', '?after=2']);
  expect(new Set(lines.map(({ patientRef }) => patientRef))).toEqual(new Set([world.refOf(ben), world.refOf(cem)]));
});

test('a list without members is an empty list', async () => {
  await using world = await startWorld(page(undefined));
  const { split } = await world.split(await world.attempt((a) => a.fetchPatientList(newList())).result);
  expect(split).toMatchObject({ entries: 0 });
});

test('care records are asked for in its way, and stored in our shape; 404 means not insured', async () => {
  const faelle = [{ id: '1', programme: 'DMP', title: 'Asthma', status: 'active', start: '2026-01-01', euro: 1.5 }];
  await using world = await startWorld(sends(502), sends(200, JSON.stringify({ nummer: anna, faelle })), sends(404));
  const { patients, careRecords } = world.stores;
  const refs = [world.refOf(anna), world.refOf(ben)] as const;
  const fetch = (patientRef: string) =>
    world.attempt((activities) =>
      activities.fetchCareRecords({ insurerId, patientRef, syncId: 'run', priority: 'bulk', maxRequests: 5 }),
    ).result;
  await patients.storeNew(
    [anna, ben].map((kvnr) => ({ patientRef: world.refOf(kvnr), kvnr: kvnr as Kvnr, body: '{}', contentHash: 'h' })),
    'list',
  );
  const fetched = await fetch(refs[0]);
  if ('isUnchanged' in fetched) throw new Error('this was no refresh');
  const { payload, fetchOrder } = fetched;
  const { storeCareRecords } = createStoreCareRecords({ ...world.stores, endSync: endSyncIn(world.stores.patients) });
  await new MockActivityEnvironment().run(() =>
    storeCareRecords({ patientRef: refs[0], syncId: 'run', payload, fetchOrder }),
  );
  const stored = await careRecords.read(refs[0], fetchOrder);
  expect(stored?.records.map(({ body }) => JSON.parse(body) as unknown)).toEqual(faelle);

  await expect(fetch(refs[1])).rejects.toMatchObject({ type: 'PatientNotInsured', nonRetryable: true });
  expect(
    world.insurer.seen.map(({ method, path, headers, body }) => [method, path, headers['x-api-key'], body]),
  ).toEqual([anna, anna, ben].map((kvnr) => ['POST', '/api/v2/cases', 'secret', `{"nummer":"${kvnr}"}`]));
  expect(world.insurer.overlaps).toBe(0);
});
