// Before you change the order of steps in a workflow, read CONTRIBUTING.md, "Change a workflow".
export { accessLogCheck } from './access-log-check.ts';
export { careRefresh } from './care-refresh.ts';
export { dailySync } from './daily-sync.ts';
export { exportPatients } from './export-patients.ts';
export { insurerLine } from './insurer-line.ts';
export { patientRecord } from './patient-record.ts';
