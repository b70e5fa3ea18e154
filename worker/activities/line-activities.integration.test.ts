import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { StoredPatient, UnusableAnswer } from '../../core/domain/patient.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import { createInsurerClient } from '../insurer/insurer-client.ts';
import { createJsonAdapter } from '../insurer/json-adapter/json-adapter.ts';
import { openLine } from '../line/line.ts';
import { httpAnswer, type RawRequest, startRawInsurer, testPermit } from '../line/raw-insurer.fixture.ts';
import { noTransfers } from '../reporting/no-transfers.fixture.ts';
import { leftBefore } from './heartbeats.fixture.ts';
import { createLineActivities } from './line-activities.ts';

const anna = 'A123456780' as Kvnr;
const records = `{"kvnr":"${anna}","careRecords":[]}`;
const list = `[${Array.from({ length: 500 }, (_, index) => `{"kvnr":"${anna}","n":${index}}`).join(',\n')}]\n`;

/** Creates the activities with a raw insurer. Buckets and tables are in memory. A patientRef may be a KVNR; all others are Anna's. */
async function startWorld(
  answer: (request: RawRequest, number: number) => void | Promise<void>,
  stallMs = 300,
  storageHoldMaxMs = 10_000,
) {
  const insurer = await startRawInsurer(answer);
  const permit = testPermit();
  const { baseUrl } = insurer;
  const line = openLine({ origin: baseUrl, permit, stallMs });
  const client = createInsurerClient({
    adapter: createJsonAdapter({ baseUrl, token: 'secret' }),
    ...{ line, permit, stallMs },
  });
  const objects = new Map<string, Buffer>();
  const notInsured = new Set<string>();
  const unusable = new Map<string, UnusableAnswer>();
  /** what is stored of a patient's care records */
  const stored = new Map<string, Pick<StoredPatient, 'careVersion' | 'careRecordsAsOf' | 'careEtag'>>();
  const renewed: { readonly careVersion: string; readonly receivedAt: string }[] = [];
  /** delays that a test can put before the table's answers and writes */
  const table = { answers: async (): Promise<void> => {}, writes: async (): Promise<void> => {} };
  const put = async (key: string, body: Uint8Array): Promise<PayloadReference> => {
    objects.set(key, Buffer.from(body));
    return { key, sizeBytes: body.byteLength, sha256: createHash('sha256').update(body).digest('hex') };
  };
  const lists: Parameters<typeof createLineActivities>[0]['lists'] = {
    putSegment: async (listId, index, body) => await put(`lists/${listId}/${index}`, body),
    putManifest: async (listId, row) =>
      await put(`lists/${listId}/manifest-${row.length}`, Buffer.from(JSON.stringify(row))),
    readManifest: async ({ key }) => {
      const row = objects.get(key);
      if (row === undefined) throw new PayloadError('missing');
      return JSON.parse(row.toString());
    },
  };
  const activities = createLineActivities({
    insurerId: 'kk',
    insurer: client,
    patients: {
      get: async (patientRef) => {
        const isThere = patientRef !== 'gone' && !notInsured.has(patientRef);
        await table.answers();
        const unusableAnswer = unusable.get(patientRef);
        const standing = patientRef === 'provisional' ? 'provisional' : 'listed';
        const careRecords = stored.get(patientRef) ?? {};
        const kvnr = /^[A-Z]\d{9}$/.test(patientRef) ? patientRef : anna;
        const patient = { patientRef, kvnr, revision: 1, standing, unusableAnswer, ...careRecords };
        return isThere ? (patient as StoredPatient) : undefined;
      },
      markNotInsured: async (patientRef, syncId) => {
        await table.writes();
        notInsured.add(patientRef);
        return syncId;
      },
      markUnusable: async (patientRef, _seen, answer) => {
        await table.writes();
        unusable.set(patientRef, answer);
      },
      readNotInsured: async (patientRef) => (notInsured.has(patientRef) ? { revision: 1 } : undefined),
      renewCareVersion: async (_patientRef, careVersion, receivedAt) => void renewed.push({ careVersion, receivedAt }),
    },
    payloads: { put: async ({ syncId, patientRef }, body) => await put(`payloads/${syncId}/${patientRef}`, body) },
    lists,
    transferReporter: noTransfers,
    storageHoldMaxMs,
  });
  const segmentsOf = ({ manifest }: { manifest: PayloadReference }): PayloadReference[] =>
    JSON.parse(objects.get(manifest.key)?.toString() ?? '');
  const warnings: string[] = [];
  return {
    insurer,
    permit,
    table,
    objects,
    /** Starts one attempt. `heartbeats` collects what it leaves to the next one. */
    attempt<Result>(run: (a: typeof activities) => Promise<Result>, left?: object, number = 1) {
      const environment = new MockActivityEnvironment(
        { ...leftBefore(left), attempt: number, heartbeatTimeoutMs: 2_000 }, // its first heartbeat comes immediately
        { logger: new DefaultLogger('WARN', ({ message }) => warnings.push(message)) },
      );
      const heartbeats: Record<string, unknown>[] = [];
      environment.on('heartbeat', ({ execution: _, ...left }) => heartbeats.push(left));
      return {
        result: environment.run(() => run(activities)) as Promise<Result>,
        heartbeats,
        cancel: (reason?: 'CANCELLED' | 'WORKER_SHUTDOWN') => environment.cancel(reason),
      };
    },
    lists,
    stored,
    renewed,
    warnings,
    segmentsOf,
    listOf: (fetched: { manifest: PayloadReference }) =>
      Buffer.concat(segmentsOf(fetched).map(({ key }) => objects.get(key) ?? Buffer.alloc(0))).toString(),
    async [Symbol.asyncDispose]() {
      await line.close();
      await insurer[Symbol.asyncDispose]();
    },
  };
}
const fetchCare = { insurerId: 'kk', patientRef: 'ref', syncId: 'run', priority: 'bulk', maxRequests: 40 } as const;
const answered = <Result extends object>(result: Result): Exclude<Result, { isUnchanged: true }> => {
  expect(result).not.toHaveProperty('isUnchanged');
  return result as Exclude<Result, { isUnchanged: true }>;
};
const failureOf = async (result: Promise<unknown>): Promise<ApplicationFailure> =>
  await result.then(
    () => expect.unreachable('it succeeded'),
    (error) => error,
  );

