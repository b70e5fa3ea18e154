import type { Handler } from './operation.ts';
import { Problem } from './problems.ts';

export const lookUpPatient: Handler<'lookUpPatient'> = async ({ patientRef }, { stores }) => {
  if ((await stores.patients.readLastSync(patientRef)) === undefined) throw new Problem('patient-unknown');
  return { body: { patientRef } };
};
