import type { LineActivities } from '../../core/contract/line-activities.ts';
import { type CareRecordsFetchDeps, createCareRecordsFetch } from './care-records-fetch.ts';
import { fetchPatientList, type PatientListDeps } from './patient-list.ts';

export type LineActivitiesDeps = CareRecordsFetchDeps &
  PatientListDeps & {
    /** the insurer that this process may send requests to */
    readonly insurerId: string;
  };

/** Creates the activities of the line process. */
export function createLineActivities(deps: LineActivitiesDeps): LineActivities {
  const check = (insurerId: string): void => {
    if (insurerId !== deps.insurerId)
      throw new Error(`wrong insurer: this process serves ${deps.insurerId}. Check INSURER_ID of the workers`);
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
