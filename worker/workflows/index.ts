export { dailySync } from './daily-sync.ts';
export { patientRecord } from './patient-record.ts';
