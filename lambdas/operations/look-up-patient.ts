import type { Stores } from '../../core/stores/open-stores.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const lookUpPatient: Handler<'lookUpPatient'> = async ({ patientRef, actor }, { stores }) => {
  // a removed patient is no longer stored, but their access log is (ADR 0026)
  const isFound = actor.roles.includes('auditor') || (await isPatient(stores.patients, patientRef));
  if (!isFound) throw new Problem('patient-unknown');
  return { body: { patientRef } };
};

async function isPatient(patients: Stores['patients'], patientRef: string): Promise<boolean> {
  const known = await patients.readLastSync(patientRef);
  return known !== undefined && known.standing !== 'inquiry';
}
