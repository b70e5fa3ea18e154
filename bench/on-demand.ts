import { setTimeout as sleep } from 'node:timers/promises';
import { openApi } from '../test/api.fixture.ts';
import { startDay } from '../test/day.fixture.ts';

/**
 * How long somebody waits until their sync is promised, while a run at 80 % failure keeps the line busy: over HTTP, from the
 * request to the 202, through API Gateway, Lambda and Temporal; and whether the marker is in the table then. Each request is
 * for another patient.
 */
const requests = Number(process.env['BENCH_REQUESTS'] ?? 500);
const betweenMs = Number(process.env['BENCH_BETWEEN_MS'] ?? 200);
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

const tookMs: number[] = [];
/** what came instead of a promise, and how often */
const failures = new Map<string, number>();
let withoutMarker = 0;
const request = async (patientRef: string): Promise<void> => {
  const { status, json, tookMs: ms } = await ask('requestPatientSync', { body: { patientRef } });
  if (status !== 202) throw new Error(`${status} ${json?.type ?? json?.message}`);
  tookMs.push(ms);
  const marker = (await day.stores.patients.readLastSync(patientRef))?.lastSync;
  if (marker?.syncId !== json.syncId) withoutMarker += 1;
};

await ask('readLine'); // the token's issuer and the emulator have been asked once; no Lambda of patients has run yet
const before = day.insurer.summary();
const underWay: Promise<void>[] = [];
for (const patientRef of patientRefs) {
  underWay.push(
    request(patientRef).catch((error: Error) => {
      failures.set(error.message, (failures.get(error.message) ?? 0) + 1);
    }),
  );
  await sleep(betweenMs);
}
await Promise.all(underWay);
const after = day.insurer.summary();
const progress = await day.sync.readProgress();

tookMs.sort((one, other) => one - other);
const percentile = (share: number): number => Math.round(tookMs[Math.ceil(share * tookMs.length) - 1] ?? Number.NaN);
const [p50, p99, max] = [percentile(0.5), percentile(0.99), percentile(1)];
const failed = underWay.length - tookMs.length;
console.log(
  `\nA sync on demand, promised: ${underWay.length} requests, one each ${betweenMs} ms, while a run (${progress?.careRecords.pending} pending) and they
made ${after.requests - before.requests} requests of the line, ${Math.round(after.failureRate * 100)} % of them failing\n`,
);
console.log('| | p50 ms | p99 ms | max ms | failed | without marker |\n|---|---|---|---|---|---|');
console.log(`| goal | ${goals.p50} | ${goals.p99} | ${goals.max} | 0 | 0 |`);
console.log(`| POST /patient-syncs | ${p50} | ${p99} | ${max} | ${failed} | ${withoutMarker} |`);
for (const [what, times] of failures) console.log(`\n${times} × ${what}`);
