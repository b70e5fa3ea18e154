import { Context } from '@temporalio/activity';
import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { shards } from '../../core/domain/shard.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import { withHeartbeats } from './heartbeats.ts';
import { type RemovePatientDeps, removePatient } from './remove-patient.ts';

/** So many shards are read at once when all have to be. */
const shardsAtOnce = 8;

export interface PendingDeps extends RemovePatientDeps {
  readonly patients: RemovePatientDeps['patients'] & Pick<PatientsStore, 'listPending' | 'countShard'>;
}

export const createPending = ({
  patients,
  careRecords,
  accessLog,
}: PendingDeps): Pick<SyncActivities, 'listPending' | 'takeStock'> => ({
  async listPending({ shardIndex: first, after: firstAfter, limit }) {
    const context = Context.current();
    const patientRefs: string[] = [];
    let after = firstAfter;
    for (let shardIndex = first; shardIndex < shards.length; shardIndex += 1) {
      patientRefs.push(...(await patients.listPending(shards[shardIndex] ?? '', after, limit - patientRefs.length)));
      const last = patientRefs.at(-1);
      if (last !== undefined && patientRefs.length >= limit) return { patientRefs, next: { shardIndex, after: last } };
      after = undefined;
      context.heartbeat();
      context.cancellationSignal.throwIfAborted();
    }
    return { patientRefs };
  },

  async takeStock() {
    return await withHeartbeats(undefined, async ({ signal, leash }) => {
      let stored = 0;
      let pending = 0;
      await forEachParallel(shards, shardsAtOnce, async (shard) => {
        signal.throwIfAborted();
        const stock = await patients.countShard(shard);
        stored += stock.stored;
        pending += stock.pending;
        for (const patientRef of stock.removing)
          await removePatient({ patients, careRecords, accessLog }, patientRef, leash);
      });
      return { stored, pending };
    });
  },
});
