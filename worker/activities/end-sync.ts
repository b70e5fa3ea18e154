import type { PatientRecordActivities } from '../../core/contract/patient-record.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { Log } from '../log.ts';

export interface EndSyncDeps {
  readonly patients: Pick<PatientsStore, 'endSync'>;
  readonly log: Log;
  /** called once for each sync that has ended, with the time since its request */
  readonly onSyncEnded: (durationMs: number) => void;
}

export type EndSync = PatientRecordActivities['endSync'];

/** Creates what stores the result of a sync on demand: an activity of its own, and the last step of a successful store. */
export const createEndSync =
  ({ patients, log, onSyncEnded }: EndSyncDeps): EndSync =>
  async ({ patientRef, syncId, ...end }) => {
    const endedAt = new Date();
    const before = await patients.endSync(patientRef, syncId, { ...end, finishedAt: endedAt.toISOString() });
    if (before !== undefined) onSyncEnded(Math.max(0, endedAt.getTime() - Date.parse(before.requestedAt)));
    const { state, error } = end;
    log.info('sync ended', { patientRef, syncId, state, ...(error !== undefined && { error }) });
  };
