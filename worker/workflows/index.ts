export { dailySync } from './daily-sync.ts';
export { insurerLine } from './insurer-line.ts';
export { patientRecord } from './patient-record.ts';
