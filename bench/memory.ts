/**
 * Measures peak memory and entries per second for the import of a list of a million entries: split and diff, with an empty
 * and with a full table. Compares them with plain JSON.parse of the same bytes. Each measurement is a separate process. The
 * stores are files in a temporary folder, so that only our code is measured. `node bench/memory.ts [entries]`
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { PatientListReference } from '../core/contract/line-activities.ts';
import type { PayloadReference } from '../core/contract/payload-reference.ts';
import type { ListCounts } from '../core/domain/diff.ts';
import { isKvnr } from '../core/domain/kvnr.ts';
import { shards as shardNames } from '../core/domain/shard.ts';
import { type ListsStore, linesOf } from '../core/stores/lists.ts';
import type { ListedPatient, Shard, ShardItem } from '../core/stores/patients.ts';
import type { ApplyListDeps } from '../worker/activities/apply-list.ts';
import type { ChangedKvnrsDeps } from '../worker/activities/changed-kvnrs.ts';
import { createListActivities } from '../worker/activities/list-activities.ts';

const segmentBytes = 8 << 20;
const goalMb = 512;

interface Measure {
  readonly step: 'JSON.parse' | 'nothing' | 'empty table' | 'full table';
  readonly folder: string;
  readonly list: PatientListReference;
}
interface Measured {
  readonly seconds: number;
  readonly peakMb: number;
  readonly outcome: string;
}

async function printTable(entries: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'epa-sync-bench-memory-'));
  try {
    const list = await writeList(folder, entries);
    console.log(
      `${entries} entries, ${(list.sizeBytes / 1e6).toFixed(0)} MB, ${(await segmentsOf(list)).length} segments`,
    );
    console.log('| measure | entries/s | seconds | peak RSS MB | outcome |\n|---|---|---|---|---|');
    let isMet = true;
    for (const step of ['JSON.parse', 'nothing', 'empty table', 'full table'] as const) {
      const child = fork(import.meta.filename, { stdio: 'inherit' });
      child.send({ step, folder, list } satisfies Measure);
      const [{ seconds, peakMb, outcome }] = (await once(child, 'message')) as [Measured];
      const rate = step === 'nothing' ? '' : Math.round(entries / seconds);
      console.log(`| ${nameOf(step)} | ${rate} | ${seconds.toFixed(1)} | ${peakMb.toFixed(0)} | ${outcome} |`);
      if (step.endsWith('table') && peakMb > goalMb) isMet = false;
      if (child.exitCode === null) await once(child, 'exit');
    }
    console.log(`goal: peak RSS of split and diff at most ${goalMb} MB: ${isMet ? 'met' : 'missed'}`);
    if (!isMet) process.exitCode = 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const nameOf = (step: Measure['step']): string =>
  ({
    'JSON.parse': 'JSON.parse of the whole',
    nothing: 'the same process, idle',
    'empty table': 'split + diff, empty table',
    'full table': 'split + diff, full table',
  })[step];

async function runMeasure({ step, folder, list }: Measure): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const started = performance.now();
  const outcome = await {
    'JSON.parse': parseWhole,
    nothing: async () => '',
    'empty table': importList,
    'full table': importList,
  }[step](folder, list);
  const seconds = (performance.now() - started) / 1_000;
  process.send?.({ seconds, peakMb: process.resourceUsage().maxRSS / 1024, outcome } satisfies Measured);
  process.disconnect();
  process.exit(0);
}

async function parseWhole(_folder: string, list: PatientListReference): Promise<string> {
  const bytes = await Promise.all((await segmentsOf(list)).map(({ key }) => readFile(key)));
  const entries = JSON.parse(Buffer.concat(bytes).toString('utf8')) as unknown[];
  return `${entries.length} entries`;
}

async function importList(folder: string, fetched: PatientListReference): Promise<string> {
  const list = { ...fetched, listId: `list-${process.pid}` };
  const activities = createListActivities({
    lists: await openFileLists(folder, list.listId),
    patients: await openFilePatients(folder),
    syncRuns: { addIssues: async () => [], isApplying: async () => true },
    careRecords: { listAll: async () => ({ items: [], objects: [] }), deleteListed: async () => {} },
    accessLog: { append: async () => [], appendFirst: async () => {} },
    pseudonymKey: Buffer.alloc(32, 7),
  });
  const environment = new MockActivityEnvironment();
  type Counts = ListCounts & { readonly quarantined: number };
  const counts = await environment.run<[], Counts, () => Promise<Counts>>(async () => {
    const { shardParts, quarantined } = await activities.splitPatientList({ insurerId: 'kk', runId: 'run', list });
    const { listId } = list;
    const applied = await activities.applyList({ insurerId: 'kk', listId, shardParts, fromShard: 0, toShard: 256 });
    return { ...applied, quarantined };
  });
  return `new ${counts.new}, changed ${counts.changed}, unchanged ${counts.unchanged}, gone ${counts.gone}, quarantined ${counts.quarantined}`;
}

/** A lists store with shard parts as files. */
async function openFileLists(folder: string, listId: string): Promise<ListsStore> {
  const shards = join(folder, listId);
  await mkdir(shards);
  return {
    readManifest: async (manifest) => await segmentsOf({ manifest }),
    async *openSegments(segments) {
      for (const { key } of segments) {
        const bytes = await readFile(key);
        for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536);
      }
    },
    putShardPart: async (_listId, shard, part, lines) => await writeFile(join(shards, `${shard}-${part}`), lines),
    async *readShard(_listId, shard, parts) {
      for (let part = 1; part <= parts; part++)
        yield* linesOf(await readFile(join(shards, `${shard}-${part}`), 'utf8'));
    },
    deleteList: async () => {},
    putSegment: () => Promise.reject(new Error('the benchmark does not use this call')),
    putManifest: () => Promise.reject(new Error('the benchmark does not use this call')),
  };
}

