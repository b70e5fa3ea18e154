import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { kvnrOf } from '../../simulator/kvnr-numbers.ts';
import { openLine } from '../line/line.ts';
import { httpAnswer, type RawRequest, startRawInsurer, testPermit } from '../line/raw-insurer.fixture.ts';
import { createInsurerClient, type InsurerClientOptions } from './insurer-client.ts';
import { createJsonAdapter } from './json-adapter/json-adapter.ts';

const anna = 'A123456780' as Kvnr;
const ben = 'X110434370' as Kvnr;
const never = new AbortController().signal;
const kvnrIn = ({ path }: RawRequest): string => path.split('/')[2] ?? '';
const recordsOf = (kvnr: string, extra = ''): string =>
  `{"kvnr":"${kvnr}","careRecords":[{"id":"1","programme":"DMP","title":"Asthma","status":"active","start":"2026-01-01"${extra}}]}`;

async function startLine(
  answer?: Parameters<typeof startRawInsurer>[0],
  options: Pick<Partial<InsurerClientOptions>, 'careRecordsBytesMax' | 'clock' | 'stallMs' | 'listFirstByteMs'> = {},
) {
  const insurer = await startRawInsurer(answer);
  const permit = testPermit();
  const { baseUrl } = insurer;
  const line = openLine({ origin: baseUrl, permit, stallMs: 400, ...options });
  const client = createInsurerClient({
    adapter: createJsonAdapter({ baseUrl, token: 'secret' }),
    ...{ line, permit, stallMs: 400, ...options },
  });
  return {
    insurer,
    permit,
    line,
    client,
    async [Symbol.asyncDispose]() {
      await line.close();
      await insurer[Symbol.asyncDispose]();
    },
  };
}
const answers =
  (...bytes: (string | Buffer)[]) =>
  ({ socket }: RawRequest): void => {
    for (const part of bytes) socket.write(part);
  };
const answersAndCloses =
  (...bytes: (string | Buffer)[]) =>
  ({ socket }: RawRequest): void => {
    for (const part of bytes) socket.write(part);
    socket.end();
  };

test('a second request waits until the insurer has answered the first, on the same connection', async () => {
  await using it = await startLine();
  const both = Promise.all([
    it.client.fetchCareRecords(anna, 'bulk', never),
    it.client.fetchCareRecords(ben, 'bulk', never),
  ]);
  const first = await it.insurer.requestArrives(1);
  expect(it.insurer.seen.map(kvnrIn)).toEqual([anna]);
  expect(first.headers).toMatchObject({
    authorization: 'Bearer secret',
    'user-agent': 'epa-sync',
    'accept-encoding': 'gzip',
  });
  first.socket.write(httpAnswer(200, recordsOf(anna)));
  const second = await it.insurer.requestArrives(2);
  second.socket.write(httpAnswer(200, recordsOf(ben)));
  const [a, b] = await both;
  expect(a).toMatchObject({ kind: 'answer', fetchOrder: '001764000000000-000000001' });
  expect(b).toMatchObject({
    kind: 'answer',
    body: Buffer.from(recordsOf(ben)),
    fetchOrder: '001764000000000-000000002',
  });
  expect(it.insurer.connections).toBe(1);
  expect(it.permit.ends).toEqual([{ needsRest: false }, { needsRest: false }]);
});

