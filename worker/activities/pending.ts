import type { ListPendingResult, PatientCounts, SyncActivities } from '../../core/contract/sync-activities.ts';
import { careRecordsAgeOf } from '../../core/domain/freshness.ts';
import { shardIndexesIn, shardOf, shardSetOf, shards } from '../../core/domain/shard.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import { withHeartbeats } from './heartbeats.ts';
import { type RemovePatientDeps, removePatient } from './remove-patient.ts';

/** Number of shards that are read at the same time. */
const parallelShards = 8;
/** Number of segments of the table, which are read at the same time. */
const segments = 8;

export interface PendingDeps extends RemovePatientDeps {
  readonly patients: RemovePatientDeps['patients'] &
    Pick<PatientsStore, 'listPending' | 'scan' | 'hold' | 'listHeld' | 'reopenReported'>;
}

export const createPending = ({
  patients,
  careRecords,
  accessLog,
}: PendingDeps): Pick<
  SyncActivities,
  'listPending' | 'countPatients' | 'finishRemovals' | 'holdPatient' | 'removeHeld' | 'reopenReported'
> => ({
  async listPending({ shardIndex: first, after, limit, pendingShards }) {
    const indexes = pendingShards === undefined ? undefined : shardIndexesIn(pendingShards);
    return await withHeartbeats(undefined, async ({ signal }): Promise<ListPendingResult> => {
      const patientRefs: string[] = [];
      for (let shardIndex = first; shardIndex < shards.length; shardIndex += 1) {
        signal.throwIfAborted();
        if (indexes?.has(shardIndex) === false) continue;
        const from = shardIndex === first ? after : undefined;
        patientRefs.push(...(await patients.listPending(shards[shardIndex] ?? '', from, limit - patientRefs.length)));
        const last = patientRefs.at(-1);
        if (last !== undefined && patientRefs.length >= limit)
          return { patientRefs, next: { shardIndex, after: last } };
      }
      return { patientRefs };
    });
  },

  async countPatients() {
    return await withHeartbeats(undefined, async ({ signal }): Promise<PatientCounts> => {
      const counts = { stored: 0, provisional: 0, pending: 0, reported: 0, removing: 0 };
      const pendingShards = new Set<string>();
      const asOfMs: number[] = [];
      let undated = 0;
      await forEachParallel(Array(segments).keys(), segments, async (segment) => {
        for await (const counted of patients.scan(segment, segments)) {
          const { patientRef, careState, isBeingRemoved, isProvisional, careRecordsAsOf } = counted;
          signal.throwIfAborted();
          counts[isBeingRemoved ? 'removing' : isProvisional ? 'provisional' : 'stored'] += 1;
          if (isBeingRemoved) continue;
          if (careRecordsAsOf === 'unknown') undated += 1;
          else if (careRecordsAsOf !== undefined) asOfMs.push(Date.parse(careRecordsAsOf));
          if (careState === 'reported-not-insured' && !isProvisional) counts.reported += 1;
          if (careState !== 'pending') continue;
          counts.pending += 1;
          pendingShards.add(shardOf(patientRef));
        }
      });
      const hasRecords = asOfMs.length + undated > 0;
      return {
        ...counts,
        pendingShards: shardSetOf(pendingShards),
        ...(hasRecords && { careRecordsAge: careRecordsAgeOf(Float64Array.from(asOfMs), undated, Date.now()) }),
      };
    });
  },

  async finishRemovals() {
    await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
      await forEachParallel(Array(segments).keys(), segments, async (segment) => {
        for await (const { patientRef, revision, isBeingRemoved } of patients.scan(segment, segments)) {
          signal.throwIfAborted();
          if (isBeingRemoved)
            await removePatient({ patients, careRecords, accessLog }, patientRef, revision, writeGuard);
        }
      });
    });
  },

  async holdPatient({ patientRef, revision, heldFor }) {
    await patients.hold(patientRef, revision, heldFor);
  },

  async removeHeld({ heldFor }) {
    await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
      await forEachParallel(shards, parallelShards, async (shard) => {
        for await (const { patientRef, revision } of patients.listHeld(shard, heldFor)) {
          signal.throwIfAborted();
          await removePatient({ patients, careRecords, accessLog }, patientRef, revision, writeGuard);
        }
      });
    });
  },

  async reopenReported({ nextQuestion }) {
    await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
      await forEachParallel(shards, parallelShards, async (shard) => {
        signal.throwIfAborted();
        await patients.reopenReported(shard, nextQuestion, writeGuard);
      });
    });
  },
});
