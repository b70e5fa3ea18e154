import { ApplicationFailure } from '@temporalio/common';
import type { PatientRecordActivities } from '../../core/contract/patient-record.ts';
import { AccessLogError } from '../../core/stores/access-log.ts';
import type { Stores } from '../../core/stores/open-stores.ts';
import { writeSyncRequest } from '../../core/stores/sync-request.ts';
import type { Log } from '../log.ts';
import type { EndSync } from './end-sync.ts';

export type PatientRecordActivitiesDeps = Pick<Stores, 'patients' | 'accessLog'> & {
  readonly log: Log;
  readonly endSync: EndSync;
};

/** Creates the activities of the workflow patientRecord, without those of its syncs. */
export const createPatientRecordActivities = ({
  log,
  endSync,
  ...stores
}: PatientRecordActivitiesDeps): PatientRecordActivities => ({
  async writeSyncRequest(request) {
    const lastSync = await writeSyncRequest(stores, request).catch(rethrowForTemporal);
    if (lastSync === undefined) throw ApplicationFailure.nonRetryable('the patient does not exist', 'PatientUnknown');
    const { access, syncId } = request;
    const { correlationId } = access.source;
    // connects a request with its sync, which may be one that it has joined
    log.info('sync requested', { correlationId, patientRef: access.patientRef, syncId, joins: lastSync.syncId });
    return lastSync;
  },

  async beginSync({ patientRef, syncId }) {
    return await stores.patients.beginSync(patientRef, syncId);
  },

  endSync,

  async appendAccess({ patientRef, drafts }) {
    await stores.accessLog.append(patientRef, drafts).catch(rethrowForTemporal);
  },
});

function rethrowForTemporal(error: unknown): never {
  if (error instanceof AccessLogError) throw ApplicationFailure.fromError(error, { type: 'AccessLogUnavailable' });
  throw error;
}
