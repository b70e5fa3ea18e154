import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { createDiscardStaged, type DiscardStagedDeps } from './discard-staged.ts';
import { createPending } from './pending.ts';
import { createRemovePatient } from './remove-patient.ts';
import { createRunRecord, type RunRecordDeps } from './run-record.ts';
import { createStoreCareRecords } from './store-care-records.ts';

export type SyncActivitiesDeps = DiscardStagedDeps & RunRecordDeps;

/** All activities of a sync that do not talk to the insurer and have no part in taking in the list. */
export const createSyncActivities = (deps: SyncActivitiesDeps): SyncActivities => ({
  ...createStoreCareRecords(deps),
  ...createDiscardStaged(deps),
  ...createRemovePatient(deps),
  ...createPending(deps),
  ...createRunRecord(deps),
});
