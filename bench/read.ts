import { openApi } from '../test/api.fixture.ts';
import { startDay } from '../test/day.fixture.ts';

/**
 * Measures how long somebody waits for a patient's record: one read after the other, and twenty in parallel. From the request to
 * the last byte, through API Gateway, Lambda, Temporal and the access log, on the emulator of the laptop.
 */
const alone = 100;
const bursts = 10;
const inParallel = 20;
const goalMs = 2_000;

await using day = await startDay({ patients: inParallel * 3, rate: 0 }, {}, { api: true });
const { call } = await openApi(day.stack);
await day.startWorker();
await day.runToEnd();
const refs = await day.storedRefs();
const failures = new Map<number, number>();
const read = async (index: number): Promise<number> => {
  const patientRef = refs[index % refs.length] ?? '';
  const { status, tookMs } = await call('readPatient', { params: { patientRef } });
  if (status !== 200) failures.set(status, (failures.get(status) ?? 0) + 1);
  return tookMs;
};
const burst = async (from: number): Promise<number[]> =>
  await Promise.all(Array.from({ length: inParallel }, async (_, index) => await read(from + index)));

const rows: [string, readonly number[]][] = [];
rows.push(['the first read', [await read(0)]]);
const tookMs: number[] = [];
for (let index = 0; index < alone; index += 1) tookMs.push(await read(index));
rows.push(['alone', tookMs]);
rows.push(['twenty in parallel, for the first time', await burst(0)]);
const later: number[] = [];
for (let number = 1; number <= bursts; number += 1) later.push(...(await burst(number * inParallel)));
rows.push(['twenty in parallel', later]);

console.log(`\nA patient's record is read. Goal: twenty in parallel in ${goalMs} ms\n`);
console.log('| | reads | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|');
for (const [name, all] of rows) {
  const sorted = all.toSorted((one, other) => one - other);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0));
  console.log(`| ${name} | ${all.length} | ${p50} | ${p99} | ${max} |`);
}
if (failures.size > 0) console.log(`\nnot answered: ${[...failures].map(([status, times]) => `${times} × ${status}`)}`);