test('care records are fetched until they arrive, and the result counts the requests and failures', async () => {
  await using world = await startWorld(({ socket }, number) => {
    if (number < 3) socket.write(httpAnswer(500));
    else if (number === 3) socket.resetAndDestroy();
    else socket.write(httpAnswer(200, records));
  });
  const { result } = world.attempt((a) => a.fetchCareRecords(fetchCare));
  expect(await result).toMatchObject({
    fetchOrder: '001764000000000-000000004',
    lineUse: { requests: 4, faults: { 'server-error': 2, reset: 1 } },
    payload: { key: 'payloads/run/ref', sizeBytes: records.length },
  });
  expect(world.objects.get('payloads/run/ref')?.toString()).toBe(records);
});

test('the reason of a refused connection is logged, the first time in each attempt', async () => {
  await using world = await startWorld(() => {});
  await world.insurer[Symbol.asyncDispose]();
  const { result } = world.attempt((a) => a.fetchCareRecords(fetchCare));
  expect(await failureOf(result)).toMatchObject({ type: 'LineError.refused' });
  const reason = 'no connection to the insurer: ECONNREFUSED';
  expect(world.warnings.filter((message) => message.startsWith('no connection'))).toEqual([reason]); // of 8 requests
});

test('a fetch that keeps failing frees its slot after 8 requests, and fails without retry after maxRequests', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(500)));
  const input = { ...fetchCare, maxRequests: 10 };
  const first = world.attempt((a) => a.fetchCareRecords(input));
  const failure = await failureOf(first.result);
  expect(failure).toMatchObject({ type: 'LineError.server-error', nonRetryable: false });
  expect(JSON.stringify(failure)).not.toContain(anna);
  expect(first.heartbeats.at(-1)).toMatchObject({ countedRequests: 8 });
  const second = world.attempt((a) => a.fetchCareRecords(input), first.heartbeats.at(-1), 2);
  expect(await failureOf(second.result)).toMatchObject({
    type: 'RequestsExhausted',
    nonRetryable: true,
    details: [{ lineUse: { requests: 10, faults: { 'server-error': 10 } }, lastFault: 'server-error' }],
  });
  expect(world.insurer.seen).toHaveLength(10);
});

const ofRun = ['X110434370', 'B234567895', 'C345678903'] as Kvnr[];
const askedFor = ({ path }: RawRequest): string => path.split('/')[2] ?? '';

test('while a person waits, no request of a run comes between the first and the last one: each fault, and a slow table', async () => {
  const failures = ['page', 'unusable', 'error', 'reset', 'somebody else', 'cut short', 'unusable'] as const;
  let tries = 0;
  await using world = await startWorld((request) => {
    const { socket } = request;
    if (askedFor(request) !== anna) return void socket.write(httpAnswer(500));
    tries += 1;
    if (tries === 21) return void socket.write(httpAnswer(200, records));
    switch (failures[tries % failures.length]) {
      case 'page':
        return void socket.write(httpAnswer(200, '<html>'));
      case 'unusable': // another one each time
        return void socket.write(httpAnswer(200, `{"kvnr":"${anna}","careRecords":[${tries}]}`));
      case 'reset':
        return void socket.resetAndDestroy();
      case 'somebody else':
        return void socket.write(httpAnswer(200, `{"kvnr":"${ofRun[0]}","careRecords":[]}`));
      case 'cut short':
        return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}');
      default:
        return void socket.write(httpAnswer(500));
    }
  });
  world.table.writes = async () => await sleep(20);
  const run = ofRun.map((patientRef) => world.attempt((a) => a.fetchCareRecords({ ...fetchCare, patientRef })));
  const runFails = Promise.all(run.map(({ result }) => failureOf(result)));
  await world.insurer.requestArrives(2);
  const person = world.attempt((a) => a.fetchCareRecords({ ...fetchCare, patientRef: anna, priority: 'person' }));
  expect(await person.result).toMatchObject({ lineUse: { requests: 21 } });
  await runFails;
  const asked = world.insurer.seen.map(askedFor);
  expect(new Set(asked.slice(asked.indexOf(anna), asked.lastIndexOf(anna) + 1))).toEqual(new Set([anna]));
  expect(asked.slice(asked.lastIndexOf(anna))).toContain(ofRun[0]); // a run was waiting all the time
});

test('people who wait take turns until their requests are used up, within one attempt, and then the run goes on', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(500)));
  world.permit.close();
  const [ofBulk = anna, ...people] = [...ofRun, anna];
  const bulk = world.attempt((a) => a.fetchCareRecords({ ...fetchCare, patientRef: ofBulk }));
  const waiting = people.map((patientRef) =>
    world.attempt((a) => a.fetchCareRecords({ ...fetchCare, patientRef, priority: 'person', maxRequests: 12 })),
  );
  const failures = Promise.all([...waiting, bulk].map(({ result }) => failureOf(result)));
  await sleep(20); // all are in the queue
  world.permit.open();
  for (const failure of (await failures).slice(0, -1)) expect(failure).toMatchObject({ type: 'RequestsExhausted' });
  const asked = world.insurer.seen.map(askedFor);
  expect(asked).toEqual([...Array.from({ length: 12 }, () => people).flat(), ...Array(8).fill(ofBulk)]);
});

test('a person whose connections are all refused frees the slot after maxRequests tries, and has used up none', async () => {
  await using world = await startWorld(() => {});
  await world.insurer[Symbol.asyncDispose]();
  const input = { ...fetchCare, priority: 'person', maxRequests: 5 } as const;
  const first = world.attempt((a) => a.fetchCareRecords(input));
  expect(await failureOf(first.result)).toMatchObject({ type: 'LineError.refused', nonRetryable: false });
  const used = { countedRequests: 0, lineUse: { requests: 5, faults: { refused: 5 } } };
  expect(first.heartbeats.at(-1)).toMatchObject(used);
});