/** The part of the patients store that the diff needs, as files that outlive the process. */
async function openFilePatients(folder: string): Promise<ApplyListDeps['patients'] & ChangedKvnrsDeps['patients']> {
  const table = join(folder, 'table');
  await mkdir(table, { recursive: true });
  const store = async (patients: readonly ListedPatient[], listed: ShardItem['listed']): Promise<void> => {
    const lines = patients.map(({ patientRef, contentHash }) =>
      JSON.stringify({ patientRef, revision: 1, contentHash, careState: 'pending', listed }),
    );
    await appendFile(join(table, patients[0]?.patientRef.slice(0, 2) ?? ''), `${lines.join('\n')}\n`);
  };
  const readShard = async (shard: string): Promise<Shard> => {
    const text = await readFile(join(table, shard), 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    return { stored: lines.map((line) => JSON.parse(line) as ShardItem), unlisted: [], removed: [] };
  };
  return {
    readShard,
    async *readSegment(segment, segments) {
      for (const [index, shard] of shardNames.entries()) if (index % segments === segment) yield await readShard(shard);
    },
    storeNew: async (patients, listId) => await store(patients, { listId, as: 'new' }),
    storeChanged: async (patients, listId) => await store(patients, { listId, as: 'changed' }),
    get: async () => undefined,
    setGoneIn: async () => {},
    setNameHashes: async () => {},
    setSuccessor: async () => {},
    markRemoving: async () => undefined,
    closeVersions: async () => false,
    deleteRemoving: async () => {},
  };
}

/** Writes the list as the line stores it: segments of 8 MiB. One entry in a thousand is invalid. */
async function writeList(folder: string, entries: number): Promise<PatientListReference> {
  const segments: PayloadReference[] = [];
  let pieces: string[] = ['['];
  let heldBytes = 1;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(pieces.join(''));
    const key = join(folder, `segment-${String(segments.length).padStart(6, '0')}`);
    await writeFile(key, bytes);
    segments.push({ key, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    pieces = [];
    heldBytes = 0;
  };
  for (let index = 0; index < entries; index++) {
    const text = `${index === 0 ? '' : ','}${entryAt(index)}`;
    pieces.push(text);
    heldBytes += text.length;
    if (heldBytes >= segmentBytes) await flush();
  }
  pieces.push(']');
  await flush();
  const manifest = { key: join(folder, 'manifest'), sizeBytes: 0, sha256: '' };
  await writeFile(manifest.key, JSON.stringify(segments));
  return { listId: 'list', manifest, sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

const segmentsOf = async ({ manifest }: Pick<PatientListReference, 'manifest'>): Promise<PayloadReference[]> =>
  JSON.parse(await readFile(manifest.key, 'utf8'));

function entryAt(index: number): string {
  const body = `${'ABCDEFGHIJ'[index % 10]}${String(Math.floor(index / 10)).padStart(8, '0')}`;
  const digit = [...'0123456789'].find((last) => isKvnr(body + last)) ?? '';
  const day = String((index % 28) + 1).padStart(2, '0');
  const birthDate = index % 1_000 === 999 ? '1970-02-30' : `19${50 + (index % 50)}-07-${day}`;
  return `{"kvnr":"${body}${digit}","familyName":"Müller-Lüdenscheidt ${index}","givenName":"Änne Zoë","birthDate":"${birthDate}","gender":"female","address":{"street":"Straße des 17. Juni ${index % 300}","postalCode":"${10_000 + (index % 80_000)}","city":"Köln","country":"DE"},"insuredSince":"2001-04-01","status":"M","bonus":1.0,"branch":{"id":${index},"codes":[1,2.50,3]}}`;
}

if (process.send === undefined) await printTable(Number(process.argv[2] ?? 1_000_000));
else process.once('message', (measure: Measure) => void runMeasure(measure));
