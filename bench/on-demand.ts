import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { Kvnr } from '../core/domain/kvnr.ts';
import { isInProgress } from '../core/domain/patient.ts';
import { type Insurer, type InsurerOptions, startInsurer } from '../simulator/insurer.ts';
import { openApi } from '../test/api.fixture.ts';
import { startDay } from '../test/day.fixture.ts';
import { createInsurerClient } from '../worker/insurer/insurer-client.ts';
import { createJsonAdapter } from '../worker/insurer/json-adapter/json-adapter.ts';
import { openLine } from '../worker/line/line.ts';
import { LineError, LineWithheld } from '../worker/line/line-error.ts';
import { longPermit } from './long-permit.ts';

/**
 * Measures how long people wait for a sync on demand, while a run at 80 % failure keeps the line busy. Each sync is of another
 * patient. All times are from the moment at which the HTTP request was due:
 * - promised: the 202, through API Gateway, Lambda and Temporal. The marker must be in the table then
 * - begun: the patient's first request has reached the insurer
 * - answered: the patient's last request has its answer
 * - done: the care records are stored, and the marker says so
 * - run's requests in between: requests for others, and for nobody who waits, between the patient's first request and the last
 *
 * The comparison is a queue in memory in front of the same simulator. It stores nothing and promises nothing, and a person
 * keeps the line until the answer has come. With 20 ms a request, the run alone keeps two cores busy, so the figures then
 * describe the machine.
 */
const requests = Number(process.env['BENCH_REQUESTS'] ?? 200);
const betweenMs = Number(process.env['BENCH_BETWEEN_MS'] ?? 1_500);
const lineMs = [120, 20];
/**
 * Number of Lambda containers that are started first, and maximum number of parallel requests. For each request without an
 * idle container the emulator starts another one. They share the machine's cores, so later requests would wait and start
 * even more.
 */
const containers = 4;
const window = 50;
const insurerOf = (latencyMs: number): InsurerOptions => ({
  patients: 5_000,
  rate: 0.8,
  latencyMs,
  malformedEntries: 0,
});

/** A sync of one patient. Times in epoch ms. */
interface Sync {
  readonly kvnr: string;
  readonly dueMs: number;
  readonly promisedMs?: number;
  /** absent if it has failed */
  readonly doneMs?: number;
}

interface Measured {
  readonly syncs: readonly Sync[];
  /** what was not promised, and how often */
  readonly failures: ReadonlyMap<string, number>;
  readonly withoutMarker: number;
  readonly notes: string;
}

/** Calls back for one patient after the other. Resolves once all calls have ended. */
async function onePerInterval<T>(each: readonly T[], request: (one: T, dueMs: number) => Promise<void>): Promise<void> {
  const queue = new PQueue({ concurrency: containers });
  const all: Promise<void>[] = [];
  for (const one of each) {
    const dueMs = Date.now();
    all.push(queue.add(async () => await request(one, dueMs)));
    await sleep(betweenMs);
  }
  await Promise.all(all);
}

const patientsOf = (insurer: Insurer): string[] =>
  insurer
    .patients()
    .filter(({ kind }) => kind === 'ok')
    .slice(-requests)
    .map(({ kvnr }) => kvnr);

