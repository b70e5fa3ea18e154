import type { FhirResource } from 'fhir/r4.js';
import type { ExportActivities } from '../../core/contract/export.ts';
import type { AccessDraft } from '../../core/domain/access.ts';
import {
  type Export,
  type ExportBatch,
  type ExportedType,
  exportedTypes,
  filesExpireAt,
  isExportInProgress,
  isTooOld,
} from '../../core/domain/export.ts';
import { attachedFiles, documentsOf, episodeResource } from '../../core/domain/fhir/care-record.ts';
import { coverageResource, patientResource } from '../../core/domain/fhir/patient.ts';
import type { StoredPatient } from '../../core/domain/patient.ts';
import { shardOf, shards } from '../../core/domain/shard.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { Stores } from '../../core/stores/open-stores.ts';
import { forEachParallel, readAhead } from '../../core/stores/parallel.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface ExportDeps extends Pick<Stores, 'patients' | 'careRecords' | 'accessLog' | 'exports'> {
  /** is called once a batch is added */
  readonly onBatch: (patients: number) => void;
  /** is called for each patient who is left out, because their stored data cannot be read; again if the batch is repeated */
  readonly onSkipped: (patientRef: string) => void;
  /** is called when an export has failed */
  readonly onFailed: () => void;
}

/**
 * A batch ends with the patient with whom it reaches this size or this time: it is in memory until it is written, and a pause
 * waits for it.
 */
const batchLimits = { bytes: 16 << 20, ms: 15_000 };
/** Patients whose data is read at the same time. Each can have 64 MiB of care records. */
const patientsAtOnce = 4;
const entriesAtOnce = 8;
/** How often a patient is read again if the care records are replaced meanwhile. */
const readsMax = 5;
const pageOfRecords = { records: 1_000, bytes: 5_000_000 };
/** An export that is paused looks again after this time, in case a wake-up was lost. */
const pausedWaitSeconds = 3_600;

/** @param limits lets tests make batches of few patients */
export const createExportActivities = (deps: ExportDeps, limits = batchLimits): ExportActivities => {
  const { patients, accessLog, exports, onBatch, onSkipped, onFailed } = deps;

  const fail = async (insurerId: string, exportId: string, failure: NonNullable<Export['failure']>): Promise<void> => {
    const finishedAt = new Date().toISOString();
    const end = { state: 'failed', finishedAt, failure } as const;
    if (await exports.change(insurerId, exportId, ['running', 'paused'], end)) onFailed();
  };

  /**
   * Reads the next patients. They are recorded before anything of them is stored.
   * @returns undefined if the export has ended meanwhile, or another attempt has added this batch
   */
  const writeBatch = async (
    insurerId: string,
    before: Export,
    signal: AbortSignal,
  ): Promise<ExportBatch | undefined> => {
    const lines = new Map<ExportedType, Buffer[]>(exportedTypes.map((type) => [type, []]));
    const contained: string[] = [];
    const startedMs = performance.now();
    let bytes = 0;
    let skipped = 0;
    let { after } = before;
    const collect = async (): Promise<boolean> => {
      for (const shard of shards.slice(after === undefined ? 0 : shards.indexOf(shardOf(after)))) {
        const refs = await patients.listStored(
          shard,
          after !== undefined && shardOf(after) === shard ? after : undefined,
        );
        const read = readAhead(refs, patientsAtOnce, async (patientRef) => ({
          patientRef,
          resources: await resourcesOf(deps, patientRef, before),
        }));
        for await (const { patientRef, resources } of read) {
          signal.throwIfAborted();
          after = patientRef;
          if (resources === undefined) continue;
          if (resources === 'unreadable') {
            skipped += 1;
            onSkipped(patientRef);
            continue;
          }
          contained.push(patientRef);
          for (const resource of resources) {
            const line = Buffer.from(JSON.stringify(resource));
            lines.get(resource.resourceType as ExportedType)?.push(line);
            bytes += line.length + 1;
          }
          if (bytes >= limits.bytes || performance.now() - startedMs >= limits.ms) return false;
        }
      }
      return true;
    };
    const isLast = await collect();
    await forEachParallel(contained, entriesAtOnce, async (patientRef) => {
      signal.throwIfAborted();
      await accessLog.append(patientRef, [exportAccess(patientRef, before)]);
    });
    const files = [];
    for (const [type, of] of lines) {
      if (of.length === 0) continue;
      // a worker that is cut off from Temporal learns only here that the files may be deleted already
      const now = await exports.read(insurerId, before.exportId);
      if (now === undefined || !isExportInProgress(now) || now.batches !== before.batches) return undefined;
      files.push(await exports.putFile(before.exportId, type, of));
    }
    return { ...(after !== undefined && { after }), isLast, patients: contained.length, skipped, files };
  };

  return {
    async carryOnExport({ insurerId, exportId }) {
      return await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
        const found = await exports.read(insurerId, exportId);
        if (found === undefined) return {};
        if (found.state === 'running' || found.state === 'paused') {
          if (isTooOld(found, Date.now())) await fail(insurerId, exportId, 'too-old');
          else if (found.state === 'paused') return { waitSeconds: pausedWaitSeconds };
          else {
            const batch = await writeBatch(insurerId, found, signal);
            writeGuard.check();
            if (batch && (await exports.addBatch(insurerId, found, batch))) onBatch(batch.patients);
          }
          return { waitSeconds: 0 };
        }
        const expiresInMs = Date.parse(filesExpireAt(found) ?? '') - Date.now();
        if (expiresInMs > 0) return { waitSeconds: Math.ceil(expiresInMs / 1000) };
        await exports.deleteFiles(insurerId, exportId);
        await exports.change(insurerId, exportId, ['completed'], { state: 'expired' });
        return {};
      });
    },

    async endExport({ insurerId, exportId, failure }) {
      if (failure !== undefined) return await fail(insurerId, exportId, failure);
      const end = { state: 'cancelled', finishedAt: new Date().toISOString() } as const;
      await exports.change(insurerId, exportId, ['running', 'paused'], end);
    },
  };
};