test.each([
  [410, 'PatientNotInsured'],
  [404, 'PatientUnknown'],
])('%i is final: %s', async (status, type) => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(status)));
  const { result } = world.attempt((a) => a.fetchCareRecords(fetchCare));
  const failure = await failureOf(result);
  const { patientRef, syncId } = fetchCare;
  const details = [{ about: { patientRef, syncId }, lineUse: { requests: 1, faults: {} } }];
  expect(failure).toMatchObject({ type, nonRetryable: true, details });
  expect(world.insurer.seen).toHaveLength(1);
});

test.each([
  [410, 'PersonNotInsured'],
  [404, 'PersonUnknown'],
])('%i about somebody who is not listed is final for a run, too: %s', async (status, type) => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(status)));
  for (const priority of ['bulk', 'person'] as const) {
    const input = { ...fetchCare, patientRef: 'provisional', priority };
    const failure = await failureOf(world.attempt((a) => a.fetchCareRecords(input)).result);
    expect(failure).toMatchObject({ nonRetryable: true, details: [{ lineUse: { faults: {} } }] });
    if (priority === 'bulk') expect(failure).toMatchObject({ type, details: [{ seen: { revision: 1 } }] });
  }
});

test('after an attempt that died with a 410, the next one sends no request', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(410)));
  await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  const next = world.attempt((a) => a.fetchCareRecords(fetchCare));
  expect(await failureOf(next.result)).toMatchObject({ type: 'PatientNotInsured', nonRetryable: true });
  expect(world.insurer.seen).toHaveLength(1);
});

test('a 410 is valid for a fetch that started before it and still waits for the table', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(410)));
  const answered = Promise.withResolvers<void>();
  world.table.answers = () => answered.promise;
  const late = world.attempt((a) => a.fetchCareRecords(fetchCare));
  world.table.answers = async () => {};
  await failureOf(world.attempt((a) => a.fetchCareRecords({ ...fetchCare, priority: 'person' })).result);
  answered.resolve();
  expect(await failureOf(late.result)).toMatchObject({ type: 'PatientNotInsured', nonRetryable: true });
  expect(world.insurer.seen).toHaveLength(1);
});

test.each(['while it is being stored', 'after it could not be stored'])(
  'a 410 is valid for a fetch that starts %s',
  async (when) => {
    await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(410)));
    const received = Promise.withResolvers<void>();
    const stored = Promise.withResolvers<void>();
    world.table.writes = () => {
      received.resolve();
      return stored.promise;
    };
    const first = world.attempt((a) => a.fetchCareRecords({ ...fetchCare, priority: 'person' }));
    await received.promise;
    world.table.writes = async () => {};
    if (when === 'after it could not be stored') {
      first.cancel();
      stored.reject(new Error('the table is unavailable'));
      await failureOf(first.result);
    }
    const second = world.attempt((a) => a.fetchCareRecords(fetchCare));
    expect(await failureOf(second.result)).toMatchObject({ type: 'PatientNotInsured', nonRetryable: true });
    stored.resolve();
    await failureOf(first.result);
    expect(world.insurer.seen).toHaveLength(1);
  },
);

test('no request is sent for a patient who has been removed', async () => {
  await using world = await startWorld(() => {});
  const { result } = world.attempt((a) => a.fetchCareRecords({ ...fetchCare, patientRef: 'gone' }));
  expect(await failureOf(result)).toMatchObject({ type: 'PatientGone', nonRetryable: true });
  expect(world.insurer.seen).toHaveLength(0);
});

test('requests that we abort ourselves count as use of the line, not against maxRequests', async () => {
  await using world = await startWorld(({ socket }, number) => {
    if (number > 3) socket.write(httpAnswer(200, records));
  });
  const { result } = world.attempt((a) => a.fetchCareRecords({ ...fetchCare, maxRequests: 1 }));
  for (const number of [1, 2, 3]) {
    await world.insurer.requestArrives(number);
    await world.permit.abort();
  }
  expect(await result).toMatchObject({ lineUse: { requests: 4, faults: {} } });
});

test('a rejected token pauses the line, and the request is repeated after the resume', async () => {
  await using world = await startWorld(
    ({ socket }, number) => void socket.write(number === 1 ? httpAnswer(401) : httpAnswer(200, records)),
  );
  const { result, heartbeats } = world.attempt((a) => a.fetchCareRecords({ ...fetchCare, maxRequests: 1 }));
  while (!heartbeats.some((details) => JSON.stringify(details).includes('unauthorized')))
    await new Promise(setImmediate);
  expect(world.insurer.seen).toHaveLength(1);
  world.permit.open();
  expect(await result).toMatchObject({ lineUse: { requests: 2, faults: { unauthorized: 1 } } });
});

test('a cancelled fetch ends with its connection closed', async () => {
  await using world = await startWorld(() => {});
  const { result, cancel } = world.attempt((a) => a.fetchCareRecords(fetchCare));
  const { closed } = await world.insurer.requestArrives(1);
  cancel();
  expect(await failureOf(result)).toMatchObject({ name: 'CancelledFailure' });
  await closed;
});

test.each([
  ['CANCELLED' as const, []],
  ['WORKER_SHUTDOWN' as const, [1]],
])('an attempt that ends by %s heartbeats only for a next attempt', async (reason, counts) => {
  await using world = await startWorld(({ socket }, number) => void (number === 1 && socket.write(httpAnswer(500))));
  const { result, heartbeats, cancel } = world.attempt((a) => a.fetchCareRecords(fetchCare));
  await world.insurer.requestArrives(2);
  cancel(reason);
  expect(await failureOf(result)).toMatchObject({ name: 'CancelledFailure' });
  expect(heartbeats.map(({ countedRequests }) => countedRequests)).toEqual(counts);
});

