import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPatientRecordClient } from '../core/patient-record-client.ts';
import { insurerId, startDay } from '../test/day.fixture.ts';

/**
 * How long somebody waits until their sync is promised, while a run at 80 % failure keeps the line busy: from the call of the
 * client, as a Lambda makes it, to the answer; and whether the marker is in the table then. Each request is for another patient.
 */
const requests = Number(process.env['BENCH_REQUESTS'] ?? 500);
const betweenMs = Number(process.env['BENCH_BETWEEN_MS'] ?? 200);
const goals = { p50: 150, p99: 300, max: 1_000 };

await using day = await startDay({ patients: 5_000, rate: 0.8, latencyMs: 20, malformedEntries: 0 });
await day.startWorker();
await day.sync.start();
await day.insurer.until(({ patientsServed }) => patientsServed >= 20);
const people = createPatientRecordClient({
  temporal: async () => day.client,
  stores: day.stores,
  config: { INSURER_ID: insurerId, CARE_MAX_ATTEMPTS: 40 },
});

const tookMs: number[] = [];
let withoutMarker = 0;
let failed = 0;
const request = async (patientRef: string): Promise<void> => {
  const startedAt = performance.now();
  const access = {
    id: randomUUID(),
    patientRef,
    recorded: new Date().toISOString(),
    operation: 'request-sync',
    outcome: 'success',
    agent: { who: 'bench', role: 'clinician' },
    source: { component: 'api' },
  } as const;
  try {
    const { syncId } = await people.requestSync({ patientRef, requestedBy: 'bench', access });
    tookMs.push(performance.now() - startedAt);
    if ((await day.stores.patients.readLastSync(patientRef))?.lastSync?.syncId !== syncId) withoutMarker += 1;
  } catch {
    failed += 1;
  }
};

const before = day.insurer.summary();
const underWay: Promise<void>[] = [];
for (const { kvnr } of day.insurer
  .patients()
  .filter(({ kind }) => kind === 'ok')
  .slice(-requests)) {
  underWay.push(request(day.refOf(kvnr)));
  await sleep(betweenMs);
}
await Promise.all(underWay);
const after = day.insurer.summary();
const progress = await day.sync.readProgress();

tookMs.sort((one, other) => one - other);
const percentile = (share: number): number => Math.round(tookMs[Math.ceil(share * tookMs.length) - 1] ?? 0);
const [p50, p99, max] = [percentile(0.5), percentile(0.99), percentile(1)];
console.log(
  `\nA sync on demand, promised: ${underWay.length} requests, one each ${betweenMs} ms, while a run (${progress?.careRecords.pending} pending) and they
made ${after.requests - before.requests} requests of the line, ${Math.round(after.failureRate * 100)} % of them failing\n`,
);
console.log('| | p50 ms | p99 ms | max ms | failed | without marker |\n|---|---|---|---|---|---|');
console.log(`| goal, over HTTP | ${goals.p50} | ${goals.p99} | ${goals.max} | 0 | 0 |`);
console.log(`| client.requestSync | ${p50} | ${p99} | ${max} | ${failed} | ${withoutMarker} |`);