test('requests are sent one at a time, however the answers fail', async () => {
  const mishaps: ((request: RawRequest) => void)[] = [
    ({ socket }) => socket.resetAndDestroy(),
    answersAndCloses('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"kv'),
    answers(httpAnswer(500, '<html>')),
    answers('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{'), // stalls
    answers(httpAnswer(502, 'oops', { connection: 'close' })),
    answers('no HTTP at all\r\n\r\n'),
  ];
  let turn = 0;
  await using it = await startLine(
    async (request) => {
      mishaps[turn++ % mishaps.length]?.(request);
      await (turn % mishaps.length === 3 ? undefined : request.closed);
    },
    { stallMs: 100 },
  );
  const outcomes = await Promise.allSettled(
    Array.from({ length: 24 }, () => it.client.fetchCareRecords(anna, 'bulk', never)),
  );
  expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.fault : 'answer'))).toEqual(
    Array.from({ length: 4 }, () => [
      'reset',
      'cut-short',
      'server-error',
      'stalled',
      'server-error',
      'contract',
    ]).flat(),
  );
  expect(it.insurer.overlaps).toBe(0);
  expect(it.insurer.seen).toHaveLength(24);
  expect(it.permit.ends.slice(0, 6).map(({ needsRest }) => needsRest)).toEqual([
    false,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test('people go before the list, the list before bulk, and each in the order of arrival', async () => {
  await using it = await startLine(answers(httpAnswer(500)));
  it.permit.close();
  const order: string[] = [];
  const fetch = (name: string, priority: 'person' | 'bulk') =>
    it.client.fetchCareRecords(anna, priority, never).catch(() => order.push(name));
  const all = [
    fetch('bulk 1', 'bulk'),
    fetch('bulk 2', 'bulk'),
    it.client.fetchList({}, ignored, never).catch(() => order.push('list')),
    fetch('person 1', 'person'),
    fetch('person 2', 'person'),
  ];
  it.permit.open();
  await Promise.all(all);
  expect(order).toEqual(['person 1', 'person 2', 'list', 'bulk 1', 'bulk 2']);
});

test('a pause between connecting and sending stops the request, which is sent after the resume', async () => {
  await using it = await startLine(answers(httpAnswer(410)));
  const fetched = it.client.fetchCareRecords(anna, 'bulk', never);
  await Promise.resolve().then(() => Promise.resolve()); // the connection is being opened
  it.permit.close();
  await it.insurer.connectionArrives(1);
  await new Promise((resolve) => setTimeout(resolve, 50)); // long enough for a request to arrive if it were sent
  expect(it.insurer.seen).toHaveLength(0);
  it.permit.open();
  await expect(fetched).resolves.toEqual({ kind: 'not-insured' });
  expect(it.insurer.seen).toHaveLength(1);
});

test('a pause while the connection is idle stops requests on it', async () => {
  await using it = await startLine(answers(httpAnswer(410)));
  await it.client.fetchCareRecords(anna, 'bulk', never);
  const fetched = it.client.fetchCareRecords(ben, 'bulk', never);
  await Promise.resolve().then(() => Promise.resolve());
  it.permit.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(it.insurer.seen).toHaveLength(1);
  it.permit.open();
  await fetched;
  expect(it.insurer.seen).toHaveLength(2);
});

test('an aborted request ends only when its connection is closed', async () => {
  await using it = await startLine();
  const abort = new AbortController();
  const fetched = it.client.fetchCareRecords(anna, 'bulk', abort.signal);
  const { closed } = await it.insurer.requestArrives(1);
  abort.abort(new Error('enough'));
  await expect(fetched).rejects.toThrow('enough');
  await closed;
  expect(it.permit.ends).toEqual([{ needsRest: true }]);
});

test.each([
  ['is an error', httpAnswer(500)],
  ['is a page', httpAnswer(200, '<html>')],
  ['is of somebody else', httpAnswer(200, recordsOf('P456789017'))],
])('a person whose answer %s is asked for again before waiting bulk requests', async (_, answer) => {
  await using it = await startLine(({ socket }) => void socket.write(answer));
  const personRetries = async (): Promise<void> => {
    for (let left = 4; left > 0; left -= 1) await it.client.fetchCareRecords(anna, 'person', never).catch(() => {});
  };
  const waits = [1, 2, 3].map(() => it.client.fetchCareRecords(ben, 'bulk', never).catch(() => {}));
  await Promise.all([personRetries(), ...waits]);
  expect(it.insurer.seen.map(kvnrIn)).toEqual([anna, anna, anna, anna, ben, ben, ben]);
});

test('a waiting request can be cancelled, and the next one is sent', async () => {
  await using it = await startLine();
  const first = it.client.fetchCareRecords(anna, 'bulk', never);
  const abort = new AbortController();
  const second = it.client.fetchCareRecords(ben, 'bulk', abort.signal);
  const third = it.client.fetchCareRecords(anna, 'bulk', never);
  abort.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  (await it.insurer.requestArrives(1)).socket.write(httpAnswer(404));
  (await it.insurer.requestArrives(2)).socket.write(httpAnswer(410));
  await expect(first).resolves.toEqual({ kind: 'unknown' });
  await expect(third).resolves.toEqual({ kind: 'not-insured' });
});

test('the end of the lease aborts the request in flight, which does not count as a fault', async () => {
  await using it = await startLine();
  const fetched = it.client.fetchCareRecords(anna, 'bulk', never);
  const { closed } = await it.insurer.requestArrives(1);
  const seen = fetched.catch((error: unknown) => error);
  await it.permit.abort();
  await closed;
  expect(await seen).toMatchObject({ name: 'LineWithheld', wasSent: true });
  expect(it.permit.ends).toEqual([{ needsRest: true }]);
});

test.each([
  ['in one piece with an answer', true],
  ['later, on the idle connection', false],
])('unrequested bytes, %s, are not taken for the next answer', async (_when, atOnce) => {
  const garbage = httpAnswer(200, recordsOf(ben, ',"forged":true'));
  await using it = await startLine(({ socket }, number) => {
    const [answer] = [httpAnswer(200, recordsOf(number === 1 ? anna : ben))];
    if (number > 1) socket.write(answer);
    else if (atOnce) socket.write(Buffer.concat([answer, garbage]));
    else socket.write(answer, () => setTimeout(() => socket.write(garbage), 20));
  });
  await it.client.fetchCareRecords(anna, 'bulk', never);
  if (!atOnce) await new Promise((resolve) => setTimeout(resolve, 60));
  const fetched = await it.client.fetchCareRecords(ben, 'bulk', never);
  expect(fetched).toMatchObject({ kind: 'answer', body: Buffer.from(recordsOf(ben)) });
  expect(it.insurer.connections).toBe(2);
});

test('a connection that the insurer has closed is not used again', async () => {
  await using it = await startLine(answersAndCloses(httpAnswer(410)));
  await it.client.fetchCareRecords(anna, 'bulk', never);
  await it.insurer.seen[0]?.closed;
  await expect(it.client.fetchCareRecords(ben, 'bulk', never)).resolves.toEqual({ kind: 'not-insured' });
  expect(it.insurer.connections).toBe(2);
});

test('an insurer that does not listen gives the fault refused', async () => {
  await using it = await startLine();
  await it.insurer[Symbol.asyncDispose]();
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'refused' });
  expect(it.permit.ends).toEqual([]);
});

