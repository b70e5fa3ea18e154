import type { FetchCareRecordsInput, FetchCareRecordsResult } from '../../core/contract/line-activities.ts';
import type { SeenPatient } from '../../core/domain/patient.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import type { InsurerClient } from '../insurer/insurer-client.ts';
import { LineError, UnusableAnswer } from '../line/line-error.ts';
import { type AttemptUsage, beginAttempt, finalFailure, noUsage, retryWhileUnavailable } from './line-attempt.ts';

export interface CareRecordsFetchDeps {
  readonly insurer: Pick<InsurerClient, 'fetchCareRecords'>;
  readonly patients: Pick<PatientsStore, 'get' | 'markNotInsured' | 'markUnusable' | 'readNotInsured'>;
  readonly payloads: Pick<PayloadsStore, 'put'>;
}

interface CareRecordsDetails extends AttemptUsage {
  /** hash of the last answer that could not be stored: if it comes again, it is no fault of the line */
  readonly unusableSha256?: string;
}

/** What the not-insured cache knows about a patient whose care records are being fetched. */
interface NotInsuredCacheEntry {
  /** number of attempts that use the entry */
  attempts: number;
  /** a 410 about this revision of the patient; stored: the table says so, too */
  notInsured?: { readonly revision: number; isStored: boolean };
}

/**
 * Creates LineActivities.fetchCareRecords: sends requests through the line's queue until the insurer answers, and stores the
 * answer in the bucket.
 *
 * The not-insured cache makes a 410 valid for all attempts of this process from the moment that one of them receives it.
 * Other attempts may have read the table before the 410 was stored there. Reading the table before each request instead
 * would cost an urgent fetch its place in the queue.
 */
export function createCareRecordsFetch({ insurer, patients, payloads }: CareRecordsFetchDeps) {
  const notInsuredCache = new Map<string, NotInsuredCacheEntry>();
  const acquireEntry = (patientRef: string): NotInsuredCacheEntry => {
    const entry: NotInsuredCacheEntry = notInsuredCache.get(patientRef) ?? { attempts: 0 };
    notInsuredCache.set(patientRef, entry);
    entry.attempts += 1;
    return entry;
  };

  return async ({
    patientRef,
    syncId,
    priority,
    maxRequests,
  }: FetchCareRecordsInput): Promise<FetchCareRecordsResult> => {
    const attempt = beginAttempt<CareRecordsDetails>(noUsage);
    const cached = acquireEntry(patientRef); // before the table is read, or a 410 in between would be missed
    const failAsNotInsured = async (seen: SeenPatient): Promise<never> => {
      const { revision } = seen;
      if (cached.notInsured?.revision !== revision) cached.notInsured = { revision, isStored: false };
      const { notInsured } = cached;
      const reportedBy = await retryWhileUnavailable(
        () => patients.markNotInsured(patientRef, syncId, seen),
        attempt.signal,
      );
      notInsured.isStored = true;
      if (reportedBy === undefined) {
        const isThere = (await retryWhileUnavailable(() => patients.get(patientRef), attempt.signal)) !== undefined;
        throw finalFailure(isThere ? 'PatientChanged' : 'PatientGone', attempt.details);
      }
      // the daily sync decides about a patient that it has reported
      if (priority === 'person' && reportedBy !== syncId) throw finalFailure('PatientReported', attempt.details);
      throw finalFailure('PatientNotInsured', attempt.details, seen);
    };
    try {
      const patient = await patients.get(patientRef);
      if (patient === undefined) {
        const notInsured = await patients.readNotInsured(patientRef); // an earlier attempt received the 410 and died
        throw finalFailure(notInsured ? 'PatientNotInsured' : 'PatientGone', attempt.details, notInsured);
      }
      const { revision, careVersion } = patient;
      const seen: SeenPatient = { revision, ...(careVersion !== undefined && { careVersion }) };
      if (patient.careState === 'reported-not-insured') await failAsNotInsured(seen);
      const { unusableAnswer } = patient;
      if (unusableAnswer?.on === today())
        throw finalFailure('AnswerUnusable', attempt.details, seen, unusableAnswer.problem);
      for (;;) {
        if (cached.notInsured?.revision === revision) await failAsNotInsured(seen);
        if (attempt.details.countedRequests >= maxRequests) throw finalFailure('RequestsExhausted', attempt.details);
        attempt.throwIfUsedUp();
        try {
          const fetched = await insurer.fetchCareRecords(patient.kvnr, priority, attempt.signal);
          attempt.countSuccess();
          if (fetched.kind === 'unknown') throw finalFailure('PatientUnknown', attempt.details, seen);
          if (fetched.kind === 'not-insured') return await failAsNotInsured(seen);
          const payload = await retryWhileUnavailable(
            () => payloads.put({ syncId, patientRef }, fetched.body),
            attempt.signal,
          );
          const { fetchOrder, flags } = fetched;
          return { payload, fetchOrder, seen, lineUse: attempt.details.lineUse, ...(flags !== undefined && { flags }) };
        } catch (error) {
          attempt.countFailure(error);
          if (error instanceof LineError && error.fault === 'too-large')
            throw finalFailure('AnswerTooLarge', attempt.details, seen);
          if (!(error instanceof UnusableAnswer)) continue;
          if (attempt.details.unusableSha256 !== error.sha256) {
            attempt.updateDetails({ unusableSha256: error.sha256 });
            continue;
          }
          const answer = { on: today(), problem: error.context.problem ?? '' };
          await retryWhileUnavailable(() => patients.markUnusable(patientRef, seen, answer), attempt.signal);
          throw finalFailure('AnswerUnusable', attempt.details, seen, answer.problem);
        }
      }
    } finally {
      cached.attempts -= 1;
      // a 410 that is not in the table yet is known only here
      if (cached.attempts === 0 && cached.notInsured?.isStored !== false) notInsuredCache.delete(patientRef);
      attempt.stop();
    }
  };
}

const today = (): string => new Date().toISOString().slice(0, 10);
