import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { createDiscardStaged, type DiscardStagedDeps } from './discard-staged.ts';
import { createPending } from './pending.ts';
import { createRemovePatient } from './remove-patient.ts';
import { createRunRecord, type RunRecordDeps } from './run-record.ts';
import { createStoreCareRecords, type StoreCareRecordsDeps } from './store-care-records.ts';

export type SyncActivitiesDeps = StoreCareRecordsDeps & DiscardStagedDeps & RunRecordDeps;

/** Creates the activities of a sync that neither call the insurer nor process the list. */
export const createSyncActivities = (deps: SyncActivitiesDeps): SyncActivities => ({
  ...createStoreCareRecords(deps),
  ...createDiscardStaged(deps),
  ...createRemovePatient(deps),
  ...createPending(deps),
  ...createRunRecord(deps),
});