const fetchList = { insurerId: 'kk', listId: 'l1' } as const;
const resumable = { etag: '"v1"', 'accept-ranges': 'bytes' };
const abort = (request: RawRequest, body: string, headers: Record<string, string>, status = 200): void => {
  request.socket.end(httpAnswer(status, body, headers).subarray(0, -100));
};
const rest = (from: number, body = list): [string, Record<string, string>] => [
  body.slice(from),
  { etag: '"v1"', 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` },
];

test('an interrupted transfer of the list is resumed where it broke', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    const from = Number(/\d+/.exec(request.headers['range'] ?? '')?.[0]);
    if (number === 2) return abort(request, ...rest(from), 206);
    request.socket.write(httpAnswer(206, ...rest(from)));
  });
  const { result } = world.attempt((a) => a.fetchPatientList({ ...fetchList, knownEtag: '"v0"' }));
  const fetched = await result;
  if (fetched.kind !== 'list') return expect.unreachable();
  expect(world.listOf(fetched.list)).toBe(list);
  expect(fetched).toMatchObject({
    list: { sizeBytes: list.length, etag: '"v1"' },
    lineUse: { requests: 3, faults: { 'cut-short': 2 } },
  });
  expect(
    world.insurer.seen.map(({ headers }) => [headers['if-none-match'], headers['range'], headers['if-range']]),
  ).toEqual([
    ['"v0"', undefined, undefined],
    [undefined, `bytes=${list.length - 100}-`, '"v1"'],
    [undefined, expect.stringMatching(/^bytes=\d+-$/), '"v1"'],
  ]);
  expect(world.insurer.seen[0]?.headers['accept-encoding']).toBe('identity');
});

test('the next attempt continues from the heartbeat details of the last one', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    if (number < 10) return void request.socket.write(httpAnswer(500));
    request.socket.write(httpAnswer(206, ...rest(list.length - 100)));
  });
  const first = world.attempt((a) => a.fetchPatientList(fetchList));
  expect(await failureOf(first.result)).toMatchObject({ type: 'LineError.server-error', nonRetryable: false });
  const second = world.attempt(
    (a) => a.fetchPatientList(fetchList),
    JSON.parse(JSON.stringify(first.heartbeats.at(-1))),
    2,
  );
  const fetched = await second.result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(fetched.kind === 'list' && world.segmentsOf(fetched.list)).toHaveLength(2);
});

test.each([
  ['continues after the segments of a manifest', false, 'range'],
  ['restarts if the manifest is missing', true, 'no range'],
])('the next attempt %s', async (_what, isGone, asks) => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    if (number < 9) return void request.socket.write(httpAnswer(500));
    if (request.headers['range']) request.socket.write(httpAnswer(206, ...rest(list.length - 100)));
    else request.socket.write(httpAnswer(200, list, resumable));
  });
  const first = world.attempt((a) => a.fetchPatientList(fetchList));
  await failureOf(first.result);
  const details = first.heartbeats.at(-1) as { list: { segments: PayloadReference[] } };
  const manifest = await world.lists.putManifest('l1', details.list.segments);
  if (isGone) world.objects.delete(manifest.key);
  const resumed = { ...details, list: { ...details.list, manifest, segments: [] } };
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList), resumed, 2).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen[8]?.headers['range'] ? 'range' : 'no range').toBe(asks);
});

test('after an attempt that died between the last byte and its result, the list is not fetched again', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, list, resumable)));
  const first = world.attempt((a) => a.fetchPatientList(fetchList));
  await first.result;
  const again = await world.attempt((a) => a.fetchPatientList(fetchList), first.heartbeats.at(-1), 2).result;
  expect(again.kind === 'list' && world.listOf(again.list)).toBe(list);
  expect(world.insurer.seen).toHaveLength(1);
});

const other = list.replaceAll('n', 'm');
test.each<[string, (request: RawRequest) => void]>([
  ['the whole of a different list', ({ socket }) => void socket.write(httpAnswer(200, other, { etag: '"v2"' }))],
  ['416 of a different list', ({ socket }) => void socket.write(httpAnswer(416, '', { etag: '"v2"' }))],
  [
    'the rest of a different list',
    ({ socket }) =>
      void socket.write(httpAnswer(206, rest(list.length - 100)[0], { ...rest(list.length - 100)[1], etag: '"v2"' })),
  ],
])('if a range request is answered with %s, the stored part is discarded', async (_what, answerRange) => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    if (request.headers['range']) return answerRange(request);
    request.socket.write(httpAnswer(200, other, { etag: '"v2"' }));
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(other);
  expect(fetched.kind === 'list' && fetched.list.etag).toBe('"v2"');
});

test.each<[string, (request: RawRequest) => void]>([
  ['a page', ({ socket }) => void socket.write(httpAnswer(200, '<html>log in</html>'))],
  ['an object', ({ socket }) => void socket.write(httpAnswer(200, '{"patients":[]}', { etag: '"v2"' }))],
  ['white space', ({ socket }) => void socket.write(httpAnswer(200, ' \n ', { etag: '"v2"' }))],
  ['bytes that are not HTTP', ({ socket }) => void socket.end('no HTTP at all\r\n\r\n')],
  ['404', ({ socket }) => void socket.write(httpAnswer(404))],
  ['400', ({ socket }) => void socket.write(httpAnswer(400))],
  ['an unexpected 304', ({ socket }) => void socket.write('HTTP/1.1 304 Not Modified\r\n\r\n')],
  ['a rest without Content-Range', ({ socket }) => void socket.write(httpAnswer(206, rest(list.length - 100)[0]))],
  ['416', ({ socket }) => void socket.write(httpAnswer(416))],
  ['416 of the same list', ({ socket }) => void socket.write(httpAnswer(416, '', { etag: '"v1"' }))],
  ['another range', ({ socket }) => void socket.write(httpAnswer(206, ...rest(list.length - 90)))],
  [
    'a byte too many',
    ({ socket }) => void socket.write(httpAnswer(206, `${list.slice(-100)}x`, rest(list.length - 100)[1])),
  ],
  [
    'the whole list as its rest',
    ({ socket }) => {
      const [head, body] = [httpAnswer(206, list, rest(list.length - 100)[1]), 50];
      socket.write(head.subarray(0, -list.length + body)); // a part that arrives before the contradiction is noticed
      setTimeout(() => socket.write(head.subarray(-list.length + body)), 50);
    },
  ],
  [
    'a rest that does not end like a list',
    ({ socket }) => void socket.write(httpAnswer(206, 'x'.repeat(100), rest(list.length - 100)[1])),
  ],
  ['a part of the same list', ({ socket }) => void socket.write(httpAnswer(200, list.slice(0, 50), resumable))],
])('if a range request is answered with %s once, the stored part is kept', async (_what, answerOnce) => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    if (number === 2) return answerOnce(request);
    request.socket.write(httpAnswer(206, ...rest(list.length - 100)));
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen[2]?.headers['range']).toBe(`bytes=${list.length - 100}-`);
  expect(world.insurer.seen).toHaveLength(3);
});

test('the stored part is kept if the insurer ignores the range and sends the same list again', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    if (number === 2) return void request.socket.end(httpAnswer(200, list, resumable).subarray(0, -2_000));
    if (number === 3) return void request.socket.write(httpAnswer(200, list, resumable));
  });
  const { result, heartbeats } = world.attempt((a) => a.fetchPatientList(fetchList));
  const fetched = await result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen.map(({ headers }) => headers['range'])).toEqual([
    undefined,
    ...Array.from({ length: 2 }, () => `bytes=${list.length - 100}-`),
  ]);
  expect(heartbeats.at(-1)).toMatchObject({ list: { sizeBytes: list.length } });
});

test('a list whose last byte had arrived before the transfer broke is complete: the insurer says how long it is', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1)
      return void request.socket.end(httpAnswer(200, list, { ...resumable, 'content-length': `${list.length + 1}` }));
    request.socket.write(httpAnswer(416, '', { etag: '"v1"', 'content-range': `bytes */${list.length}` }));
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen).toHaveLength(2);
});

/** Answers until the connection is closed in order. */
const closes = (status: number, body: string, headers: Record<string, string>): string =>
  `HTTP/1.1 ${status} X\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n${body}`;

test('a list without a declared end that is cut by an orderly close is resumed where it broke', async () => {
  await using world = await startWorld(({ socket, headers }, number) => {
    const from = Number(/\d+/.exec(headers['range'] ?? '')?.[0] ?? 0);
    if (number === 1) socket.end(closes(200, list.slice(0, 400), resumable));
    else if (number === 2)
      socket.end(
        closes(206, list.slice(from, from + 100), { etag: '"v1"', 'content-range': `bytes ${from}-${from + 99}/*` }),
      );
    else socket.end(closes(206, ...rest(from)));
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(fetched.lineUse).toEqual({ requests: 3, faults: { 'cut-short': 2 } });
  expect(world.insurer.seen.map(({ headers }) => headers['range'])).toEqual([undefined, 'bytes=400-', 'bytes=500-']);
});

test('a list without a declared end that never has its last bracket becomes unusable', async () => {
  const cut = list.slice(0, 400);
  await using world = await startWorld(({ socket, headers }) => {
    if (headers['range'] === undefined) socket.end(closes(200, cut, resumable));
    else socket.write(httpAnswer(416, '', { etag: '"v1"', 'content-range': 'bytes */400' }));
  });
  expect(await attemptsUntilDone(world)).toMatchObject({
    type: 'ListUnusable',
    details: [{ lineUse: { faults: { 'cut-short': 40, 'not-json': 40 } } }],
  });
});