const gzipped = (body: string): Buffer => gzipSync(body);
const gzip = { 'content-encoding': 'gzip' };
const bomb = `{"kvnr":"${anna}","careRecords":[],"x":"${'a'.repeat(3_000_000)}"}`;
test.each<[string, string, (request: RawRequest) => void]>([
  ['is reset before the headers', 'reset', ({ socket }) => socket.resetAndDestroy()],
  ['is closed before the headers', 'reset', ({ socket }) => socket.end()],
  ['is closed in the headers', 'reset', answersAndCloses('HTTP/1.1 200 OK\r\ncontent-le')],
  ['never arrives', 'stalled', () => {}],
  ['stalls in the headers', 'stalled', answers('HTTP/1.1 200 OK\r\ncontent-le')],
  ['stalls in the body', 'stalled', answers('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{')],
  [
    'is shorter than its Content-Length',
    'cut-short',
    answersAndCloses('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}'),
  ],
  [
    'is shorter and says connection: close',
    'cut-short',
    answersAndCloses('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 99\r\n\r\n{}'),
  ],
  [
    'is chunked without its end',
    'cut-short',
    answersAndCloses('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n'),
  ],
  [
    'is chunked without its end and says connection: close',
    'cut-short',
    answersAndCloses('HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n'),
  ],
  [
    'declares no end and is truncated',
    'not-json',
    answersAndCloses(`HTTP/1.1 200 OK\r\n\r\n${recordsOf(anna).slice(0, -1)}`),
  ],
  [
    'declares no end and is reset',
    'reset',
    ({ socket }) =>
      socket.write(`HTTP/1.1 200 OK\r\n\r\n${recordsOf(anna)}`, () => setTimeout(() => socket.resetAndDestroy(), 50)),
  ],
  ['is gzip without its end', 'cut-short', answers(httpAnswer(200, gzipped(recordsOf(anna)).subarray(0, -12), gzip))],
  ['is damaged gzip', 'not-json', answers(httpAnswer(200, Buffer.from('\x1f\x8b damaged', 'latin1'), gzip))],
  ['claims gzip but is a page', 'not-json', answers(httpAnswer(200, '<html>', gzip))],
  ['has another encoding than requested', 'contract', answers(httpAnswer(200, 'x', { 'content-encoding': 'br' }))],
  ['is a page', 'not-json', answers(httpAnswer(200, '<html>please log in</html>'))],
  ['is empty', 'not-json', answers(httpAnswer(200))],
  [
    'is not UTF-8',
    'contract',
    answers(httpAnswer(200, Buffer.from(recordsOf(anna).replace('Asthma', 'Asthm\xe4'), 'latin1'))),
  ],
  ['is JSON of another kind', 'contract', answers(httpAnswer(200, '[]'))],
  ['is null', 'contract', answers(httpAnswer(200, 'null'))],
  ['has a record without its ID', 'contract', answers(httpAnswer(200, recordsOf(anna).replace('"id"', '"no"')))],
  ['is of another patient', 'wrong-patient', answers(httpAnswer(200, recordsOf(ben)))],
  ['is of another patient and broken', 'wrong-patient', answers(httpAnswer(200, `{"kvnr":"${ben}"}`))],
  [
    'hides its patient in a prototype',
    'contract',
    answers(httpAnswer(200, `{"__proto__":{"kvnr":"${anna}"},"careRecords":[]}`)),
  ],
  [
    'is nested a million deep',
    'contract',
    answers(httpAnswer(200, `{"kvnr":"${anna}","careRecords":[],"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`)),
  ],
  [
    'is of another patient and nested a million deep',
    'wrong-patient',
    answers(httpAnswer(200, `{"x":${'['.repeat(1e6)}"]"${']'.repeat(1e6)},"kvnr":"${ben}"}`)),
  ],
  [
    'is nested a million deep and truncated',
    'not-json',
    answers(httpAnswer(200, `{"kvnr":"${anna}","x":${'['.repeat(1e6)}${']'.repeat(1e6 - 1)}}`)),
  ],
  ['is above the limit after decoding', 'too-large', answers(httpAnswer(200, gzipped(bomb), gzip))],
  ['is above the limit', 'too-large', answers(httpAnswer(200, bomb))],
  [
    'has too many records',
    'too-large',
    answers(httpAnswer(200, recordsOf(anna).replace('[', `[${'{},'.repeat(500_001)}`))),
  ],
  ['has too many numbers', 'too-large', answers(httpAnswer(200, recordsOf(anna, `,"x":[${'1,'.repeat(500_001)}1]`)))],
  ['is a redirect', 'redirect', answers(httpAnswer(302, '', { location: '/elsewhere' }))],
  ['is an unrequested 304', 'contract', answers('HTTP/1.1 304 Not Modified\r\n\r\n')],
  ['is an unrequested 206', 'contract', answers(httpAnswer(206, '{}'))],
  ['is a 500', 'server-error', answers(httpAnswer(500, '<html>'))],
  ['is a 503 without Retry-After', 'server-error', answers(httpAnswer(503))],
  [
    'is a 500 with an incomplete body',
    'server-error',
    answersAndCloses('HTTP/1.1 500 X\r\ncontent-length: 99\r\n\r\n<'),
  ],
  ['is an incomplete 410', 'cut-short', answersAndCloses('HTTP/1.1 410 Gone\r\ncontent-length: 99\r\n\r\n{')],
  ['is a 418', 'contract', answers(httpAnswer(418))],
  ['comes after early hints, and stalls', 'stalled', answers('HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n')],
  ['comes after 100 Continue, and is reset', 'reset', answersAndCloses('HTTP/1.1 100 Continue\r\n\r\n')],
  [
    'switches to another protocol',
    'contract',
    answers(`HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n${httpAnswer(200, recordsOf(anna))}`),
  ],
  ['switches to no protocol', 'contract', answers(`HTTP/1.1 101 X\r\n\r\n${httpAnswer(200, recordsOf(anna))}`)],
  [
    'has headers without end',
    'contract',
    ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\n${'x-more: and more\r\n'.repeat(8_000)}`);
    },
  ],
])('an answer that %s gives the fault %s', async (_what, fault, answer) => {
  await using it = await startLine(answer, { stallMs: 150, careRecordsBytesMax: 2_500_000 });
  const error = await it.client.fetchCareRecords(anna, 'bulk', never).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'LineError', fault });
  expect(JSON.stringify(error) + String(error)).not.toMatch(/[A-Z]\d{9}|Asthm/);
  expect(it.permit.ends).toHaveLength(1);
});

test('what follows a 101 is no answer to the next request', async () => {
  await using it = await startLine(({ socket }, number) => {
    if (number > 1) return;
    socket.write('HTTP/1.1 101 X\r\n\r\n');
    setTimeout(() => socket.write(httpAnswer(410)), 20);
  });
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'contract' });
  await expect(it.client.fetchCareRecords(ben, 'bulk', never)).rejects.toMatchObject({ fault: 'stalled' });
});

test('a connection whose answer has two lengths is not used again', async () => {
  await using it = await startLine(({ socket, path }) => {
    const body = recordsOf(path.split('/')[2] ?? '');
    const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n${chunked}`);
  });
  for (const kvnr of [anna, ben])
    expect(await it.client.fetchCareRecords(kvnr, 'bulk', never)).toMatchObject({ kind: 'answer' });
  expect(it.insurer.connections).toBe(2);
});

