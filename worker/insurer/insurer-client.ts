import { type Clock, systemClock } from '../../core/clock.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { Priority } from '../../core/domain/line.ts';
import type { Received } from '../../core/domain/transfer.ts';
import { createBackoff } from '../line/backoff.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { endsWithConnection } from '../line/insurer-connection.ts';
import type { Line } from '../line/line.ts';
import { type LineContext, LineError, UnusableAnswer } from '../line/line-error.ts';
import { createLineStatistics, type LineStatistics } from '../line/line-statistics.ts';
import { decode, drain, encodingOf, readToEnd, readWhole } from './answer-body.ts';
import { flagsOf } from './care-records-check.ts';
import { type ErrorAnswerOptions, lineErrorOf } from './error-answer.ts';
import type {
  CareRecordsReading,
  InsurerAdapter,
  InsurerAnswer,
  ListOutcome,
  ListRequest,
  ListSink,
} from './insurer-adapter.ts';

export interface InsurerClientOptions {
  readonly adapter: InsurerAdapter;
  readonly line: Pick<Line, 'perform'>;
  readonly permit: ErrorAnswerOptions['permit'] & Parameters<typeof createBackoff>[0];
  /** LINE_STALL_MS: the time limit for reading the body of an error */
  readonly stallMs: number;
  /** LIST_FIRST_BYTE_MS; `stallMs` by default */
  readonly listFirstByteMs?: number;
  /** CARE_RECORDS_MAX_BYTES: decoded bytes of an answer that is read as a whole */
  readonly careRecordsBytesMax?: number;
  /** counts every call that succeeded or failed */
  readonly statistics?: LineStatistics;
  readonly clock?: Clock;
}

