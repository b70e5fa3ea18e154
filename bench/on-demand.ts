import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { openApi } from '../test/api.fixture.ts';
import { startDay } from '../test/day.fixture.ts';

/**
 * How long somebody waits until their sync is promised, while a run at 80 % failure keeps the line busy: over HTTP, from the
 * moment at which the request was due to the 202, through API Gateway, Lambda and Temporal; and whether the marker is in the
 * table then. Each request is for another patient.
 */
const requests = Number(process.env['BENCH_REQUESTS'] ?? 500);
const betweenMs = Number(process.env['BENCH_BETWEEN_MS'] ?? 200);
/**
 * So many containers of the Lambda are started before, and so many requests are under way at most. The emulator starts one more
 * for each that finds none idle; on a machine whose cores they all share that makes the next ones wait, and start more.
 */
const containers = 4;
const goals = { p50: 150, p99: 300, max: 1_000 };

await using day = await startDay({ patients: 5_000, rate: 0.8, latencyMs: 20, malformedEntries: 0 }, {}, { api: true });
const { ask } = await openApi(day.stack);
await day.startWorker();
await day.sync.start();
await day.insurer.until(({ patientsServed }) => patientsServed >= 20);
const patientRefs = day.insurer
  .patients()
  .filter(({ kind }) => kind === 'ok')
  .slice(-requests)
  .map(({ kvnr }) => day.refOf(kvnr));
const [coldMs = 0] = (
  await Promise.all(
    patientRefs.slice(0, containers).map(async (patientRef) => await ask('readLastSync', { params: { patientRef } })),
  )
)
  .map(({ tookMs: ms }) => ms)
  .sort((one, other) => other - one);

const tookMs: number[] = [];
/** what came instead of a promise, and how often */
const failures = new Map<string, number>();
let withoutMarker = 0;
const request = async (patientRef: string, dueMs: number): Promise<void> => {
  const { status, json } = await ask('requestPatientSync', { body: { patientRef } });
  if (status !== 202) throw new Error(`${status} ${json?.type ?? json?.message}`);
  tookMs.push(performance.now() - dueMs);
  const marker = (await day.stores.patients.readLastSync(patientRef))?.lastSync;
  if (marker?.syncId !== json.syncId) withoutMarker += 1;
};

const before = day.insurer.summary();
const queue = new PQueue({ concurrency: containers });
for (const patientRef of patientRefs) {
  const dueMs = performance.now();
  void queue
    .add(async () => await request(patientRef, dueMs))
    .catch(({ message }: Error) => failures.set(message, (failures.get(message) ?? 0) + 1));
  await sleep(betweenMs);
}
await queue.onIdle();
const after = day.insurer.summary();
const progress = await day.sync.readProgress();

tookMs.sort((one, other) => one - other);
const percentile = (share: number): number => Math.round(tookMs[Math.ceil(share * tookMs.length) - 1] ?? Number.NaN);
const [p50, p99, max] = [percentile(0.5), percentile(0.99), percentile(1)];
const failed = patientRefs.length - tookMs.length;
console.log(
  `\nA sync on demand, promised: ${patientRefs.length} requests, one each ${betweenMs} ms, while a run (${progress?.careRecords.pending} pending) and they
made ${after.requests - before.requests} requests of the line, ${Math.round(after.failureRate * 100)} % of them failing\n`,
);
console.log('| | p50 ms | p99 ms | max ms | failed | without marker |\n|---|---|---|---|---|---|');
console.log(`| goal | ${goals.p50} | ${goals.p99} | ${goals.max} | 0 | 0 |`);
console.log(`| POST /patient-syncs | ${p50} | ${p99} | ${max} | ${failed} | ${withoutMarker} |`);
console.log(`\nThe first answers of ${containers} Lambdas started at once: within ${Math.round(coldMs)} ms`);
for (const [what, times] of failures) console.log(`\n${times} × ${what}`);
