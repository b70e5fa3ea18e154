/**
 * Measures peak memory and people per second of an export: of a tenth of the people, and of all. Each measurement is a separate
 * process. The people are the simulator's, and the stores keep nothing but the size of the files, so that only our code is
 * measured. `node bench/export.ts [people]`
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { ExportActivities, ExportInput, ExportNext } from '../core/contract/export.ts';
import type { Export, ExportedType } from '../core/domain/export.ts';
import { simulatedPeople } from '../core/domain/fhir/population.fixture.ts';
import type { Kvnr } from '../core/domain/kvnr.ts';
import { shards } from '../core/domain/shard.ts';
import { splitAnswer } from '../core/domain/split-answer.ts';
import type { ExportsStore } from '../core/stores/exports.ts';
import { createExportActivities, type ExportDeps } from '../worker/activities/export.ts';

interface Measured {
  readonly seconds: number;
  readonly peakMb: number;
  readonly outcome: string;
}
/** The tenth and the whole may differ by this much: what a garbage collector leaves differs from run to run. */
const growthMaxMb = 64;
const templates = 500;

async function printTable(people: number): Promise<void> {
  console.log('| people | people/s | seconds | peak RSS MB | outcome |\n|---|---|---|---|---|');
  const peaks: number[] = [];
  for (const count of [0, Math.round(people / 10), people]) {
    const child = fork(import.meta.filename, { stdio: 'inherit' });
    child.send(count);
    const [{ seconds, peakMb, outcome }] = (await once(child, 'message')) as [Measured];
    const rate = count === 0 ? '' : Math.round(count / seconds);
    console.log(`| ${count} | ${rate} | ${seconds.toFixed(1)} | ${peakMb.toFixed(0)} | ${outcome} |`);
    if (count > 0) peaks.push(peakMb);
    if (child.exitCode === null) await once(child, 'exit');
  }
  const growthMb = (peaks[1] ?? 0) - (peaks[0] ?? 0);
  const isMet = growthMb <= growthMaxMb;
  console.log(`goal: ten times the people need at most ${growthMaxMb} MB more: ${isMet ? 'met' : 'missed'}`);
  if (!isMet) process.exitCode = 1;
}

async function measure(people: number): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { deps, found, written } = openStores(people);
  const { carryOnExport } = createExportActivities(deps);
  const environment = new MockActivityEnvironment();
  const input: ExportInput = { insurerId: 'kk', exportId: found().exportId };
  const started = performance.now();
  while (found().state === 'running')
    await environment.run<[ExportInput], ExportNext, ExportActivities['carryOnExport']>(carryOnExport, input);
  const seconds = (performance.now() - started) / 1_000;
  const { patients, batches } = found();
  const outcome = `${patients} patients, ${batches} batches, ${written.files} files, ${(written.bytes / 1e6).toFixed(0)} MB, ${written.entries} access entries`;
  process.send?.({ seconds, peakMb: process.resourceUsage().maxRSS / 1024, outcome } satisfies Measured);
  process.disconnect();
  process.exit(0);
}

/** The parts of the stores that an export needs. They hold some hundred of the simulator's people, who return again and again. */
function openStores(people: number) {
  const known = simulatedPeople(templates).map(({ kvnr, entry, answer }) => ({
    kvnr: kvnr as Kvnr,
    entry,
    records: answer === undefined ? [] : splitAnswer(answer).records,
  }));
  const personOf = (patientRef: string) => known[Number.parseInt(patientRef.slice(2), 10) % known.length] ?? known[0];
  const written = { files: 0, bytes: 0, entries: 0 };
  let current: Export = {
    exportId: '20261130T050000Z-00000000',
    state: 'running',
    requestedBy: { who: 'bench', role: 'integration' },
    source: { component: 'api' },
    transactionTime: new Date().toISOString(),
    apiUrl: 'https://api.example/v1',
    insurer: { id: 'kk' },
    batches: 0,
    patients: 0,
    counts: { Patient: 0, Coverage: 0, EpisodeOfCare: 0, DocumentReference: 0 },
  };
  const exports: Pick<ExportsStore, 'read' | 'putFile' | 'addBatch' | 'change' | 'deleteFiles'> = {
    read: async () => current,
    async putFile(exportId: string, type: ExportedType, lines: readonly Buffer[]) {
      const body = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
      const sha256 = createHash('sha256').update(body).digest('hex');
      written.files += 1;
      written.bytes += body.length;
      return {
        type,
        key: `exports/${exportId}/${type}/${sha256}`,
        count: lines.length,
        sizeBytes: body.length,
        sha256,
      };
    },
    async addBatch(_insurerId, before, { after, isLast, patients }) {
      current = {
        ...before,
        batches: before.batches + 1,
        patients: before.patients + patients,
        ...(after !== undefined && { after }),
        ...(isLast && { state: 'completed', finishedAt: new Date().toISOString() }),
      };
      return true;
    },
    change: async () => true,
    deleteFiles: async () => {},
  };
  const deps = {
    patients: {
      async listStored(shard: string, after = '') {
        const index = shards.indexOf(shard);
        const count = Math.floor(people / shards.length) + (index < people % shards.length ? 1 : 0);
        const all = Array.from({ length: count }, (_, number) => `${shard}${String(number).padStart(30, '0')}`);
        return all.filter((ref) => ref > after);
      },
      async get(patientRef: string) {
        const person = personOf(patientRef);
        return {
          ...{ patientRef, kvnr: person?.kvnr, standing: 'listed', body: person?.entry },
          ...{ careState: 'current', careVersion: '1', revision: 1, incarnation: 1 },
        };
      },
    },
    careRecords: {
      async readPage(patientRef: string) {
        const records = personOf(patientRef)?.records ?? [];
        return { records, total: records.length };
      },
    },
    accessLog: {
      async append() {
        written.entries += 1;
        return [];
      },
    },
    exports,
    onBatch: () => {},
    onSkipped: () => {},
    onFailed: () => {},
  } as unknown as ExportDeps;
  return { deps, found: () => current, written };
}

if (process.send === undefined) await printTable(Number(process.argv[2] ?? 100_000));
else process.once('message', (people: number) => void measure(people));