async function measureThisDesign(latencyMs: number): Promise<[Measured, Insurer]> {
  await using day = await startDay({ ...insurerOf(latencyMs) }, {}, { api: true });
  const { insurer, stores } = day;
  const { call } = await openApi(day.stack);
  await day.startWorker();
  await day.sync.start();
  await insurer.until(({ patientsServed }) => patientsServed >= 20);
  const kvnrs = patientsOf(insurer);
  const firstAnswers = await Promise.all(
    kvnrs
      .slice(0, containers)
      .map(async (kvnr) => await call('readLastSync', { params: { patientRef: day.refOf(kvnr) } })),
  );
  const promised: (Sync & { readonly syncId: string })[] = [];
  const failures = new Map<string, number>();
  let withoutMarker = 0;
  insurer.resetLog();
  await onePerInterval(kvnrs, async (kvnr, dueMs) => {
    const patientRef = day.refOf(kvnr);
    const { status, json } = await call('requestPatientSync', { body: { patientRef } });
    const promisedMs = Date.now();
    if (status !== 202) {
      const what = `${status} ${json?.type ?? json?.message}`;
      failures.set(what, (failures.get(what) ?? 0) + 1);
      return;
    }
    promised.push({ kvnr, dueMs, promisedMs, syncId: json.syncId });
    const marker = (await stores.patients.readLastSync(patientRef))?.lastSync;
    if (marker?.syncId !== json.syncId) withoutMarker += 1;
  });
  const syncs: Sync[] = [];
  for (const { syncId, ...sync } of promised) {
    for (;;) {
      const lastSync = (await stores.patients.readLastSync(day.refOf(sync.kvnr)))?.lastSync;
      if (lastSync?.syncId !== syncId) throw new Error('another sync has begun');
      const { state, finishedAt = '' } = lastSync;
      if (state === 'completed') syncs.push({ ...sync, doneMs: Date.parse(finishedAt) });
      else if (!isInProgress(lastSync)) syncs.push(sync);
      if (!isInProgress(lastSync)) break;
      await sleep(500);
    }
  }
  const coldMs = Math.round(Math.max(...firstAnswers.map((answer) => answer.tookMs)));
  return [{ syncs, failures, withoutMarker, notes: `first answers of four Lambdas: ${coldMs} ms` }, insurer];
}

async function measureInMemory(latencyMs: number): Promise<[Measured, Insurer]> {
  const insurer = await startInsurer({ seed: 7, ...insurerOf(latencyMs) });
  const { baseUrl, token } = insurer;
  const shared = { permit: longPermit(), stallMs: 1_500 };
  const line = openLine({ origin: baseUrl, ...shared });
  const client = createInsurerClient({ adapter: createJsonAdapter({ baseUrl, token }), line, ...shared });
  const stopping = new AbortController();
  const queue = new PQueue({ concurrency: 1 });
  const isServed = async (kvnr: string, priority: 'person' | 'bulk'): Promise<boolean> =>
    await client.fetchCareRecords(kvnr as Kvnr, priority, stopping.signal).then(() => true, isLineFailure);
  const left = insurer.patients().values();
  const run = Array.from({ length: window }, async () => {
    for (const { kvnr } of left)
      while (!(stopping.signal.aborted || (await queue.add(async () => await isServed(kvnr, 'bulk')))));
  });
  await insurer.until(({ patientsServed }) => patientsServed >= 20);
  insurer.resetLog();
  const syncs: Sync[] = [];
  await onePerInterval(patientsOf(insurer), async (kvnr, dueMs) => {
    await queue.add(
      async () => {
        while (!(await isServed(kvnr, 'person')));
      },
      { priority: 1 },
    );
    syncs.push({ kvnr, dueMs, doneMs: Date.now() });
  });
  stopping.abort(new Error('end of the bench'));
  await Promise.all(run);
  await line.close();
  await insurer.close();
  return [{ syncs, failures: new Map(), withoutMarker: 0, notes: '' }, insurer];
}

const isLineFailure = (error: unknown): false => {
  const isEnd = error instanceof Error && error.message === 'end of the bench';
  if (error instanceof LineError || error instanceof LineWithheld || isEnd) return false;
  throw error;
};

/** Returns p50, p90, p99 and the maximum, in seconds. */
function percentiles(tookMs: readonly (number | undefined)[]): string[] {
  const sorted = tookMs.filter((each) => each !== undefined).sort((one, other) => one - other);
  if (sorted.length === 0) return ['', '', '', ''];
  return [0.5, 0.9, 0.99, 1].map((share) =>
    ((sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN) / 1_000).toFixed(2),
  );
}

