import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { type Bucket, deletePrefix } from '../../core/stores/objects.ts';
import type { StoreCareRecordsDeps } from './store-care-records.ts';
import { careRecordsAccess } from './sync-access.ts';

export interface DiscardStagedDeps extends StoreCareRecordsDeps {
  readonly bucket: Bucket;
}

export const createDiscardStaged = ({
  patients,
  careRecords,
  payloads,
  accessLog,
  bucket,
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

  async sweepRun({ runId }) {
    await payloads.deleteAllOf({ syncId: runId });
    await deletePrefix(bucket, `lists/${runId}-`);
  },

  async markCareFailed({ patientRef, seen }) {
    if (seen !== undefined) await patients.markCareFailed(patientRef, seen);
  },
});
