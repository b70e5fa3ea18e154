import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { ListsStore } from '../../core/stores/lists.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { withHeartbeats } from './heartbeats.ts';
import type { StoreCareRecordsDeps } from './store-care-records.ts';
import { careRecordsAccess } from './sync-access.ts';

export interface DiscardStagedDeps extends Omit<StoreCareRecordsDeps, 'endSync'> {
  readonly lists: Pick<ListsStore, 'deleteList'>;
  readonly syncRuns: Pick<SyncRunsStore, 'abandonLists'>;
}

export const createDiscardStaged = ({
  patients,
  careRecords,
  payloads,
  accessLog,
  lists,
  syncRuns,
}: DiscardStagedDeps): Pick<SyncActivities, 'discardStaged' | 'sweepRun' | 'markCareFailed'> => ({
  async discardStaged({ patientRef, syncId, fetchOrder }) {
    await payloads.deleteAllOf({ syncId, patientRef });
    if (fetchOrder === undefined) return;
    // first, so that a store attempt that still runs cannot make the deleted version current
    const isDiscarded = await patients.discardCareVersion(patientRef, fetchOrder);
    if (isDiscarded) await careRecords.deleteVersion(patientRef, fetchOrder);
    // the attempt that made it current may have died before it appended the access entry
    else await accessLog.append(patientRef, [careRecordsAccess({ patientRef, syncId, careVersion: fetchOrder })]);
  },

  async sweepRun({ insurerId, runId, listCount }) {
    const listIds = Array.from({ length: listCount }, (_, index) => `${runId}-${index + 1}`);
    await withHeartbeats(undefined, async ({ writeGuard }) => {
      await syncRuns.abandonLists(insurerId, listIds);
      writeGuard.check();
      await payloads.deleteAllOf({ syncId: runId });
      for (const listId of listIds) {
        writeGuard.check();
        await lists.deleteList(listId);
      }
    });
  },

  async markCareFailed({ patientRef, seen }) {
    if (seen !== undefined) await patients.markCareFailed(patientRef, seen);
  },
});