test('a body above the limit says so, because its status does not', async () => {
  await using it = await startLine(answers(httpAnswer(200, bomb)), { careRecordsBytesMax: 2_500_000 });
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({
    context: { status: 200, problem: 'too large' },
  });
});

test('records may have fields outside the contract, also with gzip', async () => {
  const body = recordsOf(
    anna,
    `,"commas":"${',[{'.repeat(200_000)}"` +
      `,"x":${'['.repeat(200)}${']'.repeat(200)},"__proto__":{"y":1},"n":1.10,"text":"\\"[{\\\\"`,
  );
  await using it = await startLine(answers(httpAnswer(200, gzipSync(body), gzip)));
  const fetched = await it.client.fetchCareRecords(anna, 'bulk', never);
  expect(fetched.kind === 'answer' && fetched.body.equals(Buffer.from(body))).toBe(true);
});

test('a body that keeps arriving slowly is not a stall', async () => {
  const body = recordsOf(anna);
  await using it = await startLine(
    async ({ socket }) => {
      const answer = httpAnswer(200, body);
      for (let at = 0; at < answer.length; at += 10) {
        socket.write(answer.subarray(at, at + 10));
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
    { stallMs: 120 },
  );
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).resolves.toMatchObject({ kind: 'answer' });
});

/** Sends a part of a body at intervals, without end. */
const drips =
  (status: number) =>
  ({ socket }: RawRequest): void => {
    socket.write(`HTTP/1.1 ${status} X\r\ncontent-length: 100000\r\n\r\n`);
    const timer = setInterval(() => socket.write('.'), 20);
    socket.once('close', () => clearInterval(timer));
  };

test.each([
  [404, 'stalled'],
  [410, 'stalled'],
  [500, 'server-error'],
  [418, 'contract'],
])('the slow body of a %i does not block the line', async (status, fault) => {
  await using it = await startLine(drips(status), { stallMs: 200 });
  const beganMs = performance.now();
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault });
  expect(performance.now() - beganMs).toBeLessThan(2_000);
  await it.insurer.seen[0]?.closed;
  expect(it.permit.ends).toEqual([{ needsRest: true }]);
});

