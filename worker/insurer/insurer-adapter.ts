import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { ExchangeAnswer, ExchangeRequest } from '../line/exchange.ts';
import type { LineError } from '../line/line-error.ts';

/**
 * What is particular to one insurer's API: it builds requests and reads answers (docs/adr/0047). The line, retries, pauses,
 * storage and counts are the same for all. An adapter keeps no state: any worker continues with the position of another.
 */
export interface InsurerAdapter {
  readonly careRecords: CareRecordsApi;
  readonly list: ListApi;
}

/** The request that asks for all care records of one patient. */
export interface CareRecordsApi {
  /** @param knownEtag of the stored care records, if the insurer may answer that they have not changed */
  request(kvnr: Kvnr, knownEtag?: string): InsurerRequest;
  /**
   * Reads an answer. The line is busy until this has settled.
   * @param knownEtag as the request had it: without it, no answer is `unchanged`
   * @throws LineError for any answer that is none of these
   */
  read(answer: InsurerAnswer, kvnr: Kvnr, knownEtag?: string): Promise<CareRecordsReading>;
}

/**
 * `not-insured` and `unknown` are final: the patient is removed, or fails without a retry. `unchanged`: the care records are
 * still those with `knownEtag`.
 */
export type CareRecordsReading =
  | {
      readonly kind: 'answer';
      /** names this version of the care records, of at most 1 024 characters; absent if the insurer does not name it */
      readonly etag?: string;
      /**
       * Returns the answer in our shape: UTF-8 JSON like CareRecordsAnswer of insurer-api.yaml. Called once the line is free.
       * @throws LineError if it is damaged; UnusableAnswer if it is the insurer's complete answer
       */
      toJson(): Buffer;
    }
  | { readonly kind: 'not-insured' | 'unknown' | 'unchanged' };

/** The requests that ask for the list, one after the other. Each is retried by itself. */
export interface ListApi {
  request(from: ListRequest): InsurerRequest;
  /**
   * Reads an answer into the sink, either with `begin` and `write`, or with `page`. The line is busy until this has settled.
   * @throws LineError
   */
  read(answer: InsurerAnswer, from: ListRequest, sink: ListSink): Promise<ListOutcome>;
}

/** Method, path and query, headers and body. The path starts with that of the insurer's base URL. */
export type InsurerRequest = Omit<ExchangeRequest, 'operation'>;

/** An answer whose headers have arrived, with the ways to read it within the limits of the line. */
export interface InsurerAnswer extends ExchangeAnswer {
  /**
   * Reads and decodes the whole body, of at most CARE_RECORDS_MAX_BYTES.
   * @throws LineError `too-large`, `contract` for an encoding other than gzip, `cut-short`, `not-json` if it is damaged gzip
   */
  readWhole(): Promise<Buffer>;
  /**
   * Yields the decoded body as it arrives, without a limit.
   * @throws LineError as `readWhole`, except `too-large`
   */
  decoded(): AsyncIterable<Buffer>;
  /**
   * Reads an unneeded body, so that the connection is kept and the answer is known to be complete.
   * @throws LineError `stalled` after LINE_STALL_MS, `contract` above 256 KiB
   */
  readToEnd(): Promise<void>;
  /** Like `readToEnd`, but ignores failures. For a status that says everything. */
  drain(): Promise<void>;
  /**
   * Returns the error of any other status, after the body was read. Obeys `Retry-After` of 429 and 5xx, and pauses the line
   * after 401 and 403.
   */
  asError(): Promise<LineError>;
}

export interface ListRequest {
  /** the ETag of the list that was applied last; ignored with `resume` */
  readonly knownEtag?: string;
  /**
   * continues a list. `position`: of the sink's last `begin` or `page`; `from`: number of bytes received. `isWhole`: by asking
   * for the whole list and skipping the bytes before, because two answers were `range-not-satisfiable`
   */
  readonly resume?: { readonly from: number; readonly position: string; readonly isWhole?: boolean };
}

/**
 * - complete: the last byte of the list has arrived, or had arrived before
 * - more: a page has arrived, and another one follows
 * - unchanged: the list is still the one with `knownEtag`
 * - range-not-satisfiable: nothing has arrived; after two in a row the whole list is asked for
 */
export type ListOutcome = 'complete' | 'more' | 'unchanged' | 'range-not-satisfiable';

/** Receives a list: the bytes of one JSON array as they arrive, or page by page. An error that it throws ends the request. */
export interface ListSink {
  /**
   * Called once, before the first byte.
   * @param start `from`: 0 for the whole list, otherwise the offset of the rest. A whole list replaces earlier bytes once it
   *   has begun like a list, because it may be an error page of a proxy. `position`: with it, an interrupted transfer can be
   *   resumed at any byte; absent if it cannot. `contentType`: the header, which may name the charset
   */
  begin(start: {
    readonly from: number;
    readonly etag?: string;
    readonly position?: string;
    readonly contentType?: string;
  }): void;
  /** Receives a chunk. Until it has resolved, nothing more is read from the socket. */
  write(chunk: Buffer): Promise<void>;
  /**
   * Receives a complete page. It is kept as a whole, together with `next`, or fetched again.
   * @param entries JSON texts in our shape: Patient of insurer-api.yaml. One that is no JSON object is quarantined
   * @param next position of the next page, which a heartbeat holds; absent: this was the last page
   * @throws LineError `contract` if `next` is the position of this page, or has more than 4 096 characters
   */
  page(entries: readonly string[], next?: string): void;
  /** Discards all bytes, because the insurer now has another list. The request fails. */
  restart(): void;
  /** Discards the bytes of this answer, because it contradicts itself. Earlier bytes stay. The request fails. */
  revert(): void;
}
