import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { expect, test } from 'vitest';
import { isKvnr } from '../core/domain/kvnr.ts';
import { faultKinds } from './faults.ts';
import { type Insurer, type InsurerOptions, startInsurer } from './insurer.ts';
import { indexOf, kvnrOf } from './kvnr-numbers.ts';
import { World } from './world.ts';

const quiet: InsurerOptions = { patients: 40, rate: 0, latencyMs: 0, slowShare: 0, largeDocumentBytes: 20_000 };

/** A plain client of the line, as strict as HTTP/1.1: truncated answers throw. */
function openClient(insurer: Insurer) {
  const pool = new Pool(insurer.baseUrl, { connections: 1, pipelining: 1, bodyTimeout: 3000, headersTimeout: 3000 });
  return {
    async get(path: string, headers: Record<string, string> = {}, signal?: AbortSignal) {
      const options: Dispatcher.RequestOptions = {
        path,
        method: 'GET',
        headers: { authorization: `Bearer ${insurer.token}`, ...headers },
        ...(signal === undefined ? {} : { signal }),
      };
      const { statusCode, headers: answered, body } = await pool.request(options);
      const bytes = Buffer.from(await body.arrayBuffer());
      return { status: statusCode, headers: answered, bytes, text: bytes.toString() };
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}

const care = (kvnr: string): string => `/patients/${kvnr}/care-records`;
const request = (insurer: Insurer, path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: insurer\r\nAuthorization: Bearer ${insurer.token}\r\n\r\n`;

async function connect(insurer: Insurer): Promise<Socket> {
  const socket = createConnection(Number(new URL(insurer.baseUrl).port), '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function rawAnswer(socket: Socket, until: RegExp): Promise<string> {
  let text = '';
  for await (const [chunk] of onData(socket)) {
    text += String(chunk);
    if (until.test(text)) break;
  }
  return text;
}
async function* onData(socket: Socket): AsyncGenerator<[Buffer]> {
  for (;;) yield (await once(socket, 'data')) as [Buffer];
}

const someone = (insurer: Insurer, kind = 'ok'): string => {
  const found = insurer.patients().find((patient) => patient.kind === kind);
  if (found === undefined) throw new Error(`nobody of kind ${kind}`);
  return found.kvnr;
};

test('each patient has a different KVNR with a correct check digit', () => {
  const kvnrs = Array.from({ length: 5000 }, (_, index) => kvnrOf(index, 77));
  expect(kvnrs.every(isKvnr)).toBe(true);
  expect(new Set(kvnrs).size).toBe(5000);
  expect(kvnrs.map((kvnr) => indexOf(kvnr, 77))).toEqual(kvnrs.map((_, index) => index));
});

test('the list has every patient, the duplicates and the malformed entries, as patients() returns them', async () => {
  await using insurer = await startInsurer({ ...quiet, patients: 1200, largeDocuments: 0 });
  await using client = openClient(insurer);
  const { status, headers, text } = await client.get('/patients');
  expect(status).toBe(200);
  expect(headers['accept-ranges']).toBe('bytes');
  const patients = insurer.patients();
  expect(patients).toHaveLength(1200);
  const entries = patients.flatMap((patient) => patient.entries);
  expect(entries).toHaveLength(1204);
  const malformed = insurer.malformed().map((entry) => entry.text);
  expect(text.slice(1, -2).split(',\n').sort()).toEqual([...entries, ...malformed].sort());
  expect(JSON.parse(text)).toHaveLength(1204 + malformed.length);
  expect(text).toMatch(/\\ud800/);
  expect(new Set(patients.map(({ kind }) => kind))).toEqual(new Set(['ok', '410', '404']));
});

test('care records are those of patients(), with 410 and 404 for patients without any', async () => {
  await using insurer = await startInsurer({ ...quiet, patients: 120 });
  await using client = openClient(insurer);
  for (const { kvnr, kind, careRecords } of insurer.patients()) {
    const answer = await client.get(care(kvnr));
    expect(answer.status).toBe(kind === 'ok' ? 200 : Number(kind));
    if (careRecords !== null) expect(answer.text).toBe(careRecords);
  }
  expect(insurer.summary()).toMatchObject({ requests: 120, violations: 0, offContract: 0, failureRate: 0 });
});

test('the same seed gives the same answers to the same requests, and another seed does not', async () => {
  const fates = async (seed: number): Promise<string[]> => {
    await using insurer = await startInsurer({
      ...quiet,
      seed,
      rate: 0.8,
      mix: { 'server-error': 1, 'cut-short': 2, 'broken-json': 1 },
    });
    await using client = openClient(insurer);
    for (const { kvnr } of insurer.patients()) await client.get(care(kvnr)).catch(() => undefined);
    await client.get('/patients').catch(() => undefined);
    return insurer.log().map(({ path, outcome, bytesSent }) => `${path} ${outcome} ${bytesSent}`);
  };
  const first = await fates(5);
  expect(await fates(5)).toEqual(first);
  expect(await fates(6)).not.toEqual(first);
});

test('by default 80 % of requests fail, with every fault of the mix', async () => {
  await using insurer = await startInsurer({ patients: 250, latencyMs: 0, retryAfterSeconds: 0, holdMs: 5 });
  await using client = openClient(insurer);
  for (const { kvnr } of insurer.patients()) {
    for (let attempt = 0; attempt < 4; attempt++)
      await client.get(care(kvnr), { 'accept-encoding': 'gzip' }).catch(() => undefined);
  }
  const { requests, failureRate, byOutcome } = insurer.summary();
  expect(requests).toBeGreaterThan(900);
  expect(failureRate).toBeGreaterThan(0.75);
  expect(failureRate).toBeLessThan(0.85);
  for (const kind of faultKinds.slice(0, faultKinds.indexOf('unauthorized'))) {
    if (kind !== 'hang' && kind !== 'stalled') expect(byOutcome, kind).toHaveProperty(kind);
  }
});

test('a broken list can be resumed at any byte, and the pieces make up the list', async () => {
  await using insurer = await startInsurer({ ...quiet, patients: 3000 });
  await using client = openClient(insurer);
  const whole = await client.get('/patients');
  const etag = String(whole.headers['etag']);
  for (const at of [0, 1, whole.bytes.length >> 1, whole.bytes.length - 1]) {
    const rest = await client.get('/patients', { range: `bytes=${at}-`, 'if-range': etag });
    expect(rest.status).toBe(206);
    expect(rest.headers['content-range']).toBe(`bytes ${at}-${whole.bytes.length - 1}/${whole.bytes.length}`);
    expect(rest.bytes.equals(whole.bytes.subarray(at))).toBe(true);
  }
  expect((await client.get('/patients', { range: `bytes=${whole.bytes.length}-`, 'if-range': etag })).status).toBe(416);
  expect((await client.get('/patients', { 'if-none-match': etag })).status).toBe(304);
  insurer.nextDay({ changed: 1 });
  const other = await client.get('/patients', { range: 'bytes=100-', 'if-range': etag });
  expect(other.status).toBe(200);
  expect(other.headers['etag']).not.toBe(etag);
});

test('without ranges, or with a weak ETag or none, the whole list is always sent', async () => {
  for (const serving of [{ ranges: false }, { etag: 'weak' }, { etag: 'none' }] as const) {
    await using insurer = await startInsurer({ ...quiet, ...serving });
    await using client = openClient(insurer);
    const whole = await client.get('/patients');
    expect(whole.headers['accept-ranges']).toBeUndefined();
    const again = await client.get('/patients', {
      range: 'bytes=100-',
      'if-range': String(whole.headers['etag'] ?? '"x"'),
    });
    expect(again.status).toBe(200);
    expect(again.bytes.equals(whole.bytes)).toBe(true);
  }
});

test('on the next day some patients are gone, new or changed; an unchanged day is answered with 304', async () => {
  await using insurer = await startInsurer({ ...quiet, identicalDuplicates: 0, differingDuplicates: 0 });
  await using client = openClient(insurer);
  const before = new Map(insurer.patients().map((patient) => [patient.kvnr, patient.entries[0]]));
  insurer.nextDay({ gone: 3, new: 5, changed: 4 });
  const after = new Map(insurer.patients().map((patient) => [patient.kvnr, patient.entries[0]]));
  const gone = [...before.keys()].filter((kvnr) => !after.has(kvnr));
  expect(gone).toHaveLength(3);
  expect([...after.keys()].filter((kvnr) => !before.has(kvnr))).toHaveLength(5);
  expect([...after].filter(([kvnr, text]) => before.has(kvnr) && before.get(kvnr) !== text)).toHaveLength(4);
  expect((await client.get(care(gone[0] ?? ''))).status).toBe(410);
  const etag = String((await client.get('/patients')).headers['etag']);
  insurer.unchangedDay();
  expect((await client.get('/patients', { 'if-none-match': etag })).status).toBe(304);
  insurer.setList('empty');
  expect((await client.get('/patients')).text).toBe('[]\n');
  insurer.setList('truncated', 0.5);
  const truncated = JSON.parse((await client.get('/patients')).text).length;
  const sentInAll = 42 + insurer.malformed().length;
  expect(truncated).toBeGreaterThan(0.4 * sentInAll); // the bytes are halved, and entries differ in length
  expect(truncated).toBeLessThan(0.6 * sentInAll);
});

test('after a restart, the world continues with the same day', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'insurer-'));
  const options = { ...quiet, stateFile: join(folder, 'state.json') };
  let left: unknown;
  {
    await using insurer = await startInsurer(options);
    insurer.nextDay({ gone: 2, new: 3, changed: 1 });
    left = insurer.patients();
  }
  await using insurer = await startInsurer(options);
  expect(insurer.world.day).toBe(1);
  expect(insurer.patients()).toEqual(left);
  rmSync(folder, { recursive: true });
});

const failing: [string, RegExp][] = [
  ['refused', /ECONNRESET|other side closed/],
  ['reset-before-headers', /ECONNRESET/],
  ['reset-in-body', /ECONNRESET|aborted/],
  ['cut-short', /other side closed|terminated|aborted/],
  ['chunked-without-end', /other side closed|terminated|aborted/],
];
test.each(failing)('%s breaks the exchange for the client', async (fault, message) => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  const kvnr = someone(insurer);
  insurer.script({ match: kvnr, fault: fault as never });
  const error = await client.get(care(kvnr)).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(Error);
  const { message: said, code, cause } = error as Error & { code?: string };
  expect(`${said} ${code} ${String(cause)}`).toMatch(message);
  expect(insurer.log().at(-1)).toMatchObject({ outcome: fault, isWhole: false, kvnr });
});

test('after a refused request, the next connection is reset at accept, or the listener is closed for a while', async () => {
  await using insurer = await startInsurer(quiet);
  const kvnr = someone(insurer);
  insurer.script({ fault: 'refused' });
  await using client = openClient(insurer);
  await expect(client.get(care(kvnr))).rejects.toThrow();
  const refused = createConnection(Number(new URL(insurer.baseUrl).port), '127.0.0.1');
  const [error] = await once(refused, 'error').catch((caught) => [caught]);
  expect(error.code).toBe('ECONNRESET');
  expect(insurer.summary()).toMatchObject({ refusedConnections: 1, requests: 1, violations: 0 });

  insurer.closeListener(100);
  const closed = createConnection(Number(new URL(insurer.baseUrl).port), '127.0.0.1');
  const [closedError] = await once(closed, 'error');
  expect(closedError.code).toBe('ECONNREFUSED');
  await delay(150);
  await using later = openClient(insurer);
  expect((await later.get(care(kvnr))).status).toBe(200);
});

test.each(['hang', 'stalled'] as const)('%s lasts until the client closes the connection', async (fault) => {
  await using insurer = await startInsurer(quiet);
  const kvnr = someone(insurer);
  insurer.script({ fault });
  const socket = await connect(insurer);
  socket.write(request(insurer, care(kvnr)));
  await insurer.requestArrives(1);
  await delay(120);
  expect(insurer.summary().inFlight).toBe(1);
  socket.destroy();
  await insurer.until(({ inFlight }) => inFlight === 0);
  const [entry] = insurer.log();
  expect(entry?.outcome).toBe(fault);
  expect((entry?.endedAt ?? 0) - (entry?.startedAt ?? 0)).toBeGreaterThanOrEqual(119);
});

test('faults with a complete but wrong answer send what their names say', async () => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  const kvnr = someone(insurer);
  const answerTo = (fault: string, more = {}, headers = {}) => {
    insurer.script({ match: 'care', fault: fault as never, connectionClose: false, ...more });
    return client.get(care(kvnr), headers);
  };
  expect(await answerTo('server-error', { status: 502 })).toMatchObject({ status: 502 });
  expect((await answerTo('html-page')).headers['content-type']).toBe('text/html');
  const broken = new Set<string>();
  for (let time = 0; time < 12; time++) {
    const { status, text } = await answerTo('broken-json');
    expect(status).toBe(200);
    expect(() => JSON.parse(text)).toThrow();
    broken.add(text);
  }
  expect(broken.size).toBeGreaterThan(3);
  expect(JSON.parse((await answerTo('wrong-patient')).text).kvnr).not.toBe(kvnr);
  expect(JSON.parse((await answerTo('off-contract', { gzip: false })).text)).not.toMatchObject({
    kvnr,
    careRecords: [{ id: 'V0' }],
  });
  const { status, headers } = await answerTo('redirect', { status: 307 });
  expect([status, headers['location']]).toEqual([
    307,
    expect.stringMatching(new RegExp(`^${care(kvnr)}\\?redirected=\\d+$`)),
  ]);
  expect((await answerTo('unauthorized')).status).toBe(401);
  expect((await answerTo('forbidden')).status).toBe(403);
  expect((await answerTo('too-large', { sizeBytes: 3_000_000, gzip: false })).bytes.length).toBe(3_000_000);
  const zipped = await answerTo('truncated-gzip', {}, { 'accept-encoding': 'gzip' });
  expect(zipped.headers['content-encoding']).toBe('gzip');
  const { gunzipSync } = await import('node:zlib');
  expect(() => gunzipSync(zipped.bytes)).toThrow(/unexpected end/);
  const right = await answerTo('none', { gzip: true }, { 'accept-encoding': 'gzip' });
  expect(gunzipSync(right.bytes).toString()).toBe(insurer.world.careRecords(kvnr));
  const etag = String(right.headers['etag']);
  expect((await client.get(care(kvnr), { 'if-none-match': etag })).status).toBe(304);
});

test('a script can order a list that is broken or violates the contract', async () => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  insurer.script({ match: 'list', fault: 'broken-json', times: 3 }, { match: 'list', fault: 'off-contract', times: 3 });
  for (let time = 0; time < 3; time++) {
    const { text } = await client.get('/patients');
    expect(() => JSON.parse(text)).toThrow();
  }
  for (let time = 0; time < 3; time++)
    expect(Array.isArray(JSON.parse((await client.get('/patients')).text))).toBe(false);
});

test('a slow answer is correct, and takes the given time', async () => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  insurer.script({ fault: 'none', slowMs: 150 });
  const { text } = await client.get('/patients');
  expect(JSON.parse(text).length).toBeGreaterThan(40);
  const [entry] = insurer.log();
  expect((entry?.endedAt ?? 0) - (entry?.startedAt ?? 0)).toBeGreaterThan(140);
});

test('a wrong token is rejected, and a request that violates the contract is recorded', async () => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  expect((await client.get('/patients', { authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await client.get('/health')).status).toBe(404);
  await client.get('/patients', { range: 'bytes=5-' });
  expect(insurer.log()).toMatchObject([
    { authorization: 'wrong', outcome: 'unauthorized' },
    { kind: 'other', offContract: ['path'] },
    { offContract: ['range-without-if-range'], status: 206 },
  ]);
});

test('the judge finds a second request while one is in flight, even an incomplete one, and on the same connection', async () => {
  await using insurer = await startInsurer({ ...quiet, latencyMs: 40 });
  const path = care(someone(insurer));
  const [first, second] = [await connect(insurer), await connect(insurer)];
  first.write(request(insurer, path));
  await insurer.requestArrives(1);
  second.write('GE');
  await insurer.requestArrives(2);
  expect(insurer.log()).toMatchObject([{ overlapped: false }, { overlapped: true, overlaps: [1], kind: 'unfinished' }]);
  second.destroy();
  await insurer.until(({ inFlight }) => inFlight === 0);

  insurer.resetLog();
  const third = await connect(insurer);
  third.write(request(insurer, path) + request(insurer, path));
  await insurer.until(({ requests, inFlight }) => requests === 2 && inFlight === 0);
  expect(insurer.log()).toMatchObject([
    { overlapped: false, outcome: 'ok' },
    { overlapped: true, outcome: 'ok' },
  ]);
  expect(insurer.summary()).toMatchObject({ overlaps: 1, violations: 1 });
  first.destroy();
  third.destroy();
});

test('the judge finds an overlap that arrived while the event loop was busy', async () => {
  await using insurer = await startInsurer({ ...quiet, latencyMs: 30 });
  const path = care(someone(insurer));
  const [first, second] = [await connect(insurer), await connect(insurer)];
  first.write(request(insurer, path));
  await insurer.requestArrives(1);
  second.write(request(insurer, path)); // stays in the kernel, because the loop is blocked for longer than the latency of the first request
  const until = performance.now() + 60;
  while (performance.now() < until);
  await insurer.until(({ requests, inFlight }) => requests === 2 && inFlight === 0);
  expect(insurer.summary().overlaps).toBe(1);
  first.destroy();
  second.destroy();
});

test('a fault in an answer 416 breaks it off, so the next request is no overlap', async () => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  const { bytes, headers } = await client.get('/patients');
  const past = { range: `bytes=${bytes.length}-`, 'if-range': String(headers['etag']) };
  for (const fault of ['reset-in-body', 'cut-short', 'truncated-gzip'] as const) {
    insurer.script({ match: 'list', fault });
    await expect(client.get('/patients', past)).rejects.toThrow();
    expect((await client.get('/patients', past)).status).toBe(416);
  }
  expect(insurer.summary()).toMatchObject({ overlaps: 0, violations: 0 });
});

test('the judge reports no false overlaps: keep-alive, new connections, faults, aborts, hundreds of requests in a row', async () => {
  await using insurer = await startInsurer({
    ...quiet,
    rate: 0.5,
    mix: { 'reset-in-body': 1, 'cut-short': 1, 'server-error': 1, refused: 1 },
  });
  await using client = openClient(insurer);
  const kvnrs = insurer.patients().flatMap(({ kvnr, kind }) => (kind === 'ok' ? [kvnr] : []));
  for (let round = 0; round < 15; round++) {
    for (const kvnr of kvnrs) await client.get(care(kvnr)).catch(() => undefined);
  }
  insurer.setFaults({ rate: 0 });
  insurer.clearScript();
  for (let round = 0; round < 100; round++) {
    const socket = await connect(insurer); // a new connection, right after the last byte on the old one
    socket.write(request(insurer, '/patients'));
    const answer = await rawAnswer(socket, /\]\n(\r\n0\r\n\r\n)?$/);
    expect(answer).toContain('200 OK');
    socket.destroy();
  }
  insurer.setFaults({ latencyMs: 5 });
  for (let round = 0; round < 50; round++) {
    const socket = await connect(insurer);
    socket.write(request(insurer, care(kvnrs[0] ?? '')));
    await delay(1);
    socket.destroy(); // aborted, and the next one follows immediately
  }
  expect(insurer.summary()).toMatchObject({ overlaps: 0, violations: 0 });
  expect(insurer.summary().requests).toBeGreaterThan(550);
});

test('the judge finds requests before a Retry-After has passed, in seconds and as a date', async () => {
  await using insurer = await startInsurer({ ...quiet, latencyMs: 40 });
  await using client = openClient(insurer);
  const kvnr = someone(insurer);
  for (const retryAfterForm of ['seconds', 'date'] as const) {
    insurer.resetLog();
    insurer.script({ fault: 'busy', status: 429, retryAfterSeconds: 1, retryAfterForm });
    const { headers } = await client.get(care(kvnr));
    const said = String(headers['retry-after']);
    const untilMs = retryAfterForm === 'date' ? Date.parse(said) : Date.now() + Number(said) * 1000;
    await client.get(care(kvnr));
    while (Date.now() < untilMs) await delay(untilMs - Date.now());
    await client.get(care(kvnr));
    expect(insurer.log().map(({ beforeRetryAfter }) => beforeRetryAfter)).toEqual([false, true, false]);
    const { excusedMs, busyMs, wallMs, beforeRetryAfter } = insurer.summary();
    expect(beforeRetryAfter).toBe(1);
    expect(excusedMs).toBeGreaterThan(300);
    expect(excusedMs + busyMs).toBeGreaterThan(wallMs * 0.8); // the rest is the delay of the client
  }
});

test('the judge finds requests during a pause, after a 410 and by a followed redirect, and repeated care records', async () => {
  await using insurer = await startInsurer({ ...quiet, patients: 60 });
  await using client = openClient(insurer);
  const [gone, anna] = [someone(insurer, '410'), someone(insurer)];
  await client.get(care(gone));
  await client.get(care(gone));
  await client.get(care(anna));
  await client.get(care(anna));
  await client.get(`${care(anna)}?redirected=1`);
  await insurer.setPaused(true);
  await client.get(care(anna));
  await insurer.setPaused(false);
  insurer.nextDay();
  await client.get(care(gone));
  expect(insurer.log()).toMatchObject([
    { outcome: 'not-insured', after410: false },
    { outcome: 'not-insured', after410: true },
    { outcome: 'ok', servedAgain: false },
    { servedAgain: true },
    { followedRedirect: true },
    { whilePaused: true },
    { whilePaused: false, after410: false, day: 1 },
  ]);
  expect(insurer.summary()).toMatchObject({
    after410: 1,
    whilePaused: 1,
    followedRedirects: 1,
    servedAgain: 3,
    violations: 3,
  });
});

test('utilisation is the share of time in which a request is in flight', async () => {
  await using insurer = await startInsurer({ ...quiet, latencyMs: 30 });
  await using client = openClient(insurer);
  const kvnr = someone(insurer);
  for (let time = 0; time < 8; time++) {
    await client.get(care(kvnr));
    await delay(30);
  }
  const { utilisation, requestsPerSecond } = insurer.summary();
  expect(utilisation).toBeGreaterThan(0.4);
  expect(utilisation).toBeLessThan(0.65);
  expect(requestsPerSecond).toBeGreaterThan(8);
});

test('the control port has the same effects as the methods', async () => {
  await using insurer = await startInsurer(quiet);
  await using client = openClient(insurer);
  const control = async (method: string, path: string, body?: unknown): Promise<Record<string, never>> => {
    const answer = await fetch(insurer.controlUrl + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, ...((await answer.json()) as object) } as never;
  };
  expect(await control('GET', '/health')).toMatchObject({ status: 200, ok: true, day: 0 });
  await control('POST', '/script', [{ match: 'list', fault: 'server-error', status: 504 }]);
  expect((await client.get('/patients')).status).toBe(504);
  await control('POST', '/paused', { paused: true });
  await client.get('/patients');
  expect(await control('GET', '/summary')).toMatchObject({ requests: 2, whilePaused: 1, violations: 1 });
  expect(Object.keys(await control('GET', '/log?since=1'))).toEqual(['0', 'status']);
  await control('POST', '/next-day', { gone: 1, new: 2 });
  const truth = (await control('GET', '/world/patients')) as unknown as { patients: unknown[]; day: number };
  expect([truth.day, truth.patients.length]).toEqual([1, 41]);
  expect(await control('POST', '/script', [{ fault: 'no-such' }])).toMatchObject({
    status: 400,
    error: 'unknown fault: no-such',
  });
  expect(await control('POST', '/faults', { mix: { nope: 1 } })).toMatchObject({ status: 400 });
  expect(await control('GET', '/nowhere')).toMatchObject({ status: 404 });
});

test('a list of 200 000 entries is streamed in constant memory to a slow reader', async () => {
  await using insurer = await startInsurer({ ...quiet, patients: 200_000, framing: 'content-length' });
  const socket = await connect(insurer);
  socket.pause();
  socket.write(request(insurer, '/patients'));
  while ((insurer.log()[0]?.bytesSent ?? 0) === 0) await delay(20);
  await delay(200);
  expect(insurer.log()[0]?.bytesSent).toBeLessThan(16_000_000); // only what the buffers of the kernel hold
  let received = 0;
  let peak = 0;
  const before = process.memoryUsage();
  socket.on('data', (chunk) => {
    received += chunk.length;
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external - before.heapUsed - before.external);
  });
  socket.resume();
  await insurer.until(({ inFlight }) => inFlight === 0);
  expect(received).toBeGreaterThan(40_000_000);
  expect(peak).toBeLessThan(150_000_000);
  socket.destroy();
});

test('the world is generated on demand: the last of a million patients costs no more than the first', () => {
  const world = new World({ seed: 3, patients: 1_000_000 });
  const started = performance.now();
  for (let at = 0; at < 1000; at++) world.list.entryAt(world.list.positions - 1 - at);
  expect(performance.now() - started).toBeLessThan(1000);
});
