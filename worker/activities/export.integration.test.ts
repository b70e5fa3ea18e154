import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { FhirResource } from 'fhir/r4.js';
import { afterEach, expect, test, vi } from 'vitest';
import type { ExportActivities, ExportInput, ExportNext } from '../../core/contract/export.ts';
import { type Export, exportedTypes } from '../../core/domain/export.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { newRunId } from '../../core/domain/run-id.ts';
import { splitAnswer } from '../../core/domain/split-answer.ts';
import { AccessLogError } from '../../core/stores/access-log.ts';
import { Crash, newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import { createExportActivities, type ExportDeps } from './export.ts';

const stores = openEmulatedStores();
const { accessLog, careRecords, exports } = stores;
const kvnr = 'A123456780' as Kvnr;
const careVersion = '000001764028800-000000001';
const apiUrl = 'https://api.example/v1';
const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const isCrash = (error: unknown): boolean =>
  error instanceof Crash || (error instanceof AccessLogError && error.cause instanceof Crash);
/** One resource of each type, and one more EpisodeOfCare. */
const answer = JSON.stringify({
  kvnr,
  careRecords: [
    { id: 'r1', programme: 'DMP', status: 'active', documents: [{ id: 'd1', title: 'Brief', contentBase64: 'QUJD' }] },
    { id: 'r2', programme: 'HZV', status: 'active' },
  ],
});
const resourcesOfEach = 5;
afterEach(() => stores.recover());

/** Stores patients in two shards, in their order. */
async function storePatients(count: number): Promise<string[]> {
  const refs = Array.from({ length: count }, (_, index) => newPatientRef(index % 2 === 0 ? '0a' : 'f1')).sort();
  const entry = JSON.stringify({ kvnr, familyName: 'Muster', givenName: 'Person', insuredSince: '2001-04-01' });
  for (const patientRef of refs) {
    await stores.patients.storeNew([{ patientRef, kvnr, body: entry, contentHash: 'h' }], 'list');
    const { incarnation = 0 } = (await stores.patients.get(patientRef)) ?? {};
    await careRecords.stage(patientRef, careVersion, splitAnswer(answer));
    expect(await stores.patients.activateCareVersion(patientRef, careVersion, incarnation)).toBe(true);
  }
  return refs;
}

const newExport = (): Export => ({
  exportId: newRunId(Date.now(), newPatientRef().slice(0, 5)),
  state: 'running',
  requestedBy: { who: 'warehouse', name: 'Data warehouse', role: 'integration' },
  source: { component: 'api', correlationId: 'c-1' },
  transactionTime: new Date().toISOString(),
  apiUrl,
  insurer: { id: 'demo', iknr: '109500969' },
  batches: 0,
  patients: 0,
  counts: { Patient: 0, Coverage: 0, EpisodeOfCare: 0, DocumentReference: 0 },
});

/** An export of some patients only, because other tests store theirs in the same table. */
async function openExport(refs: readonly string[], { bytes = 16 << 20, more = {} as Partial<ExportDeps> } = {}) {
  const insurerId = `insurer-${newPatientRef()}`;
  const own = new Set(refs);
  const ownShards = new Set(refs.map((ref) => ref.slice(0, 2)));
  const patients = {
    ...stores.patients,
    listStored: async (shard: string, after?: string) =>
      ownShards.has(shard) ? (await stores.patients.listStored(shard, after)).filter((ref) => own.has(ref)) : [],
  };
  const onBatch = vi.fn<(patients: number) => void>();
  const onSkipped = vi.fn<(patientRef: string) => void>();
  const onFailed = vi.fn<() => void>();
  const deps = { ...stores, patients, onBatch, onSkipped, onFailed, ...more };
  const activities = createExportActivities(deps, { bytes, ms: 60_000 });
  const begun = newExport();
  const { exportId } = begun;
  expect(await exports.begin(insurerId, begun)).toBeUndefined();
  const input = { insurerId, exportId };
  const carryOn = async (): Promise<ExportNext> => {
    const environment = new MockActivityEnvironment({}, { logger: silent });
    return await environment.run<[ExportInput], ExportNext, ExportActivities['carryOnExport']>(
      activities.carryOnExport,
      input,
    );
  };
  const read = async () => (await exports.read(insurerId, exportId)) as Export;
  /** Carries on until it waits or is over. */
  const finish = async (): Promise<ExportNext> => {
    for (;;) {
      const next = await carryOn();
      if (next.waitSeconds !== 0) return next;
    }
  };
  const lines = async (): Promise<FhirResource[]> => {
    const files = await exports.readFiles(insurerId, exportId);
    const texts = await Promise.all(
      files.map(async ({ type, count, ...reference }) => {
        const text = (await stores.payloads.get(reference)).toString();
        const resources = text
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as FhirResource);
        expect(resources.map(({ resourceType }) => resourceType)).toEqual(Array(count).fill(type));
        return resources;
      }),
    );
    return texts.flat();
  };
  return { insurerId, exportId, activities, input, carryOn, finish, read, lines, onBatch, onSkipped, onFailed };
}

