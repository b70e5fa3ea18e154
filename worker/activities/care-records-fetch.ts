import type { FetchCareRecordsInput, FetchCareRecordsResult } from '../../core/contract/line-activities.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import type { Line } from '../line/line.ts';
import { LineError } from '../line/line-error.ts';
import { beginAttempt, finalFailure, keep, nothingSpent } from './line-attempt.ts';

export interface CareRecordsFetchDeps {
  readonly line: Pick<Line, 'fetchCareRecords'>;
  readonly patients: Pick<PatientsStore, 'get' | 'markNotInsured' | 'isNotInsured'>;
  readonly payloads: Pick<PayloadsStore, 'put'>;
}

/** LineActivities.fetchCareRecords: some tries, each in its own turn, until there is an answer; which goes to the bucket. */
export async function fetchCareRecords(
  { line, patients, payloads }: CareRecordsFetchDeps,
  { patientRef, syncId, turn, maxTries }: FetchCareRecordsInput,
): Promise<FetchCareRecordsResult> {
  const attempt = beginAttempt(nothingSpent);
  try {
    const patient = await patients.get(patientRef);
    if (patient === undefined) {
      const isNotInsured = await patients.isNotInsured(patientRef); // an attempt before this one has heard it, and died
      throw finalFailure(isNotInsured ? 'PatientNotInsured' : 'PatientGone', attempt.details);
    }
    for (;;) {
      if (attempt.details.tries >= maxTries) throw finalFailure('AttemptsExhausted', attempt.details);
      attempt.goOn();
      try {
        const fetched = await line.fetchCareRecords(patient.kvnr, turn, attempt.signal);
        attempt.succeeded();
        if (fetched.kind === 'unknown') throw finalFailure('PatientUnknown', attempt.details);
        if (fetched.kind === 'not-insured') {
          await keep(() => patients.markNotInsured(patientRef), attempt.signal);
          throw finalFailure('PatientNotInsured', attempt.details);
        }
        const payload = await keep(() => payloads.put({ syncId, patientRef }, fetched.body), attempt.signal);
        return { payload, fetchOrder: fetched.order, lineUse: attempt.details.lineUse };
      } catch (error) {
        attempt.failed(error);
        if (error instanceof LineError && error.fault === 'too-large')
          throw finalFailure('AnswerTooLarge', attempt.details);
      }
    }
  } finally {
    attempt.end();
  }
}