test('a 410 answers all waiting calls for the same patient without another request; another patient is fetched', async () => {
  await using it = await startLine();
  const bulk = it.client.fetchCareRecords(anna, 'bulk', never);
  const first = await it.insurer.requestArrives(1);
  const others = [it.client.fetchCareRecords(anna, 'bulk', never), it.client.fetchCareRecords(anna, 'person', never)];
  const ofBen = it.client.fetchCareRecords(ben, 'bulk', never);
  first.socket.write(httpAnswer(410));
  expect(await Promise.all([bulk, ...others])).toEqual([1, 2, 3].map(() => ({ kind: 'not-insured' })));
  (await it.insurer.requestArrives(2)).socket.write(httpAnswer(200, recordsOf(ben)));
  expect(await ofBen).toMatchObject({ kind: 'answer' });
  expect(it.insurer.seen.map(kvnrIn)).toEqual([anna, ben]);
});

test.each([404, 410])('a %i with an endless body does not count, and is not read to its end', async (status) => {
  await using it = await startLine(answers(httpAnswer(status, Buffer.alloc(400 * 1024, '.'))));
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'contract' });
});

test('Retry-After starts a cooldown on 429 and on any 5xx', async () => {
  const date = 'Wed, 25 Nov 2026 08:00:00 GMT'; // independent of our own clock
  const headers = ['120', 'Wed, 25 Nov 2026 08:01:00 GMT', '9', '7', 'soon'];
  await using it = await startLine(({ socket }, number) => {
    const [status, retryAfter] = [[429, 503, 429][number - 1] ?? 500, headers[number - 1] ?? ''];
    socket.write(httpAnswer(status, '', { 'retry-after': retryAfter, date }));
  });
  for (const fault of ['busy', 'busy', 'busy', 'server-error', 'server-error'])
    await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault });
  expect(it.permit.cooldowns).toEqual(['retry-after 120 s', 'retry-after 60 s', 'retry-after 9 s', 'retry-after 7 s']);
});

