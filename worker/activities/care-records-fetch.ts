import { ApplicationFailure } from '@temporalio/activity';
import type {
  FetchCareRecordsInput,
  FetchCareRecordsResult,
  UnchangedCareRecords,
} from '../../core/contract/line-activities.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { Priority } from '../../core/domain/line.ts';
import type { SeenPatient, Standing, UnusableAnswer } from '../../core/domain/patient.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import { type Arrival, type CareRecordsFetch, type InsurerClient, receivedOf } from '../insurer/insurer-client.ts';
import { LineError, LineWithheld, UnusableAnswer as UnusableAnswerError } from '../line/line-error.ts';
import type { TransferReporter } from '../reporting/transfer-reporter.ts';
import {
  type AttemptUsage,
  finalFailure,
  type LineAttempt,
  noUsage,
  retryWhileUnavailable,
  withLineAttempt,
} from './line-attempt.ts';

export interface CareRecordsFetchDeps {
  readonly insurer: Pick<InsurerClient, 'fetchCareRecords'>;
  readonly patients: Pick<
    PatientsStore,
    'get' | 'markNotInsured' | 'markUnusable' | 'readNotInsured' | 'renewCareVersion'
  >;
  readonly payloads: Pick<PayloadsStore, 'put'>;
  readonly transferReporter: Pick<TransferReporter, 'follow' | 'count'>;
}

/** Number of requests about one patient that may wait for the line at the same time: one of a run, and one of a person. */
const requestsAtOnce = 2;

/** A request about a patient that has not ended. */
interface OpenRequest {
  readonly priority: Priority;
  /** resolves once its answer is noted in the cache */
  readonly ended: Promise<void>;
  isSent: boolean;
  /** Takes it out of the line's queue: its attempt asks again later. Must not be called once it is sent. */
  withdraw(): void;
}

/** What this process knows about a patient whose care records are being fetched. */
interface AnswerCacheEntry {
  /** number of attempts that use the entry */
  attempts: number;
  /** a 410 about this revision of the patient; stored: the table says so, too */
  notInsured?: { readonly revision: number; isStored: boolean };
  /** the last answer that could not be stored */
  unusable?: { readonly answer: UnusableAnswer; isStored: boolean };
  readonly requests: Set<OpenRequest>;
}

/**
 * Creates LineActivities.fetchCareRecords: sends requests through the line's queue until the insurer answers, and stores the
 * answer in the bucket.
 *
 * The answer cache makes a 410, and an answer that cannot be stored, known to all attempts of this process from the moment
 * that one of them receives it. Other attempts may have read the table before it was stored there. Reading the table before
 * each request instead would cost an urgent fetch its place in the queue.
 */
