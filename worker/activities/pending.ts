import type { ListPendingResult, PatientCounts, SyncActivities } from '../../core/contract/sync-activities.ts';
import { shards } from '../../core/domain/shard.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import { withHeartbeats } from './heartbeats.ts';
import { type RemovePatientDeps, removePatient } from './remove-patient.ts';

/** Number of shards that are read at the same time. */
const parallelShards = 8;

export interface PendingDeps extends RemovePatientDeps {
  readonly patients: RemovePatientDeps['patients'] &
    Pick<PatientsStore, 'listPending' | 'countShard' | 'hold' | 'listHeld' | 'reopenReported'>;
}

export const createPending = ({
  patients,
  careRecords,
  accessLog,
}: PendingDeps): Pick<
  SyncActivities,
  'listPending' | 'countPatients' | 'finishRemovals' | 'holdPatient' | 'removeHeld' | 'reopenReported'
> => ({
  async listPending({ shardIndex: first, after: firstAfter, limit }) {
    return await withHeartbeats(undefined, async ({ signal }): Promise<ListPendingResult> => {
      const patientRefs: string[] = [];
      let after = firstAfter;
      for (let shardIndex = first; shardIndex < shards.length; shardIndex += 1) {
        signal.throwIfAborted();
        patientRefs.push(...(await patients.listPending(shards[shardIndex] ?? '', after, limit - patientRefs.length)));
        const last = patientRefs.at(-1);
        if (last !== undefined && patientRefs.length >= limit)
          return { patientRefs, next: { shardIndex, after: last } };
        after = undefined;
      }
      return { patientRefs };
    });
  },

  async countPatients() {
    return await withHeartbeats(undefined, async ({ signal }): Promise<PatientCounts> => {
      const counts = { stored: 0, pending: 0, reported: 0, removing: 0 };
      await forEachParallel(shards, parallelShards, async (shard) => {
        signal.throwIfAborted();
        const { stored, pending, reported, removing } = await patients.countShard(shard);
        counts.stored += stored;
        counts.pending += pending;
        counts.reported += reported;
        counts.removing += removing.length;
      });
      return counts;
    });
  },

  async finishRemovals() {
    await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
      await forEachParallel(shards, parallelShards, async (shard) => {
        signal.throwIfAborted();
        const { removing } = await patients.countShard(shard);
        for (const { patientRef, revision } of removing)
          await removePatient({ patients, careRecords, accessLog }, patientRef, revision, writeGuard);
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

  async reopenReported() {
    await withHeartbeats(undefined, async ({ signal }) => {
      await forEachParallel(shards, parallelShards, async (shard) => {
        signal.throwIfAborted();
        await patients.reopenReported(shard);
      });
    });
  },
});