/** not-insured: final; unknown: the insurer never knew this KVNR; unchanged: the version with `knownEtag` is the current one. */
export type CareRecordsFetch =
  | {
      readonly kind: 'answer';
      readonly body: Buffer;
      readonly fetchOrder: string;
      readonly etag?: string;
      /** what breaks the contract, in fixed words and JSON paths; absent if nothing does */
      readonly flags?: string;
    }
  | { readonly kind: 'not-insured' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unchanged' };

/** An answer that arrives. Bytes are those of the body as it is sent. */
export interface Arrival {
  readonly receivedBytes: () => number;
  /** as the headers declare it; of a partial answer (206), the size of the whole */
  readonly totalBytes?: number;
  readonly isPartial: boolean;
  readonly isCompressed: boolean;
}

/** Receives a list, and the order of each request that it comes from. */
export interface ListReceiver extends ListSink {
  /**
   * Called first for each answer.
   * @param fetchOrder of its request, as ExchangeAnswer has it
   * @param endsWithConnection the body declares no end, so only the list itself shows whether it is complete
   */
  answered(fetchOrder: string, endsWithConnection: boolean, arrival: Arrival): void;
  /** Called when the adapter calls the list complete. @throws LineError `not-json` if the bytes are no list */
  finish(): Promise<void>;
  /** bytes of the list that have arrived until now */
  readonly receivedBytes: number;
}

export interface FetchContext {
  /** of the stored care records: the insurer may answer that they have not changed */
  readonly knownEtag?: string;
  /** called when the request is written */
  readonly onSent?: () => void;
  /** called once the headers of the answer have arrived */
  readonly onAnswer?: (arrival: Arrival) => void;
}

/** Sends the requests of the insurer's adapter over the line, and checks the answers. */
export interface InsurerClient {
  /**
   * Fetches all care records of one patient. If the insurer answers `not-insured`, all other calls for this patient that wait
   * return it, too: no other request is sent for them.
   * @param priority which call comes first when several wait (docs/explanation/the-line.md, "The queue")
   * @param signal cancels the wait or the request: see Line.perform
   * @returns the answer in our shape: UTF-8 JSON that names this KVNR and can be stored, even if it breaks the contract elsewhere
   * @throws UnusableAnswer if a complete answer that names this KVNR cannot be stored
   * @throws LineError `stalled` after LINE_STALL_MS without a byte, `wrong-patient` if the answer names another KVNR,
   *   `too-large` above CARE_RECORDS_MAX_BYTES or 500 000 JSON values; the others: docs/explanation/the-line.md, "The exchange"
   * @throws LineWithheld if we aborted the request
   */
  fetchCareRecords(
    kvnr: Kvnr,
    priority: Priority,
    signal: AbortSignal,
    context?: FetchContext,
  ): Promise<CareRecordsFetch>;
  /**
   * Fetches the list, or the rest or the next page of it, into a sink. Sends one request, with the priority `list`.
   * @throws LineError `stalled` after LIST_FIRST_BYTE_MS without the first byte, or LINE_STALL_MS without a later one;
   *   `contract` also if an answer contradicts `resume`. Received bytes stay, unless the adapter has called `restart` or
   *   `revert` of the sink
   * @throws LineWithheld if we aborted the request
   */
  fetchList(request: ListRequest, receiver: ListReceiver, signal: AbortSignal): Promise<ListOutcome>;
}

/** Default of CARE_RECORDS_MAX_BYTES. A larger answer is rejected and reported (insurer-api.yaml, "Sizes"). */
const careRecordsBytesMaxDefault = 64 * 1024 * 1024;

export function createInsurerClient({
  adapter,
  line,
  permit,
  stallMs,
  listFirstByteMs = stallMs,
  careRecordsBytesMax = careRecordsBytesMaxDefault,
  statistics = createLineStatistics(),
  clock = systemClock,
}: InsurerClientOptions): InsurerClient {
  const backoff = createBackoff(permit);
  /** for each patient, the calls without an answer */
  const calls = new Map<Kvnr, Set<AbortController>>();

  const readable = (answer: ExchangeAnswer, operation: LineContext['operation']): InsurerAnswer => ({
    ...answer,
    readWhole: () => readWhole(answer, careRecordsBytesMax, operation),
    decoded: () => decode(answer, operation),
    readToEnd: () => readToEnd(answer, stallMs, operation, clock),
    drain: () => drain(answer, stallMs, operation, clock),
    asError: () => lineErrorOf(answer, operation, { permit, backoff, clock, drainMs: stallMs }),
  });

  /** Counts the result of a call. @param hasArrived whether a part has arrived that stays, also if the call has failed */
  async function counted<T>(
    call: Promise<T>,
    target: string,
    priority: Priority,
    hasArrived = () => false,
  ): Promise<T> {
    try {
      const result = await call;
      statistics.succeeded();
      backoff.succeeded();
      return result;
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      statistics.failed(error.fault);
      if (isAnswer(error) || hasArrived()) backoff.succeeded();
      else if (error.fault !== 'unauthorized') backoff.failed(target, priority, error.fault);
      throw error;
    }
  }

  const client: InsurerClient = {
    async fetchCareRecords(kvnr, priority, signal, { onSent, onAnswer, knownEtag } = {}) {
      const operation = 'care-records';
      const own = new AbortController();
      const callsOfPatient = calls.get(kvnr) ?? new Set();
      calls.set(kvnr, callsOfPatient.add(own));
      const read = async (answer: ExchangeAnswer): Promise<CareRecordsReading & { readonly fetchOrder?: string }> => {
        onAnswer?.(arrivalOf(answer));
        const reading = await adapter.careRecords.read(readable(answer, operation), kvnr, knownEtag);
        // before the line is free for the next request
        if (reading.kind === 'not-insured') for (const call of callsOfPatient) if (call !== own) call.abort();
        return { ...reading, fetchOrder: answer.fetchOrder };
      };
      const asked = adapter.careRecords.request(kvnr, knownEtag);
      const request = { operation, ...asked, ...(onSent && { onSent }) } as const;
      const fetched = await line
        .perform(priority, request, read, AbortSignal.any([signal, own.signal]))
        .catch((error: unknown): Awaited<ReturnType<typeof read>> => {
          if (!own.signal.aborted || signal.aborted) throw error;
          return { kind: 'not-insured' };
        })
        .finally(() => {
          callsOfPatient.delete(own);
          if (callsOfPatient.size === 0) calls.delete(kvnr);
        });
      // The line is free. Two passes of the event loop choose and write the next request. So it is in flight while this answer
      // is checked, and its caller goes on. A person's answer is checked first: if it is faulty, the person joins the queue behind
      // other people, but before the run.
      for (let pass = 0; pass < 2 && priority !== 'person'; pass++) await new Promise<void>(clock.afterReading);
      if (fetched.kind !== 'answer') return { kind: fetched.kind };
      const { fetchOrder = '', etag } = fetched;
      const body = fetched.toJson();
      const flags = flagsOf(body, kvnr);
      const facts = { ...(etag !== undefined && { etag }), ...(flags !== undefined && { flags }) };
      return { kind: 'answer', body, fetchOrder, ...facts };
    },

    async fetchList(from, receiver, signal) {
      const operation = 'patients';
      const request = { operation, ...adapter.list.request(from), firstByteMs: listFirstByteMs } as const;
      const read = async (answer: ExchangeAnswer): Promise<ListOutcome> => {
        receiver.answered(answer.fetchOrder, endsWithConnection(answer), arrivalOf(answer));
        return await adapter.list.read(readable(answer, operation), from, receiver);
      };
      const outcome = await line.perform('list', request, read, signal);
      if (outcome === 'complete') await receiver.finish();
      return outcome;
    },
  };
  return {
    fetchCareRecords: async (kvnr, priority, ...call) =>
      await counted(client.fetchCareRecords(kvnr, priority, ...call), kvnr, priority),
    fetchList: async (request, receiver, signal) => {
      const { receivedBytes } = receiver;
      const hasArrived = (): boolean => receiver.receivedBytes > receivedBytes;
      return await counted(client.fetchList(request, receiver, signal), 'list', 'list', hasArrived);
    },
  };
}

/** Whether a failed request has an answer of the insurer about this patient. */
const isAnswer = (error: LineError): boolean => error instanceof UnusableAnswer || error.fault === 'too-large';
function arrivalOf({ status, headers, receivedBytes }: ExchangeAnswer): Arrival {
  const isPartial = status === 206;
  const declared = isPartial
    ? /\/(\d{1,15})$/.exec(headers['content-range']?.trim() ?? '')?.[1]
    : headers['content-length'];
  const totalBytes = Number(declared);
  return {
    receivedBytes,
    isPartial,
    isCompressed: encodingOf(headers) === 'gzip',
    ...(Number.isSafeInteger(totalBytes) && { totalBytes }),
  };
}

/** Returns what has arrived so far. @param fromBytes where a partial answer starts */
export const receivedOf = ({ receivedBytes, totalBytes, isCompressed }: Arrival, fromBytes = 0): Received => ({
  receivedBytes: fromBytes + receivedBytes(),
  ...(totalBytes !== undefined && { totalBytes }),
  ...(isCompressed && { isCompressed }),
});
