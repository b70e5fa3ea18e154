import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LineStatus } from '../../core/domain/line-status.ts';
import { kvnrOf } from '../../simulator/kvnr-numbers.ts';
import { httpAnswer, type RawInsurer, startRawInsurer } from '../../worker/line/raw-insurer.fixture.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';

// An insurer that is out of service, that asks for patience, or that an operator wants to spare. One test follows the other.

const kvnrs = Array.from({ length: 12 }, (_, index) => kvnrOf(9_000 + index, 0));
const list = JSON.stringify(kvnrs.map((kvnr) => ({ kvnr, familyName: 'M', givenName: 'E', birthDate: '1950-02-01' })));

/** what the insurer answers; undefined: what was asked for */
let insteadOfAll: Buffer | undefined = httpAnswer(500);
let isListSpared = true;
/** `lateMs`: how much too late the test may have seen it. Then the gap after it seems shorter than it was. */
const arrivals: { readonly atMs: number; readonly lateMs: number }[] = [];
const lateness = monitorEventLoopDelay({ resolution: 1 });

let insurer: RawInsurer;
let day: Day;
let worker: Awaited<ReturnType<Day['startWorker']>>;
let call: CallWithPermittedRole;
beforeAll(async () => {
  lateness.enable();
  insurer = await startRawInsurer(({ path, socket }) => {
    arrivals.push({ atMs: performance.now(), lateMs: lateness.max / 1e6 });
    lateness.reset();
    const [, , kvnr] = path.split('/');
    const asked = kvnr === undefined ? list : JSON.stringify({ kvnr, careRecords: [] });
    const isSpared = isListSpared && kvnr === undefined;
    socket.write((!isSpared && insteadOfAll) || httpAnswer(200, asked));
  });
  day = await startDay({ patients: 1 }, {}, { api: true });
  ({ call } = await openApi(day.stack));
  const ofWorker = { INSURER_BASE_URL: insurer.baseUrl };
  worker = await day.startWorker({ ...ofWorker, LINE_REQUESTS_PER_MINUTE: '6000' });
}, 120_000);
afterAll(async () => {
  lateness.disable();
  await day?.[Symbol.asyncDispose]();
  await insurer?.[Symbol.asyncDispose]();
});

const readLine = async () =>
  (await call('readLine')).json as LineStatus & { changes: { kind?: string; reason: string }[] };
/** Returns how long the gaps before these requests may have been, at most, in ms. */
const gapsMs = (from: number): number[] =>
  arrivals.slice(from).map(({ atMs }, index) => {
    const before = arrivals[from + index - 1];
    return atMs - (before?.atMs ?? 0) + (before?.lateMs ?? 0);
  });
/** Returns how long some requests in a row have taken at least, in ms, the gap before the first one included. */
const takenMs = (from: number, to: number): number => (arrivals[to]?.atMs ?? 0) - (arrivals[from - 1]?.atMs ?? 0);

test('after forty failures in a row, the insurer is asked less and less often, and people see why and until when', async () => {
  await day.sync.start();
  await expect.poll(() => arrivals.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(41);
  await expect
    .poll(async () => (await readLine()).cooldown, { timeout: 5_000 })
    .toMatchObject({ reason: 'outage', until: expect.any(String) });
  await expect.poll(() => arrivals.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(43);
  const [, first = 0, second = 0] = gapsMs(40);
  expect(first).toBeGreaterThanOrEqual(1_000);
  expect(second).toBeGreaterThanOrEqual(2_000);
  const readProgress = async () => (await call('readProgress')).json;
  expect((await readProgress()).line).toMatchObject({ cooldown: { reason: 'outage' } });
  // no patient has ended, and the requests are shown all the same
  await expect.poll(async () => (await readProgress()).line.failures, { timeout: 20_000 }).toBeGreaterThanOrEqual(40);
  expect((await readProgress()).line.faults['server-error']).toBeGreaterThanOrEqual(40);
});

test('an operator lifts the cooldown; once the insurer answers, requests follow each other immediately', async () => {
  await expect.poll(async () => (await readLine()).cooldown, { timeout: 5_000 }).toBeDefined();
  insteadOfAll = undefined;
  const lifted = (await call('liftCooldown', { body: { reason: 'they are well again' } })).json;
  expect(lifted).not.toHaveProperty('cooldown');
  await day.until(({ state, careRecords }) => state === 'completed' && careRecords.done === kvnrs.length);
  expect((await readLine()).changes[0]).toMatchObject({ kind: 'lift', reason: 'they are well again' });
});

test('without a readable time the cooldown grows; an epoch is a moment, and can be lifted', async () => {
  const from = arrivals.length;
  isListSpared = false;
  insteadOfAll = httpAnswer(429, '', { 'retry-after': 'Mo, 30. Nov 2026 12:00:00' });
  const ended = day.runToEnd();
  await expect.poll(() => arrivals.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(from + 3);
  const [, first = 0, second = 0] = gapsMs(from);
  expect(first).toBeGreaterThanOrEqual(1_000);
  expect(second).toBeGreaterThanOrEqual(2_000);
  const inTwoHours = Math.round(Date.now() / 1000) + 7_200;
  insteadOfAll = httpAnswer(503, '', { 'retry-after': String(inTwoHours) });
  await expect.poll(async () => (await readLine()).cooldown?.reason, { timeout: 15_000 }).toBe('retry-after');
  const { cooldown } = await readLine();
  expect(Math.abs(Date.parse(cooldown?.until ?? '') - inTwoHours * 1000)).toBeLessThan(5_000);
  insteadOfAll = undefined;
  await call('liftCooldown', { body: { reason: 'they are well again' } });
  expect(await ended).toMatchObject({ state: 'completed' });
});

test('a pace holds for all workers within a second, also after the line has changed hands', async () => {
  expect((await readLine()).pace).toEqual({ requestsPerMinute: 6_000 });
  insteadOfAll = httpAnswer(500);
  const body = { requestsPerMinute: 120, reason: 'the insurer called' };
  expect((await call('setPace', { body })).json).toMatchObject({ pace: { ...body, by: expect.any(String) } });
  const paced = await readLine();
  expect(paced.changes[0]).toMatchObject({ kind: 'pace', requestsPerMinute: 120 });
  await sleep(1_000);
  const from = arrivals.length + 1;
  await day.sync.start();
  await expect.poll(() => arrivals.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(from + 6);
  await worker.kill();
  const first = takenMs(from, from + 5);
  await day.startWorker({ INSURER_BASE_URL: insurer.baseUrl });
  const before = arrivals.length;
  await expect.poll(() => arrivals.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(before + 7);
  for (const gapMs of gapsMs(from)) expect(gapMs).toBeGreaterThanOrEqual(500);
  for (const tookMs of [first, takenMs(before + 1, before + 6)]) expect(tookMs).toBeGreaterThanOrEqual(6 * 500);
  expect((await call('setPace', { body: { requestsPerMinute: null, reason: 'all is well' } })).json).not.toHaveProperty(
    'pace',
  );
});