const entriesOf = async (patientRef: string) =>
  (await accessLog.read(patientRef, 100)).entries.filter(({ operation }) => operation === 'export');

test('each patient is exported once, with one access entry that names the export and who asked for it', async () => {
  const refs = await storePatients(6);
  const { exportId, finish, read, lines, onBatch } = await openExport(refs, { bytes: 1 });
  const { waitSeconds = 0 } = await finish();
  expect(waitSeconds).toBeGreaterThan(23 * 3_600);
  const found = await read();
  expect(found).toMatchObject({ state: 'completed', patients: 6, batches: 7 });
  expect(found.counts).toEqual({ Patient: 6, Coverage: 6, EpisodeOfCare: 12, DocumentReference: 6 });
  const resources = await lines();
  expect(resources.filter(({ resourceType }) => resourceType === 'Patient').map(({ id }) => id)).toEqual(refs);
  expect(new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`)).size).toBe(6 * resourcesOfEach);
  const [document] = resources.filter((each) => each.resourceType === 'DocumentReference');
  expect(document?.content[0]?.attachment.url).toBe(`${apiUrl}/fhir/Binary/${document?.id}`);
  for (const ref of refs) {
    expect(await entriesOf(ref)).toMatchObject([
      {
        agent: { who: 'warehouse', role: 'integration' },
        source: { correlationId: 'c-1' },
        entity: { kind: 'export', id: exportId },
      },
    ]);
    expect(await accessLog.verify(ref)).toMatchObject({ valid: true });
  }
  expect(onBatch.mock.calls.flat().reduce((sum, patients) => sum + patients)).toBe(6);
});

test('a worker that dies at any call leaves no gap, exports nobody twice, and nobody without an entry', async () => {
  const refs = await storePatients(2);
  let wasHit = true;
  for (let call = 1; wasHit; call++)
    for (const kind of ['never sent', 'answer lost'] as const) {
      const { exportId, insurerId, carryOn, finish, lines, read } = await openExport(refs, { bytes: 1 });
      stores.crashAt(call, kind);
      wasHit = await finish().then(
        () => false,
        (error: unknown) => {
          if (!isCrash(error)) throw error;
          return true;
        },
      );
      stores.recover();
      const keys = await stores.keysUnder(`exports/${exportId}/Patient/`);
      const recorded = await Promise.all(
        refs.map(async (ref) => (await entriesOf(ref)).map(({ entity }) => entity?.id)),
      );
      expect(keys.length).toBeLessThanOrEqual(recorded.filter((ids) => ids.includes(exportId)).length);
      await finish();
      expect({ call, kind, state: (await read()).state }).toEqual({ call, kind, state: 'completed' });
      const ids = (await lines()).map(({ resourceType, id }) => `${resourceType}/${id}`);
      expect({ call, ids: [ids.length, new Set(ids).size] }).toEqual({ call, ids: [10, 10] });
      for (const ref of refs)
        expect((await entriesOf(ref)).filter(({ entity }) => entity?.id === exportId)).toHaveLength(1);
      expect((await carryOn()).waitSeconds).toBeGreaterThan(0);
      expect(await exports.begin(insurerId, newExport())).toBeUndefined(); // the place is free
    }
}, 240_000);

test('a patient who is removed before their batch is neither exported nor recorded', async () => {
  const refs = await storePatients(3);
  const { carryOn, finish, lines } = await openExport(refs, { bytes: 1 });
  await carryOn();
  const removed = refs[1] ?? '';
  const revision = (await stores.patients.get(removed))?.revision;
  await stores.patients.markRemoving(removed, revision);
  await finish();
  const patients = (await lines()).filter(({ resourceType }) => resourceType === 'Patient').map(({ id }) => id);
  expect(patients).toEqual([refs[0], refs[2]]);
  expect(await entriesOf(removed)).toEqual([]);
});

test('a late attempt, and a batch of an export that was cancelled, change nothing', async () => {
  const refs = await storePatients(1);
  const { insurerId, exportId, finish, read, lines } = await openExport(refs);
  const before = await read();
  await finish();
  const late = { isLast: true, patients: 1, files: [await exports.putFile(exportId, 'Patient', [Buffer.from('{}')])] };
  expect(await exports.addBatch(insurerId, before, late)).toBe(false);
  expect(await lines()).toHaveLength(resourcesOfEach);

  const other = await openExport(refs);
  const running = await other.read();
  expect(await exports.change(other.insurerId, other.exportId, ['running', 'paused'], { state: 'cancelled' })).toBe(
    true,
  );
  expect(await exports.addBatch(other.insurerId, running, { ...late, files: [] })).toBe(false);
  expect(await other.finish()).toEqual({});
  expect(await stores.keysUnder(`exports/${other.exportId}/`)).toEqual([]);
});

test('a paused export writes nothing until it is resumed, and goes on where it stopped', async () => {
  const refs = await storePatients(3);
  const { insurerId, exportId, carryOn, finish, read, lines } = await openExport(refs, { bytes: 1 });
  await carryOn();
  await exports.change(insurerId, exportId, ['running'], { state: 'paused' });
  expect(await carryOn()).toEqual({ waitSeconds: 3_600 });
  expect(await read()).toMatchObject({ state: 'paused', patients: 1 });
  expect(await exports.begin(insurerId, newExport())).toBe(exportId); // still in progress
  await exports.change(insurerId, exportId, ['paused'], { state: 'running' });
  await finish();
  expect(await lines()).toHaveLength(3 * resourcesOfEach);
});

test('an export that has not ended within six days fails, is counted, and leaves no files', async () => {
  const refs = await storePatients(2);
  const { exportId, carryOn, finish, read, onFailed } = await openExport(refs, { bytes: 1 });
  await carryOn();
  expect(await stores.keysUnder(`exports/${exportId}/`)).toHaveLength(exportedTypes.length);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 6 * 86_400_000 + 1_000 });
  try {
    expect(await finish()).toEqual({});
  } finally {
    vi.useRealTimers();
  }
  expect(await read()).toMatchObject({ state: 'failed', failure: 'too-old' });
  expect(onFailed).toHaveBeenCalledOnce();
  expect(await stores.keysUnder(`exports/${exportId}/`)).toEqual([]);
});

test('the files of a completed export are deleted after a day', async () => {
  const refs = await storePatients(1);
  const { insurerId, exportId, finish, read } = await openExport(refs);
  await finish();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 + 1_000 });
  try {
    expect(await finish()).toEqual({});
  } finally {
    vi.useRealTimers();
  }
  expect((await read()).state).toBe('expired');
  expect(await exports.readFiles(insurerId, exportId)).toEqual([]);
  expect(await stores.keysUnder(`exports/${exportId}/`)).toEqual([]);
});

test('without an access entry, nothing is written', async () => {
  const refs = await storePatients(1);
  const append = async (): Promise<never> => {
    throw ApplicationFailure.retryable('the access log is away');
  };
  const { exportId, carryOn } = await openExport(refs, { more: { accessLog: { ...accessLog, append } } });
  await expect(carryOn()).rejects.toThrow('the access log is away');
  expect(await stores.keysUnder(`exports/${exportId}/`)).toEqual([]);
});

test.each(['missing', 'corrupt'] as const)(
  'a patient with a %s object is skipped, counted and not recorded',
  async (fault) => {
    const refs = await storePatients(3);
    const damaged = refs[1] ?? '';
    const readPage: typeof careRecords.readPage = async (patientRef, ...rest) => {
      if (patientRef !== damaged) return await careRecords.readPage(patientRef, ...rest);
      if (fault === 'corrupt') throw new PayloadError('corrupt');
      return undefined; // as for a version with a missing item or object
    };
    const { finish, read, lines, onSkipped } = await openExport(refs, {
      bytes: 1,
      more: { careRecords: { ...careRecords, readPage } },
    });
    await finish();
    expect(await read()).toMatchObject({ state: 'completed', patients: 2, skipped: 1 });
    expect(onSkipped.mock.calls).toEqual([[damaged]]);
    const patients = (await lines()).filter(({ resourceType }) => resourceType === 'Patient').map(({ id }) => id);
    expect(patients).toEqual([refs[0], refs[2]]);
    expect(await entriesOf(damaged)).toEqual([]);
  },
);

test('care records that are replaced while they are read are exported, and nobody is skipped', async () => {
  const refs = await storePatients(1);
  const replaced = '000001764028800-000000002';
  const readPage: typeof careRecords.readPage = async (patientRef, version, ...rest) => {
    if (version !== replaced) {
      const { incarnation = 0 } = (await stores.patients.get(patientRef)) ?? {};
      await careRecords.stage(patientRef, replaced, splitAnswer(answer));
      await stores.patients.activateCareVersion(patientRef, replaced, incarnation);
      await careRecords.deleteOlderThan(patientRef, replaced);
    }
    return await careRecords.readPage(patientRef, version, ...rest);
  };
  const { finish, read } = await openExport(refs, { more: { careRecords: { ...careRecords, readPage } } });
  await finish();
  const found = await read();
  expect({ patients: found.patients, skipped: found.skipped }).toEqual({ patients: 1, skipped: 0 });
});

test('while the table or the bucket is away, a batch is retried, and nobody is skipped', async () => {
  const refs = await storePatients(1);
  let isAway = true;
  const readPage: typeof careRecords.readPage = async (...asked) => {
    if (isAway) throw new Error('503 SlowDown');
    return await careRecords.readPage(...asked);
  };
  const { carryOn, finish, read } = await openExport(refs, { more: { careRecords: { ...careRecords, readPage } } });
  await expect(carryOn()).rejects.toThrow('503 SlowDown');
  expect(await read()).toMatchObject({ state: 'running', batches: 0 });
  isAway = false;
  await finish();
  expect(await read()).toMatchObject({ state: 'completed', patients: 1, skipped: 0 });
});

test('an attempt that learns nothing from Temporal stores no file after the export was cancelled', async () => {
  const refs = await storePatients(1);
  let cancel = async (): Promise<unknown> => undefined;
  const append: typeof accessLog.append = async (...entry) => {
    await cancel();
    return await accessLog.append(...entry);
  };
  const { insurerId, exportId, carryOn } = await openExport(refs, { more: { accessLog: { ...accessLog, append } } });
  cancel = async () => {
    await exports.change(insurerId, exportId, ['running'], { state: 'cancelled' });
    await exports.deleteFiles(insurerId, exportId); // by another worker
  };
  await carryOn();
  expect(await stores.keysUnder(`exports/${exportId}/`)).toEqual([]);
});

test('a patient whose large master data is missing is skipped', async () => {
  const refs = await storePatients(2);
  const get: typeof stores.patients.get = async (patientRef) => {
    if (patientRef === refs[0]) throw new PayloadError('missing');
    return await stores.patients.get(patientRef);
  };
  const own = async (shard: string, after?: string) =>
    refs.filter((ref) => ref.startsWith(shard) && (after === undefined || ref > after));
  const patients = { ...stores.patients, get, listStored: own };
  const { finish, read } = await openExport(refs, { more: { patients } });
  await finish();
  expect(await read()).toMatchObject({ state: 'completed', patients: 1, skipped: 1 });
});