test('without a readable time, an insurer that asks for patience gets longer and longer cooldowns, until it answers', async () => {
  const times = [{}, { 'retry-after': 'Mo, 30. Nov 2026 12:00:00' }, { 'retry-after': '3s' }, { 'retry-after': '' }];
  await using it = await startLine(({ socket }, number) => {
    if (number === 9) return void socket.write(httpAnswer(200, recordsOf(anna)));
    const time = times[number % times.length];
    socket.write(httpAnswer(number % times.length === 0 || number % 2 === 0 ? 429 : 503, '', time));
  });
  const fetchTimes = async (count: number) => {
    for (let asked = 0; asked < count; asked += 1)
      await it.client.fetchCareRecords(anna, 'bulk', never).catch(() => {});
  };
  await fetchTimes(8);
  expect(it.permit.cooldowns).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => `busy ${seconds} s`));
  await fetchTimes(2);
  expect(it.permit.cooldowns.slice(8)).toEqual(['busy 1 s']);
});

test('after forty failures in a row, requests are spaced out until one succeeds', async () => {
  let isOut = true;
  await using it = await startLine(
    ({ socket }) => void socket.write(isOut ? httpAnswer(500) : httpAnswer(200, recordsOf(anna))),
  );
  const fetchTimes = async (count: number) => {
    for (let asked = 0; asked < count; asked += 1)
      await it.client.fetchCareRecords(anna, 'bulk', never).catch(() => {});
  };
  await fetchTimes(39);
  expect(it.permit.cooldowns).toEqual([]);
  await fetchTimes(8);
  expect(it.permit.cooldowns).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => `outage ${seconds} s`));
  isOut = false;
  await fetchTimes(1);
  isOut = true;
  await fetchTimes(39);
  expect(it.permit.cooldowns).toHaveLength(8);
});

const patients = (count: number): Kvnr[] => Array.from({ length: count }, (_, index) => kvnrOf(index, 0) as Kvnr);

test.each([
  [1, 40],
  [5, 40],
  [20, 40],
])('an outage is noticed after forty failures, also if %i patient(s) are asked for', async (count, expected) => {
  await using it = await startLine(({ socket }) => void socket.write(httpAnswer(500)));
  for (let asked = 1; it.permit.cooldowns.length === 0; asked += 1) {
    await it.client.fetchCareRecords(patients(count)[asked % count] ?? anna, 'bulk', never).catch(() => {});
    if (it.permit.cooldowns.length > 0) expect(asked).toBe(expected);
  }
});

test('a few patients who always fail are no outage', async () => {
  await using it = await startLine(({ socket }) => void socket.write(httpAnswer(500)));
  for (let asked = 0; asked < 160; asked += 1)
    await it.client.fetchCareRecords(patients(4)[asked % 4] ?? anna, 'bulk', never).catch(() => {});
  expect(it.permit.cooldowns).toEqual([]);
});

test('a person who always fails is no outage, and counts like one of five patients', async () => {
  await using it = await startLine(({ socket }) => void socket.write(httpAnswer(500)));
  for (let asked = 0; asked < 40; asked += 1) await it.client.fetchCareRecords(anna, 'person', never).catch(() => {});
  for (let asked = 0; asked < 31; asked += 1)
    await it.client.fetchCareRecords(patients(4)[asked % 4] ?? ben, 'bulk', never).catch(() => {});
  expect(it.permit.cooldowns).toEqual([]);
  await it.client.fetchCareRecords(patients(4)[3] ?? ben, 'bulk', never).catch(() => {});
  expect(it.permit.cooldowns).toEqual(['outage 1 s']);
});

