import { ApplicationFailure } from '@temporalio/common';
import type { Stores } from '../../core/clients.ts';
import type { PatientRecordActivities } from '../../core/contract/patient-record.ts';
import { AccessLogError } from '../../core/stores/access-log.ts';
import { writeSyncRequest } from '../../core/sync-request.ts';

export type PatientRecordActivitiesDeps = Pick<Stores, 'patients' | 'accessLog'>;

/** The activities of the entity workflow itself. */
export const createPatientRecordActivities = (stores: PatientRecordActivitiesDeps): PatientRecordActivities => ({
  async writeSyncRequest(request) {
    const lastSync = await writeSyncRequest(stores, request).catch(rethrowForTemporal);
    if (lastSync === undefined) throw ApplicationFailure.nonRetryable('no such patient', 'PatientUnknown');
    return lastSync;
  },

  async beginSync({ patientRef, syncId }) {
    return await stores.patients.beginSync(patientRef, syncId);
  },

  async endSync({ patientRef, syncId, ...end }) {
    await stores.patients.endSync(patientRef, syncId, { ...end, finishedAt: new Date().toISOString() });
  },

  async appendAccess({ patientRef, drafts }) {
    await stores.accessLog.append(patientRef, drafts).catch(rethrowForTemporal);
  },
});

function rethrowForTemporal(error: unknown): never {
  if (error instanceof AccessLogError) throw ApplicationFailure.fromError(error, { type: 'AccessLogUnavailable' });
  throw error;
}