/** Creates the access entry of a patient in an export. Its ID lets a repeated batch append nothing. */
const exportAccess = (patientRef: string, { exportId, requestedBy, source }: Export): AccessDraft => ({
  id: `export:${exportId}`,
  patientRef,
  recorded: new Date().toISOString(),
  operation: 'export',
  outcome: 'success',
  agent: requestedBy,
  source,
  entity: { kind: 'export', id: exportId },
});

/**
 * Reads a patient and their current care records as FHIR resources, each of the types of an export.
 * @returns undefined if they are not stored, or are being removed; `unreadable` if an object or item of them is missing or
 *   damaged, which no retry mends
 * @throws Error if the care records are replaced during each read, or a table or the bucket is not available
 */
async function resourcesOf(
  { patients, careRecords }: Pick<ExportDeps, 'patients' | 'careRecords'>,
  patientRef: string,
  { insurer, apiUrl }: Export,
): Promise<FhirResource[] | 'unreadable' | undefined> {
  let unreadable: string | undefined;
  for (let reads = 0; reads < readsMax; reads++) {
    const patient = await patients.get(patientRef).catch((error: unknown): 'unreadable' => {
      if (error instanceof PayloadError) return 'unreadable'; // large master data; `get` has read again
      throw error;
    });
    if (patient === 'unreadable') return patient;
    if (patient === undefined || patient.standing === 'inquiry') return undefined;
    if (unreadable !== undefined && patient.careVersion === unreadable) return 'unreadable'; // nothing has replaced it
    const coverage = coverageResource(patient, insurer);
    const ofRecords = await careResources(careRecords, patient, `${apiUrl}/fhir`);
    if (ofRecords !== undefined) return [patientResource(patient), ...(coverage ? [coverage] : []), ...ofRecords];
    unreadable = patient.careVersion;
  }
  throw new Error('the care records of a patient were replaced during each read');
}

/**
 * Reads the current care records of a patient as FHIR resources.
 * @returns undefined if something of the version is missing or damaged, mostly because another version has replaced it. If not,
 *   the patient is skipped, as with master data that cannot be read
 */
async function careResources(
  careRecords: ExportDeps['careRecords'],
  { patientRef, careVersion, careRecordsAsOf: receivedAt }: StoredPatient,
  fhirUrl: string,
): Promise<FhirResource[] | undefined> {
  const resources: FhirResource[] = [];
  if (careVersion === undefined) return resources;
  for (let at = 0, total = 1; at < total; ) {
    const page = await careRecords
      .readPage(patientRef, careVersion, at, pageOfRecords)
      .catch((error: unknown): undefined => {
        if (!(error instanceof PayloadError)) throw error; // such as: the bucket is away
      });
    if (page === undefined) return undefined;
    total = page.total;
    at += page.records.length;
    for (const { recordId, body, documents } of page.records) {
      const record = { patientRef, careVersion, receivedAt, recordId, body };
      const contents = attachedFiles(documents);
      const found = documentsOf(record, fhirUrl, (index) => contents.get(index));
      resources.push(episodeResource(record), ...found.map(({ resource }) => resource));
    }
  }
  return resources;
}
