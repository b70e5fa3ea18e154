import type { Handler } from './operation.ts';
import { Problem } from './problems.ts';

export const readLastSync: Handler<'readLastSync'> = async ({ patientRef }, { patientRecord }) => {
  const patient = await patientRecord.readLastSync(patientRef);
  if (patient === undefined) throw new Problem('patient-unknown');
  if (patient.lastSync === undefined) throw new Problem('no-sync-yet');
  return { body: patient.lastSync, entity: { kind: 'sync', id: patient.lastSync.syncId } };
};