export function createCareRecordsFetch({ insurer, patients, payloads, transferReporter }: CareRecordsFetchDeps) {
  const answerCache = new Map<string, AnswerCacheEntry>();
  const acquireEntry = (patientRef: string): AnswerCacheEntry => {
    const entry: AnswerCacheEntry = answerCache.get(patientRef) ?? { attempts: 0, requests: new Set() };
    answerCache.set(patientRef, entry);
    entry.attempts += 1;
    return entry;
  };

  /** Sends one request. If the answer cannot be stored, this is in the cache before a waiting attempt goes on. */
  const ask = async (
    cached: AnswerCacheEntry,
    attempt: LineAttempt<AttemptUsage>,
    kvnr: Kvnr,
    priority: Priority,
    knownEtag: string | undefined,
  ): Promise<CareRecordsFetch> => {
    const ended = Promise.withResolvers<void>();
    const withdrawal = new AbortController();
    const request: OpenRequest = {
      ...{ priority, ended: ended.promise, isSent: false },
      withdraw: () => withdrawal.abort(new Error('a person asks for the same patient')),
    };
    cached.requests.add(request);
    let transfer: ReturnType<typeof transferReporter.follow> | undefined;
    const followAnswer = (arrival: Arrival): void => {
      transfer = transferReporter.follow({
        kind: 'care-records',
        since: attempt.since,
        received: () => receivedOf(arrival),
        use: () => attempt.details.lineUse,
      });
    };
    try {
      const onSent = (): void => {
        request.isSent = true;
      };
      const context = { onSent, onAnswer: followAnswer, ...(knownEtag !== undefined && { knownEtag }) };
      const signal = AbortSignal.any([attempt.signal, withdrawal.signal]);
      return await insurer.fetchCareRecords(kvnr, priority, signal, context);
    } catch (error) {
      if (error === withdrawal.signal.reason && withdrawal.signal.aborted) throw new LineWithheld(false);
      if (error instanceof UnusableAnswerError) cached.unusable = { answer: noted(cached, error), isStored: false };
      throw error;
    } finally {
      transfer?.end();
      cached.requests.delete(request);
      ended.resolve();
    }
  };

  const fetchWithin = async (
    attempt: LineAttempt<AttemptUsage>,
    { patientRef, syncId, priority, maxRequests, refreshBefore }: FetchCareRecordsInput,
  ): Promise<FetchCareRecordsResult | UnchangedCareRecords> => {
    const failure = (type: string, seen?: SeenPatient, problem?: string) =>
      finalFailure(type, attempt.details, { about: { patientRef, syncId }, seen, problem });
    const cached = acquireEntry(patientRef); // before the table is read, or a 410 in between would be missed
    /** the last write about an unusable answer; the next request does not wait for it, or a person would lose their turn */
    let noteWritten: Promise<void> = Promise.resolve();
    const writeNote = async (unusable: NonNullable<AnswerCacheEntry['unusable']>, seen: SeenPatient): Promise<void> => {
      await retryWhileUnavailable(() => patients.markUnusable(patientRef, seen, unusable.answer), attempt.signal);
      unusable.isStored = true;
    };
    const failAsNotInsured = async (seen: SeenPatient, standing: Standing): Promise<never> => {
      const { revision } = seen;
      const isListed = standing === 'listed';
      if (cached.notInsured?.revision !== revision) cached.notInsured = { revision, isStored: false };
      const { notInsured } = cached;
      const reportedBy = await retryWhileUnavailable(
        () => patients.markNotInsured(patientRef, syncId, seen),
        attempt.signal,
      );
      notInsured.isStored = true;
      if (reportedBy === undefined) {
        const isThere = (await retryWhileUnavailable(() => patients.get(patientRef), attempt.signal)) !== undefined;
        throw failure(isThere ? 'PatientChanged' : 'PatientGone');
      }
      // the daily sync decides about a listed patient that it has reported
      if (priority === 'person' && reportedBy !== syncId && isListed) throw failure('PatientReported');
      throw failure(isListed ? 'PatientNotInsured' : 'PersonNotInsured', seen);
    };
    try {
      const patient = await patients.get(patientRef);
      if (patient === undefined) {
        const notInsured = await patients.readNotInsured(patientRef); // an earlier attempt received the 410 and died
        throw failure(notInsured ? 'PatientNotInsured' : 'PatientGone', notInsured);
      }
      const { revision, careVersion, careRecordsAsOf } = patient;
      const unchanged = (): UnchangedCareRecords => ({ isUnchanged: true, lineUse: attempt.details.lineUse });
      if (refreshBefore !== undefined && careRecordsAsOf !== undefined && careRecordsAsOf >= refreshBefore)
        return unchanged(); // an earlier attempt, or a person, has asked meanwhile
      const knownEtag = refreshBefore === undefined ? undefined : patient.careEtag;
      const seen: SeenPatient = { revision, ...(careVersion !== undefined && { careVersion }) };
      const { standing, unusableAnswer } = patient;
      const isListed = standing === 'listed';
      if (patient.careState === 'reported-not-insured') await failAsNotInsured(seen, standing);
      if (unusableAnswer && unusableToday(cached) === undefined)
        cached.unusable = { answer: unusableAnswer, isStored: true };
      for (;;) {
        if (cached.notInsured?.revision === revision) await failAsNotInsured(seen, standing);
        const unusable = unusableToday(cached);
        if (unusable?.isRepeated) {
          await noteWritten;
          throw failure('AnswerUnusable', seen, unusable.problem);
        }
        const openMax = unusable ? 1 : requestsAtOnce;
        if (cached.requests.size >= openMax && priority === 'person') withdrawQueued(cached);
        if (cached.requests.size >= openMax) {
          const ends = [...cached.requests].map(({ ended }) => ended);
          await untilAborted(Promise.race(ends), attempt.signal); // its answer may be the second one
          continue;
        }
        if (attempt.details.countedRequests >= maxRequests) throw failure('RequestsExhausted');
        attempt.throwIfUsedUp();
        try {
          const fetched = await ask(cached, attempt, patient.kvnr, priority, knownEtag);
          const receivedAt = new Date().toISOString();
          attempt.countSuccess();
          if (fetched.kind === 'unknown') {
            throw failure(isListed ? 'PatientUnknown' : 'PersonUnknown', seen);
          }
          if (fetched.kind === 'unchanged') {
            await retryWhileUnavailable(
              () => patients.renewCareVersion(patientRef, careVersion ?? '', receivedAt),
              attempt.signal,
            );
            return unchanged();
          }
          if (fetched.kind === 'not-insured') return await failAsNotInsured(seen, standing);
          const payload = await retryWhileUnavailable(
            () => payloads.put({ syncId, patientRef }, fetched.body),
            attempt.signal,
          );
          const { fetchOrder, etag, flags } = fetched;
          return {
            payload,
            fetchOrder,
            receivedAt,
            seen,
            lineUse: attempt.details.lineUse,
            ...(etag !== undefined && { etag }),
            ...(flags !== undefined && { flags }),
          };
        } catch (error) {
          attempt.countFailure(error);
          if (error instanceof LineError && error.fault === 'too-large') throw failure('AnswerTooLarge', seen);
          const { unusable } = cached;
          if (!(error instanceof UnusableAnswerError) || unusable === undefined) continue;
          noteWritten = noteWritten.then(async () => await writeNote(unusable, seen));
          noteWritten.catch(() => {}); // thrown where it is awaited
        }
      }
    } finally {
      await noteWritten.catch(() => {}); // no write comes after the end of the attempt
      cached.attempts -= 1;
      // what is not in the table yet is known only here
      const isStored = cached.notInsured?.isStored !== false && cached.unusable?.isStored !== false;
      if (cached.attempts === 0 && isStored) answerCache.delete(patientRef);
    }
  };
  return async (input: FetchCareRecordsInput): Promise<FetchCareRecordsResult | UnchangedCareRecords> => {
    if (input.priority === 'person')
      return await withLineAttempt(
        noUsage,
        async (attempt) => await fetchWithin(attempt, input),
        input.maxRequests, // while all connections are refused, no request counts
      );
    return await withLineAttempt(noUsage, async (attempt) => {
      const { syncId: runId, patientRef } = input;
      const count = transferReporter.count({ runId, patientRef, use: () => attempt.details.lineUse });
      try {
        const result = await fetchWithin(attempt, input);
        count.end(); // from here on, the run knows the requests
        return result;
      } catch (error) {
        if (error instanceof ApplicationFailure && error.nonRetryable) count.end();
        throw error;
      }
    });
  };
}

/**
 * Withdraws the requests of a run that wait in the queue, for a person who asks for the same patient. They may wait for long:
 * for other people, or for the end of quiet hours.
 */
function withdrawQueued({ requests }: AnswerCacheEntry): void {
  for (const request of requests) {
    if (request.priority === 'person' || request.isSent) continue;
    requests.delete(request);
    request.withdraw();
  }
}

const today = (): string => new Date().toISOString().slice(0, 10);

const unusableToday = ({ unusable }: AnswerCacheEntry): UnusableAnswer | undefined =>
  unusable?.answer.on === today() ? unusable.answer : undefined;

/** Returns what is known after an answer that cannot be stored: the same bytes twice on one day are the insurer's answer. */
function noted(cached: AnswerCacheEntry, { sha256, context }: UnusableAnswerError): UnusableAnswer {
  const before = unusableToday(cached);
  if (before?.isRepeated) return before;
  return { on: today(), problem: context.problem ?? '', sha256, isRepeated: before?.sha256 === sha256 };
}

/** @throws the signal's reason, if it aborts first */
async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<void>();
  const abort = () => aborted.resolve();
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([promise, aborted.promise]);
  signal.removeEventListener('abort', abort);
  signal.throwIfAborted();
}