test('if the insurer can satisfy no range, the list is asked for as a whole, and the stored part is kept', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    if (request.headers['range']) return void request.socket.write(httpAnswer(416));
    request.socket.write(httpAnswer(200, list, resumable));
  });
  const { result, heartbeats } = world.attempt((a) => a.fetchPatientList(fetchList));
  const fetched = await result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen.map(({ headers }) => headers['range'] !== undefined)).toEqual([false, true, true, false]);
  expect(heartbeats.at(-1)).toMatchObject({ list: { sizeBytes: list.length } });
});

test('a rest of unknown total length is accepted', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, resumable);
    const from = list.length - 100;
    request.socket.write(
      httpAnswer(206, list.slice(from), { etag: '"v1"', 'content-range': `bytes ${from}-${list.length - 1}/*` }),
    );
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen).toHaveLength(2);
});

test('a list may start with a byte order mark, also in single bytes', async () => {
  const marked = `\ufeff\n${list}`;
  await using world = await startWorld(async ({ socket }) => {
    const bytes = httpAnswer(200, marked, resumable);
    const start = bytes.indexOf(0xef);
    for (const [from, to] of [
      [0, start + 1],
      [start + 1, start + 2],
      [start + 2, start + 4],
      [start + 4, bytes.length],
    ]) {
      socket.write(bytes.subarray(from, to));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(marked);
  expect(fetched.lineUse).toEqual({ requests: 1, faults: {} });
});

test.each<[string, Record<string, string>]>([
  ['no ETag', { 'accept-ranges': 'bytes' }],
  ['a weak ETag', { etag: 'W/"v1"', 'accept-ranges': 'bytes' }],
  ['no ranges', { etag: '"v1"' }],
  ['an ETag of 2 KB, which nobody sends back', { etag: `"${'v'.repeat(2_000)}"`, 'accept-ranges': 'bytes' }],
])('an interrupted list with %s is fetched from the start', async (_what, headers) => {
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, headers);
    request.socket.write(httpAnswer(200, list, headers));
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen[1]?.headers['range']).toBeUndefined();
});

test.each<[string, string]>([
  ['a page', '<html>log in</html>'],
  ['an object', '{"patients":[]}'],
  ['a list without its end', list.slice(0, -50)],
  ['white space only', ' \n '],
])('after %s instead of the list, the list is fetched again', async (_what, body) => {
  await using world = await startWorld(
    ({ socket }, number) => void socket.write(httpAnswer(200, number === 1 ? body : list, resumable)),
  );
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(fetched.lineUse).toEqual({ requests: 2, faults: { 'not-json': 1 } });
  expect(world.insurer.seen[1]?.headers['range']).toBeUndefined();
});

/** Runs attempts one after the other, as Temporal does, until one succeeds or must not be retried. */
async function attemptsUntilDone(world: Awaited<ReturnType<typeof startWorld>>) {
  let details: object | undefined;
  for (let number = 1; number < 20; number++) {
    const attempt = world.attempt((a) => a.fetchPatientList(fetchList), details, number);
    const outcome = await attempt.result.catch((error: ApplicationFailure) => error);
    if (!(outcome instanceof Error) || outcome.nonRetryable) return outcome;
    details = attempt.heartbeats.at(-1);
  }
  return expect.unreachable('20 attempts without a result');
}

test.each<[string, string, string, Buffer]>([
  ['404', 'contract', 'status 404', httpAnswer(404, 'no such path')],
  ['a redirect', 'redirect', 'status 302', httpAnswer(302, '', { location: '/login' })],
  ['a page', 'not-json', 'not an array', httpAnswer(200, '<html>log in</html>')],
  ['an object', 'not-json', 'not an array', httpAnswer(200, '{"patients":[]}')],
  ['a list without its end', 'not-json', 'not an array', httpAnswer(200, '[{"kvnr":1},')],
  ['undeclared UTF-16LE', 'not-json', 'not UTF-8 (UTF-16LE fits)', httpAnswer(200, Buffer.from(list, 'utf16le'))],
  [
    'undeclared UTF-16BE',
    'not-json',
    'not UTF-8 (UTF-16BE fits)',
    httpAnswer(200, Buffer.from(list, 'utf16le').swap16()),
  ],
  ['brotli', 'contract', 'content-encoding', httpAnswer(200, list, { 'content-encoding': 'br' })],
  [
    'damaged gzip',
    'not-json',
    'gzip',
    httpAnswer(200, Buffer.from('\x1f\x8b damaged', 'latin1'), { 'content-encoding': 'gzip' }),
  ],
  [
    'another protocol',
    'contract',
    'status 101',
    Buffer.from('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
  ],
  ['headers of 80 KB', 'contract', 'HPE_HEADER_OVERFLOW', httpAnswer(200, list, { 'x-more': 'x'.repeat(80_000) })],
  ['bytes that are not HTTP', 'contract', 'HPE_INVALID_CONSTANT', Buffer.from('no HTTP at all\r\n\r\n')],
])('an insurer that always answers with %s has no usable list', async (_what, fault, problem, answer) => {
  // Every third answer is lost on the way, and does not count.
  await using world = await startWorld(({ socket }, number) => {
    if (number % 3 === 0) socket.resetAndDestroy();
    else socket.write(answer);
  });
  expect(await attemptsUntilDone(world)).toMatchObject({
    type: 'ListUnusable',
    nonRetryable: true,
    details: [{ lineUse: { requests: 59, faults: { [fault]: 40, reset: 19 } }, lastFault: fault, problem }],
  });
});

test('a list that the network keeps corrupting does not count as unusable', async () => {
  await using world = await startWorld(({ socket }, number) => {
    if (number > 100) socket.write(httpAnswer(200, list));
    else if (number % 2 === 0) socket.write(httpAnswer(200, '<html>'));
    else socket.end(httpAnswer(200, list).subarray(0, -100));
  });
  expect(await attemptsUntilDone(world)).toMatchObject({ kind: 'list' });
  expect(world.insurer.seen).toHaveLength(101);
});

test('answers that are not HTTP do not make the list unusable while parts of it arrive in between', async () => {
  await using world = await startWorld(({ socket }, number) => {
    if (number > 100) socket.write(httpAnswer(200, list));
    else if (number % 20 === 0) socket.end(httpAnswer(200, list).subarray(0, -100));
    else socket.end('no HTTP at all\r\n\r\n');
  });
  expect(await attemptsUntilDone(world)).toMatchObject({ kind: 'list', lineUse: { faults: { contract: 95 } } });
});

test.each([
  ['utf-8', 'UTF-8'],
  ['none', 'none'],
  ['nothing', ''],
  ['identity twice', 'identity, identity'],
])('a list whose encoding is declared as %s is plain, and is resumed where it broke', async (_what, encoding) => {
  const headers = { ...resumable, 'content-encoding': encoding };
  await using world = await startWorld((request, number) => {
    if (number === 1) return abort(request, list, headers);
    request.socket.write(httpAnswer(206, rest(list.length - 100)[0], { ...headers, ...rest(list.length - 100)[1] }));
  });
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(fetched.lineUse).toEqual({ requests: 2, faults: { 'cut-short': 1 } });
});

test('a list that says gzip and is plain is read as plain: a proxy has unpacked it', async () => {
  const headers = { 'content-encoding': 'gzip' };
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, list, headers)));
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(fetched.lineUse).toEqual({ requests: 1, faults: {} });
});

