import type { LineActivities } from '../../core/contract/line-activities.ts';
import { type CareRecordsFetchDeps, createCareRecordsFetch } from './care-records-fetch.ts';
import { fetchPatientList, type PatientListDeps } from './patient-list.ts';

export type LineActivitiesDeps = CareRecordsFetchDeps &
  PatientListDeps & {
    /** whose line this process holds */
    readonly insurerId: string;
  };

/** The activities of the line's process. */
export function createLineActivities(deps: LineActivitiesDeps): LineActivities {
  const check = (insurerId: string): void => {
    if (insurerId !== deps.insurerId) throw new Error('this is the line of another insurer');
  };
  const fetchCareRecords = createCareRecordsFetch(deps);
  return {
    async fetchPatientList(input) {
      check(input.insurerId);
      return await fetchPatientList(deps, input);
    },
    async fetchCareRecords(input) {
      check(input.insurerId);
      return await fetchCareRecords(input);
    },
  };
}