test('after an operator has lifted a cooldown, failures count again from the first one', async () => {
  await using it = await startLine(({ socket }) => void socket.write(httpAnswer(500)));
  const fail = async (times: number) => {
    for (let asked = 0; asked < times; asked += 1)
      await it.client.fetchCareRecords(anna, 'bulk', never).catch(() => {});
  };
  await fail(42);
  expect(it.permit.cooldowns).toHaveLength(3);
  it.permit.lift();
  await fail(39);
  expect(it.permit.cooldowns).toHaveLength(3);
  await fail(1);
  expect(it.permit.cooldowns.at(-1)).toBe('outage 1 s');
});

test('a list that arrives part by part is no outage', async () => {
  await using it = await startLine(answersAndCloses('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n[{}'));
  const receiver = { ...ignored, receivedBytes: 0 };
  receiver.write = async () => {
    receiver.receivedBytes += 3;
  };
  for (let asked = 0; asked < 60; asked += 1) await it.client.fetchList({}, receiver, never).catch(() => {});
  expect(it.permit.cooldowns).toEqual([]);
  receiver.write = async () => {};
  for (let asked = 0; asked < 40; asked += 1) await it.client.fetchList({}, receiver, never).catch(() => {});
  expect(it.permit.cooldowns).toEqual(['outage 1 s']);
});

test('of two Retry-After headers the longer one counts', async () => {
  await using it = await startLine(
    answers('HTTP/1.1 429 X\r\nretry-after: 5\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n'),
  );
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'busy' });
  expect(it.permit.cooldowns).toEqual(['retry-after 60 s']);
});

test('a rejected token pauses the line', async () => {
  await using it = await startLine(answers(httpAnswer(403, 'go away')));
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'unauthorized' });
  expect(it.permit.pauses).toEqual(['insurer answered 403']);
});

test('the body of an error is read to its end, and the next request uses the same connection immediately', async () => {
  await using it = await startLine(answers(httpAnswer(500, '<html>'.repeat(1_000))));
  for (let count = 0; count < 5; count++) await it.client.fetchCareRecords(anna, 'bulk', never).catch(() => {});
  expect(it.insurer.connections).toBe(1);
  expect(it.permit.ends.every(({ needsRest }) => !needsRest)).toBe(true);
});

test('no part of the list is read while the sink is busy, and that is not a stall', async () => {
  const megabyte = Buffer.alloc(1024 * 1024, ' ');
  let written = 0;
  await using it = await startLine(
    async ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${64 * megabyte.length}\r\n\r\n`);
      for (let count = 0; count < 64; count++) {
        written += 1;
        if (!socket.write(megabyte)) await new Promise((resolve) => socket.once('drain', resolve));
      }
    },
    { stallMs: 100 },
  );
  let bytes = 0;
  const { promise: busy, resolve: continueReading } = Promise.withResolvers<void>();
  const fetched = it.client.fetchList(
    {},
    {
      answered: () => {},
      begin: () => {},
      write: async (chunk) => {
        bytes += chunk.length;
        await busy;
      },
      page: () => {},
      restart: () => {},
      revert: () => {},
      finish: async () => {},
      receivedBytes: 0,
    },
    never,
  );
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(written).toBeLessThan(32); // the size of the kernel's buffers
  continueReading();
  await expect(fetched).resolves.toBe('complete');
  expect(bytes).toBe(64 * megabyte.length);
});

test.each([
  ['declares no end', `HTTP/1.1 200 OK\r\n\r\n${recordsOf(anna)}`],
  ['is HTTP/1.0', `HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n${recordsOf(anna)}`],
  [
    'has trailers',
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n${recordsOf(anna).length.toString(16)}\r\n${recordsOf(anna)}\r\n0\r\nx: y\r\n\r\n`,
  ],
  ['comes after early hints', `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${httpAnswer(200, recordsOf(anna))}`],
  ['comes after 100 Continue', `HTTP/1.1 100 Continue\r\n\r\n${httpAnswer(200, recordsOf(anna))}`],
  [
    'comes after several interim answers with headers',
    `${[100, 102, 103, 199, 100].map((status) => `HTTP/1.1 ${status} X\r\nlink: x\r\nlink: y\r\n\r\n`).join('')}${httpAnswer(200, recordsOf(anna))}`,
  ],
])('an answer that %s is taken', async (_form, bytes) => {
  await using it = await startLine(answersAndCloses(bytes));
  const fetched = await it.client.fetchCareRecords(anna, 'bulk', never);
  expect(fetched).toMatchObject({ kind: 'answer', body: Buffer.from(recordsOf(anna)) });
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).resolves.toMatchObject({ kind: 'answer' });
  expect(it.insurer.overlaps).toBe(0);
});