const answers: ReadonlySet<string> = new Set(['ok', 'not-modified', 'not-insured', 'unknown']);

/**
 * Returns the times of more than two seconds in which nothing was sent, and how many requests had failed in a row before each.
 * Forty or more are an outage, in which the line waits 1 s, then 2, 4, 8 and so on (ADR 0051).
 */
function silences(log: ReturnType<Insurer['log']>): string {
  let failedInARow = 0;
  const found = log.flatMap(({ outcome, endedAt }, index) => {
    failedInARow = answers.has(outcome) ? 0 : failedInARow + 1;
    const silentMs = (log[index + 1]?.startedAt ?? 0) - (endedAt ?? Number.NaN);
    return silentMs > 2_000 ? [`${(silentMs / 1_000).toFixed(1)} s after ${failedInARow} failures in a row`] : [];
  });
  return found.join(', ') || 'none';
}

function print(name: string, latencyMs: number, { syncs, failures, withoutMarker, notes }: Measured, insurer: Insurer) {
  const log = insurer.log();
  const people = new Set(syncs.map(({ kvnr }) => kvnr));
  let inBetween = 0;
  const onLine = syncs.map(({ kvnr, dueMs, doneMs = Number.POSITIVE_INFINITY }) => {
    const isOwn = (entry: (typeof log)[number]): boolean =>
      entry.kvnr === kvnr && entry.startedAt >= dueMs && entry.startedAt <= doneMs;
    const first = log.findIndex(isOwn);
    const last = log.findLastIndex(isOwn);
    inBetween += log.slice(first, last).filter((entry) => !people.has(entry.kvnr ?? '')).length;
    return {
      begunMs: (log[first]?.startedAt ?? Number.NaN) - dueMs,
      answeredMs: (log[last]?.endedAt ?? Number.NaN) - dueMs,
    };
  });
  const rows = {
    promised: syncs.map(({ dueMs, promisedMs }) => promisedMs && promisedMs - dueMs),
    begun: onLine.map(({ begunMs }) => begunMs),
    answered: onLine.map(({ answeredMs }) => answeredMs),
    done: syncs.map(({ dueMs, doneMs }) => doneMs && doneMs - dueMs),
  };
  for (const [what, tookMs] of Object.entries(rows))
    console.log(`| ${[name, `${latencyMs} ms`, what, ...percentiles(tookMs)].join(' | ')} |`);
  const failed = [...failures].map(([what, times]) => `${times} × ${what}`).join(', ') || 0;
  const notDone = syncs.filter(({ doneMs }) => doneMs === undefined).length;
  const { requests: sent, failureRate, violations } = insurer.summary();
  console.log(
    `\n${name}, ${latencyMs} ms: ${syncs.length} syncs, not promised: ${failed}, without marker: ${withoutMarker}, failed: ${notDone}; requests of the run in between: ${inBetween}; ${sent} requests on the line, ${Math.round(failureRate * 100)} % failed, violations: ${violations}; silence of more than 2 s: ${silences(log)}. ${notes}\n`,
  );
}

console.log(`\n${requests} syncs on demand, one each ${betweenMs} ms, while a run keeps the line busy; times in s\n`);
const head = [
  '| | a request | | p50 | p90 | p99 | max |',
  '|---|---|---|---|---|---|---|',
  '| goal | | promised | 0.15 | | 0.30 | 1.00 |',
  '| goal | | done | 0.60 | | 3.50 | |',
].join('\n');
for (const latencyMs of lineMs)
  for (const [name, measure] of [
    ['this design', measureThisDesign],
    ['p-queue in memory', measureInMemory],
  ] as const) {
    const measured = await measure(latencyMs);
    console.log(head);
    print(name, latencyMs, ...measured);
  }
process.exit(0); // the permit's timer would keep the process alive
