import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const lookUpPatient: Handler<'lookUpPatient'> = async ({ patientRef, actor }, { stores }) => {
  // a removed patient is no longer stored, but their access log is (ADR 0026)
  const isFound = actor.roles.includes('auditor') || (await stores.patients.readLastSync(patientRef)) !== undefined;
  if (!isFound) throw new Problem('patient-unknown');
  return { body: { patientRef } };
};
