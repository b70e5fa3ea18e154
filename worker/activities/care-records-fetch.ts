import type { FetchCareRecordsInput, FetchCareRecordsResult } from '../../core/contract/line-activities.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import type { Line } from '../line/line.ts';
import { LineError } from '../line/line-error.ts';
import { beginAttempt, finalFailure, noUsage, retryWhileUnavailable } from './line-attempt.ts';

export interface CareRecordsFetchDeps {
  readonly line: Pick<Line, 'fetchCareRecords'>;
  readonly patients: Pick<PatientsStore, 'get' | 'markNotInsured' | 'isNotInsured'>;
  readonly payloads: Pick<PayloadsStore, 'put'>;
}

/** What this process has heard of a patient whom it asks for right now. */
interface Hearsay {
  attempts: number;
  /** the insurer's 410; written: in the table too */
  notInsured?: 'heard' | 'written';
}

/**
 * LineActivities.fetchCareRecords: some tries, each in its own turn, until there is an answer; which goes to the bucket. The
 * insurer's 410 holds for all attempts of this process from the moment in which one has heard it: the others may have read
 * the table before it was written there. No look at the table before each try: a person would lose their place by that.
 */
export function createCareRecordsFetch({ line, patients, payloads }: CareRecordsFetchDeps) {
  const hearsay = new Map<string, Hearsay>();
  const hearsayOf = (patientRef: string): Hearsay => {
    const heard: Hearsay = hearsay.get(patientRef) ?? { attempts: 0 };
    hearsay.set(patientRef, heard);
    heard.attempts += 1;
    return heard;
  };

  return async ({
    patientRef,
    syncId,
    priority,
    maxRequests,
  }: FetchCareRecordsInput): Promise<FetchCareRecordsResult> => {
    const attempt = beginAttempt(noUsage);
    const heard = hearsayOf(patientRef); // before the table is read
    const failAsNotInsured = async (): Promise<never> => {
      heard.notInsured ??= 'heard';
      await retryWhileUnavailable(() => patients.markNotInsured(patientRef), attempt.signal);
      heard.notInsured = 'written';
      throw finalFailure('PatientNotInsured', attempt.details);
    };
    try {
      const patient = await patients.get(patientRef);
      if (patient === undefined) {
        const isNotInsured = await patients.isNotInsured(patientRef); // an attempt before this one has heard it, and died
        throw finalFailure(isNotInsured ? 'PatientNotInsured' : 'PatientGone', attempt.details);
      }
      for (;;) {
        if (heard.notInsured) await failAsNotInsured();
        if (attempt.details.requests >= maxRequests) throw finalFailure('AttemptsExhausted', attempt.details);
        attempt.throwIfUsedUp();
        try {
          const fetched = await line.fetchCareRecords(patient.kvnr, priority, attempt.signal);
          attempt.countSuccess();
          if (fetched.kind === 'unknown') throw finalFailure('PatientUnknown', attempt.details);
          if (fetched.kind === 'not-insured') return await failAsNotInsured();
          const payload = await retryWhileUnavailable(
            () => payloads.put({ syncId, patientRef }, fetched.body),
            attempt.signal,
          );
          return { payload, fetchOrder: fetched.order, lineUse: attempt.details.lineUse };
        } catch (error) {
          attempt.countFailure(error);
          if (error instanceof LineError && error.fault === 'too-large')
            throw finalFailure('AnswerTooLarge', attempt.details);
        }
      }
    } finally {
      heard.attempts -= 1;
      if (heard.attempts === 0 && heard.notInsured !== 'heard') hearsay.delete(patientRef); // or nobody would know any more
      attempt.stop();
    }
  };
}