test('if the insurer keeps rejecting requests for the rest of a list, the whole list is requested', async () => {
  await using world = await startWorld((request, number) => {
    if (number === 1) abort(request, list, resumable);
    else request.socket.write(request.headers['range'] ? httpAnswer(400) : httpAnswer(200, other));
  });
  const fetched = await attemptsUntilDone(world);
  expect('list' in fetched && world.listOf(fetched.list)).toBe(other);
  expect(world.insurer.seen).toHaveLength(22);
});

test('an unchanged list costs one request', async () => {
  await using world = await startWorld(
    ({ socket }) => void socket.write('HTTP/1.1 304 Not Modified\r\netag: "v1"\r\n\r\n'),
  );
  const { result } = world.attempt((a) => a.fetchPatientList({ ...fetchList, knownEtag: '"v1"' }));
  expect(await result).toEqual({ kind: 'unchanged', lineUse: { requests: 1, faults: {} } });
});

test('a list is stored in segments, so that it is never completely in memory', async () => {
  const big = `[${' '.repeat(20 * 1024 * 1024)}]`;
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, big, resumable)), 3_000);
  const fetched = await world.attempt((a) => a.fetchPatientList(fetchList)).result;
  if (fetched.kind !== 'list') return expect.unreachable();
  expect(world.segmentsOf(fetched.list)).toHaveLength(3);
  expect(world.listOf(fetched.list) === big).toBe(true);
});

