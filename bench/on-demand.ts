import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';
import { openApi } from '../test/api.fixture.ts';
import { startDay } from '../test/day.fixture.ts';

/**
 * Measures the time until a sync on demand is promised, while a run at 80 % failure keeps the line busy. The time is from the
 * moment at which the HTTP request was due to the 202, through API Gateway, Lambda and Temporal. Also checks that the marker
 * is in the table then. Each request is for another patient. With 20 ms per request on the line, the run alone keeps two
 * cores busy, so the figures then describe the machine.
 */
const requests = Number(process.env['BENCH_REQUESTS'] ?? 500);
const betweenMs = Number(process.env['BENCH_BETWEEN_MS'] ?? 500);
const lineMs = [120, 20];
/**
 * Number of Lambda containers that are started first, and maximum number of parallel requests. For each request without an
 * idle container the emulator starts another one. They share the machine's cores, so later requests would wait and start
 * even more.
 */
const containers = 4;
const goals = { p50: 150, p99: 300, max: 1_000 };

interface Measured {
  /** durations of the promised syncs, ascending */
  readonly tookMs: readonly number[];
  /** answers other than a promise, and their number */
  readonly failures: ReadonlyMap<string, number>;
  readonly withoutMarker: number;
  readonly coldMs: number;
  readonly failureRate: number;
  readonly lineRequests: number;
}

async function measure(latencyMs: number): Promise<Measured> {
  await using day = await startDay({ patients: 5_000, rate: 0.8, latencyMs, malformedEntries: 0 }, {}, { api: true });
  const { call } = await openApi(day.stack);
  await day.startWorker();
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 20);
  const patientRefs = day.insurer
    .patients()
    .filter(({ kind }) => kind === 'ok')
    .slice(-requests)
    .map(({ kvnr }) => day.refOf(kvnr));
  const firstAnswers = await Promise.all(
    patientRefs.slice(0, containers).map(async (patientRef) => await call('readLastSync', { params: { patientRef } })),
  );

  const tookMs: number[] = [];
  const failures = new Map<string, number>();
  let withoutMarker = 0;
  const request = async (patientRef: string, dueMs: number): Promise<void> => {
    const { status, json } = await call('requestPatientSync', { body: { patientRef } });
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
  return {
    tookMs: tookMs.sort((one, other) => one - other),
    failures,
    withoutMarker,
    coldMs: Math.max(...firstAnswers.map((answer) => answer.tookMs)),
    failureRate: after.failureRate,
    lineRequests: after.requests - before.requests,
  };
}

console.log(
  `\nA sync on demand, promised: ${requests} requests, one each ${betweenMs} ms, while a run keeps the line busy\n`,
);
console.log(
  '| | p50 ms | p99 ms | max ms | not promised | without marker | requests on the line (failed) | first answers of four Lambdas |',
);
console.log('|---|---|---|---|---|---|---|---|');
console.log(`| goal | ${goals.p50} | ${goals.p99} | ${goals.max} | 0 | 0 | | |`);
for (const latencyMs of lineMs) {
  const { tookMs, failures, withoutMarker, coldMs, failureRate, lineRequests } = await measure(latencyMs);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) =>
    Math.round(tookMs[Math.ceil(share * tookMs.length) - 1] ?? Number.NaN),
  );
  const line = `${lineRequests} (${Math.round(failureRate * 100)} %)`;
  const failed = [...failures].map(([what, times]) => `${times} × ${what}`).join(', ') || 0;
  console.log(
    `| ${latencyMs} ms a request | ${p50} | ${p99} | ${max} | ${failed} | ${withoutMarker} | ${line} | ${Math.round(coldMs)} ms |`,
  );
}