test('interim answers in pieces of their own are skipped, and the connection is used again', async () => {
  await using it = await startLine(async ({ socket }) => {
    for (const part of ['HTTP/1.1 100 Con', 'tinue\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n']) {
      socket.write(part);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    socket.write(httpAnswer(200, recordsOf(anna)));
  });
  for (let count = 0; count < 2; count++)
    expect(await it.client.fetchCareRecords(anna, 'bulk', never)).toMatchObject({ kind: 'answer' });
  expect(it.insurer.connections).toBe(1);
});

test('a connection that the insurer will close within a second is not used again', async () => {
  await using it = await startLine(answers(httpAnswer(410, '', { 'keep-alive': 'timeout=1, max=100' })));
  for (let count = 0; count < 2; count++) await it.client.fetchCareRecords(anna, 'bulk', never);
  expect(it.insurer.connections).toBe(2);
});

test('an idle connection is closed a second before the insurer closes it', async () => {
  await using it = await startLine(answers(httpAnswer(410, '', { 'keep-alive': 'timeout=2' })));
  await it.client.fetchCareRecords(anna, 'bulk', never);
  const beganMs = performance.now();
  await it.insurer.allClose();
  expect(performance.now() - beganMs).toBeGreaterThan(900);
});

const silence = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const ignored = {
  answered: () => {},
  begin: () => {},
  write: async () => {},
  page: () => {},
  restart: () => {},
  revert: () => {},
  finish: async () => {},
  receivedBytes: 0,
};

test.each([
  ['', ''],
  [' after an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
])('the list may take longer than care records until its first byte%s', async (_when, first) => {
  await using it = await startLine(
    async ({ socket }) => {
      socket.write(first);
      await silence(500);
      socket.write(httpAnswer(200, '[]'));
    },
    { stallMs: 100, listFirstByteMs: 5_000 },
  );
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'stalled' });
  await expect(it.client.fetchList({}, ignored, never)).resolves.toBe('complete');
});

test('a list without a first byte fails after its own limit', async () => {
  await using it = await startLine(answers(''), { stallMs: 100, listFirstByteMs: 400 });
  const beganMs = performance.now();
  await expect(it.client.fetchList({}, ignored, never)).rejects.toMatchObject({ fault: 'stalled' });
  expect(performance.now() - beganMs).toBeGreaterThanOrEqual(400);
});

const begunList = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[';
test.each([
  ['after its first byte', 'HTTP/1.1 200 OK\r\n'],
  ['in its body', begunList],
  ['in its body after 100 Continue', `HTTP/1.1 100 Continue\r\n\r\n${begunList}`],
])('a list that stalls %s does not wait for the limit of the first byte', async (_where, bytes) => {
  await using it = await startLine(answers(bytes), { stallMs: 100, listFirstByteMs: 3_600_000 });
  await expect(it.client.fetchList({}, ignored, never)).rejects.toMatchObject({ fault: 'stalled' });
});

test('an answer of several gzip members is taken', async () => {
  const text = recordsOf(anna);
  const members = Buffer.concat([gzipped(text.slice(0, 20)), gzipped(text.slice(20))]);
  await using it = await startLine(answers(httpAnswer(200, members, gzip)));
  const fetched = await it.client.fetchCareRecords(anna, 'bulk', never);
  expect(fetched).toMatchObject({ kind: 'answer', body: Buffer.from(text) });
});

test('after a request on a connection that the insurer was closing, the line rests, because the insurer may have seen it', async () => {
  await using it = await startLine(({ socket }, number) => {
    if (number === 1) socket.write(httpAnswer(200, recordsOf(anna)));
    else socket.end(); // without an answer, as a server that closes idle connections
  });
  await it.client.fetchCareRecords(anna, 'bulk', never);
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'reset' });
  await expect(it.client.fetchCareRecords(anna, 'bulk', never)).rejects.toMatchObject({ fault: 'reset' }); // on a new one
  expect(it.permit.ends.map(({ needsRest }) => needsRest)).toEqual([false, true, false]);
});