test('a worker that stops during a transfer stores what has arrived', async () => {
  await using world = await startWorld(
    ({ socket }) => void socket.write(httpAnswer(200, list, resumable).subarray(0, -100)),
    5_000,
  );
  const { result, heartbeats, cancel } = world.attempt((a) => a.fetchPatientList(fetchList));
  await world.insurer.requestArrives(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  cancel('WORKER_SHUTDOWN');
  expect(await failureOf(result)).toMatchObject({ name: 'CancelledFailure' });
  expect(heartbeats.at(-1)).toMatchObject({ list: { sizeBytes: list.length - 100, position: '"v1"' } });
});

test('while the bucket does not answer, other requests use the line, and then the list is resumed without a loss', async () => {
  const big = `[${' '.repeat(20 * 1024 * 1024)}]`;
  await using world = await startWorld(
    ({ socket, path, headers }) => {
      if (path.endsWith('/care-records')) return void socket.write(httpAnswer(200, records));
      const from = Number(/\d+/.exec(headers['range'] ?? '')?.[0] ?? 0);
      socket.write(from === 0 ? httpAnswer(200, big, resumable) : httpAnswer(206, ...rest(from, big)));
    },
    3_000,
    100,
  );
  const { putSegment } = world.lists;
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let puts = 0;
  Object.assign(world.lists, {
    putSegment: async (...put: Parameters<typeof putSegment>) => {
      puts += 1;
      if (puts === 1) {
        asked.resolve();
        await answered.promise;
      }
      return await putSegment(...put);
    },
  });
  const { result, heartbeats } = world.attempt((a) => a.fetchPatientList(fetchList));
  await asked.promise;
  await world.attempt((a) => a.fetchCareRecords(fetchCare)).result; // the bucket still hangs
  expect(heartbeats.at(-1)).toMatchObject({ list: { sizeBytes: 0 } });
  answered.resolve();
  const fetched = await result;
  if (fetched.kind !== 'list') return expect.unreachable();
  expect(world.listOf(fetched.list) === big).toBe(true);
  expect(fetched.lineUse).toEqual({ requests: 2, faults: {} }); // it is no failure of the insurer
  expect(world.insurer.overlaps).toBe(0);
});

test('an answer that cannot be stored is asked for again; the same bytes again are the insurer’s answer, and nobody asks again that day', async () => {
  const without = `{"kvnr":"${anna}","careRecords":[{"title":"no ID"}]}`;
  await using world = await startWorld(({ socket }, number) => {
    if (number === 2)
      socket.write(httpAnswer(200, '<html>')); // a failure of the line in between
    else socket.write(httpAnswer(200, without));
  });
  const failure = await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(failure).toMatchObject({ type: 'AnswerUnusable', nonRetryable: true });
  expect(failure.details?.[0]).toMatchObject({ problem: 'careRecords[0].id: missing', lineUse: { requests: 3 } });
  const again = await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(again).toMatchObject({ type: 'AnswerUnusable', details: [{ problem: 'careRecords[0].id: missing' }] });
  expect(world.insurer.seen).toHaveLength(3);
});

test.each([
  ['nested too deeply', `"x":${'{"a":['.repeat(129)}${']}'.repeat(129)},"kvnr":"${anna}"`, 'answer: nested too deeply'],
  [
    'an ID of 2 000 characters',
    `"kvnr":"${anna}","careRecords":[{"id":"${'x'.repeat(2_000)}"}]`,
    'careRecords[0].id: too long',
  ],
  [
    'an ID of 400 emojis',
    `"kvnr":"${anna}","careRecords":[{"id":"${'😀'.repeat(400)}"}]`,
    'careRecords[0].id: too long',
  ],
])('an answer with %s is final after two requests', async (_what, fields, problem) => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, `{${fields}}`)));
  const failure = await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(failure).toMatchObject({ type: 'AnswerUnusable', details: [{ problem, lineUse: { requests: 2 } }] });
});

const withoutId = `{"kvnr":"${anna}","careRecords":[{"title":"no ID"}]}`;

test('an answer that cannot be stored is sent twice a day at most, although a run and a person ask at the same time', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, withoutId)));
  const asked = (['bulk', 'person', 'bulk'] as const).map((priority) =>
    failureOf(world.attempt((a) => a.fetchCareRecords({ ...fetchCare, priority })).result),
  );
  for (const failure of await Promise.all(asked)) expect(failure).toMatchObject({ type: 'AnswerUnusable' });
  expect(world.insurer.seen).toHaveLength(2);
  const later = await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(later).toMatchObject({ type: 'AnswerUnusable' });
  expect(world.insurer.seen).toHaveLength(2);
});

test('a person does not wait for the queued request of a run about the same patient, whose answer cannot be stored', async () => {
  const othersWait = Promise.withResolvers<void>();
  await using world = await startWorld(async (request, number) => {
    if (number === 1) await othersWait.promise;
    await sleep(2);
    request.socket.write(askedFor(request) === anna ? httpAnswer(200, withoutId) : httpAnswer(500));
  });
  const fetch = (priority: 'bulk' | 'person', patientRef: Kvnr) =>
    failureOf(world.attempt((a) => a.fetchCareRecords({ ...fetchCare, priority, patientRef })).result);
  const run = fetch('bulk', anna);
  await world.insurer.requestArrives(1);
  const others = ofRun.map((kvnr) => fetch('person', kvnr));
  await sleep(20); // the run's second request comes behind them
  othersWait.resolve();
  await world.insurer.requestArrives(3);
  const person = fetch('person', anna);
  const final = { type: 'AnswerUnusable', details: [{ lineUse: { requests: 1 } }] };
  expect(await Promise.all([person, run])).toMatchObject([final, final]);
  await Promise.all(others);
  const asked = world.insurer.seen.map(askedFor);
  expect(asked.filter((kvnr) => kvnr === anna)).toHaveLength(2);
  expect(asked.lastIndexOf(anna)).toBeLessThan(3 + 2 * others.length); // among 120 requests of the others
});

test.each(['is in the table', 'could not be stored'])(
  'after a fetch that was cancelled between its two requests, one more request is enough: the first answer %s',
  async (where) => {
    const second = Promise.withResolvers<void>();
    await using world = await startWorld(async ({ socket }, number) => {
      if (number === 2 && where === 'is in the table') await second.promise;
      socket.write(httpAnswer(200, withoutId));
    });
    const cancelled = world.attempt((a) => a.fetchCareRecords(fetchCare));
    if (where === 'could not be stored')
      world.table.writes = async () => {
        cancelled.cancel();
        throw new Error('the table is unavailable');
      };
    else void world.insurer.requestArrives(2).then(() => cancelled.cancel());
    expect(await failureOf(cancelled.result)).toMatchObject({ name: 'CancelledFailure' });
    world.table.writes = async () => {};
    second.resolve();
    const sent = world.insurer.seen.length;
    const next = await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
    expect(next).toMatchObject({ type: 'AnswerUnusable', details: [{ lineUse: { requests: 1 } }] });
    expect(world.insurer.seen).toHaveLength(sent + 1);
  },
);

