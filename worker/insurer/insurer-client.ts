import { type Clock, systemClock } from '../../core/clock.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { Priority } from '../../core/domain/line.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { endsWithConnection } from '../line/insurer-connection.ts';
import type { Line } from '../line/line.ts';
import { type LineContext, LineError } from '../line/line-error.ts';
import { createLineStatistics, type LineStatistics } from '../line/line-statistics.ts';
import { decode, drain, readToEnd, readWhole } from './answer-body.ts';
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
  readonly permit: ErrorAnswerOptions['permit'];
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

/** Receives a list, and the order of each request that it comes from. */
export interface ListReceiver extends ListSink {
  /**
   * Called first for each answer.
   * @param fetchOrder of its request, as ExchangeAnswer has it
   * @param endsWithConnection the body declares no end, so only the list itself shows whether it is complete
   */
  answered(fetchOrder: string, endsWithConnection: boolean): void;
}

/** Sends the requests of the insurer's adapter over the line, and checks the answers. */
export interface InsurerClient {
  /**
   * Fetches all care records of one patient. If the insurer answers `not-insured`, all other calls for this patient that wait
   * return it, too: no other request is sent for them.
   * @param priority which call comes first when several wait (docs/explanation/the-line.md, "The queue")
   * @param signal cancels the wait or the request: see Line.perform
   * @param knownEtag of the stored care records: the insurer may answer that they have not changed
   * @returns the answer in our shape: UTF-8 JSON that names this KVNR and can be stored, even if it breaks the contract elsewhere
   * @throws UnusableAnswer if a complete answer that names this KVNR cannot be stored
   * @throws LineError `stalled` after LINE_STALL_MS without a byte, `wrong-patient` if the answer names another KVNR,
   *   `too-large` above CARE_RECORDS_MAX_BYTES or 500 000 JSON values; the others: docs/explanation/the-line.md, "The exchange"
   * @throws LineWithheld if we aborted the request
   */
  fetchCareRecords(kvnr: Kvnr, priority: Priority, signal: AbortSignal, knownEtag?: string): Promise<CareRecordsFetch>;
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
  /** for each patient, the calls without an answer */
  const calls = new Map<Kvnr, Set<AbortController>>();

  const readable = (answer: ExchangeAnswer, operation: LineContext['operation']): InsurerAnswer => ({
    ...answer,
    readWhole: () => readWhole(answer, careRecordsBytesMax, operation),
    decoded: () => decode(answer, operation),
    readToEnd: () => readToEnd(answer, stallMs, operation, clock),
    drain: () => drain(answer, stallMs, operation, clock),
    asError: () => lineErrorOf(answer, operation, { permit, clock, drainMs: stallMs }),
  });

  /** Counts the result of a call. */
  async function counted<T>(call: Promise<T>): Promise<T> {
    try {
      const result = await call;
      statistics.succeeded();
      return result;
    } catch (error) {
      if (error instanceof LineError) statistics.failed(error.fault);
      throw error;
    }
  }

  const client: InsurerClient = {
    async fetchCareRecords(kvnr, priority, signal, knownEtag) {
      const operation = 'care-records';
      const own = new AbortController();
      const callsOfPatient = calls.get(kvnr) ?? new Set();
      calls.set(kvnr, callsOfPatient.add(own));
      const read = async (answer: ExchangeAnswer): Promise<CareRecordsReading & { readonly fetchOrder?: string }> => {
        const reading = await adapter.careRecords.read(readable(answer, operation), kvnr, knownEtag);
        // before the line is free for the next request
        if (reading.kind === 'not-insured') for (const call of callsOfPatient) if (call !== own) call.abort();
        return { ...reading, fetchOrder: answer.fetchOrder };
      };
      const request = { operation, ...adapter.careRecords.request(kvnr, knownEtag) } as const;
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
      // is checked, and its caller goes on. A person's answer is checked first: if it is faulty, the person is next again.
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
        receiver.answered(answer.fetchOrder, endsWithConnection(answer));
        return await adapter.list.read(readable(answer, operation), from, receiver);
      };
      return await line.perform('list', request, read, signal);
    },
  };
  return {
    fetchCareRecords: async (...call) => await counted(client.fetchCareRecords(...call)),
    fetchList: async (...call) => await counted(client.fetchList(...call)),
  };
}