test('a different answer that cannot be stored may be damaged until it comes twice', async () => {
  await using world = await startWorld(({ socket }, number) => {
    socket.write(httpAnswer(200, number < 4 ? `{"kvnr":"${anna}","careRecords":[${number}]}` : records));
  });
  expect(await world.attempt((a) => a.fetchCareRecords(fetchCare)).result).toMatchObject({ lineUse: { requests: 4 } });
});

test('what breaks the contract in an answer is named, and the answer is stored as it was sent', async () => {
  const odd = `{"kvnr":"a 123 456 780","careRecords":[{"id":"r","start":"1950-00-00","status":null}]}`;
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, odd)));
  const { payload, flags } = answered(await world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(world.objects.get(payload.key)?.toString()).toBe(odd);
  expect(flags).toBe(
    'careRecords[0].programme: missing; careRecords[0].title: missing; careRecords[0].status: not one of the allowed; careRecords[0].start: not a date',
  );
});

const unchanged = 'HTTP/1.1 304 Not Modified\r\n\r\n';
const refresh = { ...fetchCare, refreshBefore: '2026-11-20T00:00:00.000Z' };

test('a refresh asks whether the care records have changed; a 304 renews their date and stores nothing', async () => {
  await using world = await startWorld(({ socket }, number) => {
    socket.write(number === 1 ? httpAnswer(500) : unchanged);
  });
  world.stored.set('ref', { careVersion: '1', careRecordsAsOf: '2026-11-19T23:59:59.999Z', careEtag: 'W/"a"' });
  const result = await world.attempt((a) => a.fetchCareRecords(refresh)).result;
  expect(result).toEqual({ isUnchanged: true, lineUse: { requests: 2, faults: { 'server-error': 1 } } });
  expect(world.insurer.seen.map(({ headers }) => headers['if-none-match'])).toEqual(['W/"a"', 'W/"a"']);
  expect(world.renewed).toEqual([{ careVersion: '1', receivedAt: expect.stringMatching(/^20/) }]);
  expect(world.objects.size).toBe(0);
});

test('without a stored ETag a refresh asks unconditionally, and a 304 is then a failure', async () => {
  await using world = await startWorld(({ socket }, number) => {
    socket.write(number === 1 ? unchanged : httpAnswer(200, records, { etag: '"b"' }));
  });
  world.stored.set('ref', { careVersion: '1' });
  const result = answered(await world.attempt((a) => a.fetchCareRecords(refresh)).result);
  expect(result).toMatchObject({ etag: '"b"', lineUse: { requests: 2, faults: { contract: 1 } } });
  expect(world.insurer.seen[0]?.headers).not.toHaveProperty('if-none-match');
  expect(world.renewed).toEqual([]);
});

test('a refresh asks nothing if somebody has asked meanwhile, and other fetches are never conditional', async () => {
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, records)));
  world.stored.set('ref', { careVersion: '1', careRecordsAsOf: refresh.refreshBefore, careEtag: '"a"' });
  expect(await world.attempt((a) => a.fetchCareRecords(refresh)).result).toMatchObject({ isUnchanged: true });
  expect(world.insurer.seen).toHaveLength(0);
  await world.attempt((a) => a.fetchCareRecords(fetchCare)).result;
  expect(world.insurer.seen[0]?.headers).not.toHaveProperty('if-none-match');
});

const inEuro = records.replace('[]', '[{"id":"r","title":"Müdigkeit für 5 €"}]');
test.each([
  ['UTF-16 with a byte order mark', Buffer.from(`\ufeff${inEuro}`, 'utf16le'), undefined],
  ['windows-1252', Buffer.from(inEuro.replace('€', '\x80'), 'latin1'), 'application/json; charset=windows-1252'],
])('an answer in %s is stored as UTF-8', async (_form, body, contentType) => {
  const headers = contentType === undefined ? {} : { 'content-type': contentType };
  await using world = await startWorld(({ socket }) => void socket.write(httpAnswer(200, body, headers)));
  const { payload } = answered(await world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(world.objects.get(payload.key)?.toString()).toBe(inEuro);
});

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const tired = `{"kvnr":"${anna}","careRecords":[{"id":"r","title":"M\xfcdigkeit"}]}`;
test.each([
  ['ISO-8859-1', Buffer.from(tired, 'latin1'), '', 'not UTF-8 (ISO-8859-1 fits)'],
  ['UTF-16LE', utf16(tired), '', 'not UTF-8 (UTF-16LE fits)'],
  ['UTF-16BE of ASCII', utf16(records.replace('[]', '0')).swap16(), '', 'not UTF-8 (UTF-16BE fits)'],
  ['broken UTF-16 with a mark', utf16(`\ufeff${tired.replace('M', '\ud83d')}`), '', 'not text in its charset'],
  ['broken UTF-16', utf16(tired.replace('M', '\ud83d')), 'a/b; charset=utf-16', 'not text in its charset'],
])('an answer that is no text in its charset, %s, is final after two requests', async (_form, body, type, problem) => {
  await using world = await startWorld(
    ({ socket }) => void socket.write(httpAnswer(200, body, { 'content-type': type })),
  );
  const failure = await failureOf(world.attempt((a) => a.fetchCareRecords(fetchCare)).result);
  expect(failure).toMatchObject({ type: 'AnswerUnusable', details: [{ problem: `answer: ${problem}` }] });
  expect(world.insurer.seen).toHaveLength(2);
});

test('a list that comes as gzip, although nobody asked for it, is stored decoded, and starts again if it breaks off', async () => {
  const body = gzipSync(list);
  const headers = { 'content-encoding': 'gzip', etag: '"1"', 'accept-ranges': 'bytes' };
  await using world = await startWorld(({ socket }, number) => {
    const answer = httpAnswer(200, body, headers);
    if (number === 1) socket.end(answer.subarray(0, answer.length - 20));
    else socket.write(answer);
  });
  const { result } = world.attempt((a) => a.fetchPatientList({ insurerId: 'kk', listId: 'l' }));
  const fetched = await result;
  expect(fetched).toMatchObject({ kind: 'list', lineUse: { requests: 2, faults: { 'cut-short': 1 } } });
  expect(fetched.kind === 'list' && world.listOf(fetched.list)).toBe(list);
  expect(world.insurer.seen.map(({ headers: { range } }) => range)).toEqual([undefined, undefined]);
});
