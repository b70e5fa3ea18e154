import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../../core/clock.ts';
import { problemsOfCareRecords } from '../../core/domain/care-record.ts';
import { type Kvnr, normalKvnr } from '../../core/domain/kvnr.ts';
import type { Priority } from '../../core/domain/line.ts';
import { fittingCharset, toUtf8 } from '../../core/json/charset.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import type { Line } from '../line/line.ts';
import { LineError, UnusableAnswer } from '../line/line-error.ts';
import { createLineStatistics, type LineStatistics } from '../line/line-statistics.ts';
import { drain, parseJson, readToEnd, readWhole } from './answer-body.ts';
import { type ErrorAnswerOptions, lineErrorOf } from './error-answer.ts';

export interface InsurerClientOptions {
  readonly baseUrl: string;
  readonly token: string;
  readonly line: Pick<Line, 'perform'>;
  readonly permit: ErrorAnswerOptions['permit'];
  /** LINE_STALL_MS: the time limit for reading the body of an error */
  readonly stallMs: number;
  /** LIST_FIRST_BYTE_MS; `stallMs` by default */
  readonly listFirstByteMs?: number;
  /** CARE_RECORDS_MAX_BYTES: decoded bytes of one care records answer */
  readonly careRecordsBytesMax?: number;
  /** counts every call that succeeded or failed */
  readonly statistics?: LineStatistics;
  readonly clock?: Clock;
}

/** not-insured: 410, final; unknown: 404, the insurer never knew this KVNR. */
export type CareRecordsFetch =
  | {
      readonly kind: 'answer';
      readonly body: Buffer;
      readonly fetchOrder: string;
      /** what breaks the contract, in fixed words and JSON paths; absent if nothing does */
      readonly flags?: string;
    }
  | { readonly kind: 'not-insured' }
  | { readonly kind: 'unknown' };

export interface ListRequest {
  /** sent as If-None-Match; ignored with `resume` */
  readonly knownEtag?: string;
  /**
   * continues the list with this strong ETag from this byte; `isWhole`: by asking for the whole list and skipping the bytes
   * before, because the insurer cannot satisfy the range
   */
  readonly resume?: { readonly from: number; readonly etag: string; readonly isWhole?: boolean };
}

/** Receives the list as it arrives. An error that it throws ends the request. */
export interface ListSink {
  /**
   * Called once, before the first byte.
   * @param start `contentType`: the header, which may name the charset. `from`: 0 for the whole list, otherwise the offset of the rest. A whole list replaces earlier bytes once it
   *   has begun like a list, because it may be an error page of a proxy. `resumeEtag`: the strong ETag with which an
   *   interrupted transfer can be resumed; absent if it cannot
   */
  begin(start: {
    readonly from: number;
    readonly etag?: string;
    readonly resumeEtag?: string;
    readonly contentType?: string;
  }): void;
  /** Receives a chunk. Until it has resolved, nothing more is read from the socket. */
  write(chunk: Buffer): Promise<void>;
  /** Discards all bytes, because the insurer now has another list. The request fails. */
  restart(): void;
  /** Discards the bytes of this answer, because it contradicts itself. Earlier bytes stay. The request fails. */
  revert(): void;
}

export type ListOutcome = 'complete' | 'unchanged' | 'range-not-satisfiable';

/** Calls the operations of the insurer's API (insurer-api.yaml). Each request goes over the line. */
export interface InsurerClient {
  /**
   * Fetches all care records of one patient. If the insurer answers 410, all other calls for this patient that wait return
   * `not-insured`, too: no other request is sent for them.
   * @param priority which call comes first when several wait (docs/explanation/the-line.md, "The queue")
   * @param signal cancels the wait or the request: see Line.perform
   * @returns the decoded body: UTF-8 JSON that names this KVNR and can be stored, even if it breaks the contract elsewhere
   * @throws UnusableAnswer if a complete answer that names this KVNR cannot be stored
   * @throws LineError `stalled` after LINE_STALL_MS without a byte, `wrong-patient` if the answer names another KVNR,
   *   `too-large` above CARE_RECORDS_MAX_BYTES or 500 000 JSON values; the others: docs/explanation/the-line.md, "The exchange"
   * @throws LineWithheld if we aborted the request
   */
  fetchCareRecords(kvnr: Kvnr, priority: Priority, signal: AbortSignal): Promise<CareRecordsFetch>;
  /**
   * Fetches the list, or the rest of it, into a sink. Sends one request, with the priority `list`.
   * @returns complete: the last byte of the list has arrived, or had arrived before; unchanged: 304; range-not-satisfiable:
   *   416, so the next request has to ask for the whole list
   * @throws LineError `stalled` after LIST_FIRST_BYTE_MS without the first byte, or LINE_STALL_MS without a later one;
   *   `contract` also if an answer to `resume` has another ETag, another range or too many bytes. Only
   *   another ETag makes the received bytes void: `restart` of the sink was called. After any other fault they stay
   * @throws LineWithheld if we aborted the request
   */
  fetchList(request: ListRequest, sink: ListSink, signal: AbortSignal): Promise<ListOutcome>;
}

/** An answer as it came, which is checked once the line is free. */
type UncheckedFetch = CareRecordsFetch & { readonly contentType?: string | undefined };

/** Default of CARE_RECORDS_MAX_BYTES. A larger answer is rejected and reported (insurer-api.yaml, "Sizes"). */
const careRecordsBytesMaxDefault = 64 * 1024 * 1024;

export function createInsurerClient({
  baseUrl,
  token,
  line,
  permit,
  stallMs,
  listFirstByteMs = stallMs,
  careRecordsBytesMax = careRecordsBytesMaxDefault,
  statistics = createLineStatistics(),
  clock = systemClock,
}: InsurerClientOptions): InsurerClient {
  const basePath = new URL(baseUrl).pathname.replace(/\/+$/, '');
  /** for each patient, the calls without an answer */
  const calls = new Map<Kvnr, Set<AbortController>>();
  const commonHeaders = { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': 'epa-sync' };

  const errorOf = (answer: ExchangeAnswer, operation: 'care-records' | 'patients'): Promise<LineError> =>
    lineErrorOf(answer, operation, { permit, clock, drainMs: stallMs });

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
    async fetchCareRecords(kvnr, priority, signal) {
      const operation = 'care-records';
      const request = {
        operation,
        path: `${basePath}/patients/${encodeURIComponent(kvnr)}/care-records`,
        headers: { ...commonHeaders, 'accept-encoding': 'gzip' },
      } as const;
      const own = new AbortController();
      const callsOfPatient = calls.get(kvnr) ?? new Set();
      calls.set(kvnr, callsOfPatient.add(own));
      const readAnswer = async (answer: ExchangeAnswer): Promise<UncheckedFetch> => {
        switch (answer.status) {
          case 200:
            return {
              kind: 'answer',
              body: await readWhole(answer, careRecordsBytesMax, operation),
              fetchOrder: answer.fetchOrder,
              contentType: answer.headers['content-type'],
            };
          case 404:
          case 410: {
            await readToEnd(answer, stallMs, operation, clock); // only a complete answer counts, because its effects are final
            if (answer.status === 404) return { kind: 'unknown' };
            for (const call of callsOfPatient) if (call !== own) call.abort(); // before the line is free for the next request
            return { kind: 'not-insured' };
          }
          default:
            throw await errorOf(answer, operation);
        }
      };
      const fetched = await line
        .perform(priority, request, readAnswer, AbortSignal.any([signal, own.signal]))
        .catch((error: unknown): UncheckedFetch => {
          if (!own.signal.aborted || signal.aborted) throw error;
          return { kind: 'not-insured' };
        })
        .finally(() => {
          callsOfPatient.delete(own);
          if (callsOfPatient.size === 0) calls.delete(kvnr);
        });
      // The line is already free: the next request is in flight while this answer is checked.
      if (fetched.kind !== 'answer') return fetched;
      const { fetchOrder } = fetched;
      const { body, flags } = checkCareRecords(fetched.body, fetched.contentType, kvnr);
      return { kind: 'answer', body, fetchOrder, ...(flags !== undefined && { flags }) };
    },

    async fetchList({ knownEtag, resume }, sink, signal) {
      const operation = 'patients';
      const request = {
        operation,
        path: `${basePath}/patients`,
        headers: {
          ...commonHeaders,
          'accept-encoding': 'identity', // ranges count the bytes of the body
          ...(resume && !resume.isWhole && { range: `bytes=${resume.from}-`, 'if-range': resume.etag }),
          ...(!resume && knownEtag !== undefined && { 'if-none-match': knownEtag }),
        },
        firstByteMs: listFirstByteMs,
      } as const;
      const readAnswer = async (answer: ExchangeAnswer): Promise<ListOutcome> => {
        const { status, headers } = answer;
        const contract = (problem: string): LineError => new LineError('contract', { operation, status, problem });
        if (status === 304 && !resume && knownEtag !== undefined) {
          await drain(answer, stallMs, operation, clock);
          return 'unchanged';
        }
        if (status === 416 && resume && !resume.isWhole) {
          await drain(answer, stallMs, operation, clock);
          if (isOfAnother(headers['etag'], resume)) {
            sink.restart();
            throw contract('etag');
          }
          return sizeOf(headers['content-range']) === resume.from ? 'complete' : 'range-not-satisfiable';
        }
        if (status !== 200 && !(status === 206 && resume)) throw await errorOf(answer, operation);
        if (!['', 'identity'].includes(headers['content-encoding']?.toLowerCase() ?? ''))
          throw contract('content-encoding');

        const { etag } = headers;
        const range = status === 206 && resume ? rangeOf(headers['content-range']) : undefined;
        /** bytes at the start of the answer that we have already, because the insurer has ignored the range */
        let bytesToSkip = 0;
        if (status === 206 && resume) {
          if (isOfAnother(etag, resume)) {
            sink.restart();
            throw contract('etag');
          }
          if (range?.from !== resume.from) throw contract('content-range');
          sink.begin({ from: resume.from, etag: resume.etag, resumeEtag: resume.etag });
        } else if (resume && etag === resume.etag) {
          bytesToSkip = resume.from;
          sink.begin({ from: resume.from, etag, resumeEtag: etag });
        } else {
          const isResumable = etag?.startsWith('"') && /\bbytes\b/i.test(headers['accept-ranges'] ?? '');
          const contentType = headers['content-type'];
          sink.begin({
            from: 0,
            ...(etag && { etag }),
            ...(isResumable && etag && { resumeEtag: etag }),
            ...(contentType && { contentType }),
          });
        }
        let bytes = 0;
        for await (const chunk of answer.body) {
          bytes += (chunk as Buffer).length;
          if (range && range.from + bytes > range.end) {
            sink.revert();
            throw contract('content-range');
          }
          const newBytes = (chunk as Buffer).subarray(bytesToSkip);
          bytesToSkip -= (chunk as Buffer).length - newBytes.length;
          if (newBytes.length > 0) await sink.write(newBytes);
        }
        if (bytesToSkip > 0) throw contract('content-length');
        if (range && range.from + bytes < (range.total ?? range.end))
          throw new LineError('cut-short', { operation, status });
        return 'complete';
      };
      return await line.perform('list', request, readAnswer, signal);
    },
  };
  return {
    fetchCareRecords: async (...call) => await counted(client.fetchCareRecords(...call)),
    fetchList: async (...call) => await counted(client.fetchList(...call)),
  };
}

/**
 * Checks an answer. The patient comes first: other faults in another patient's answer are not reported.
 * @returns the answer as UTF-8, and what breaks the contract although it can be stored
 * @throws LineError; UnusableAnswer
 */
function checkCareRecords(
  body: Buffer,
  contentType: string | undefined,
  kvnr: Kvnr,
): { readonly body: Buffer; readonly flags?: string | undefined } {
  const operation = 'care-records';
  const unusable = (problem: string): UnusableAnswer =>
    new UnusableAnswer({ operation, status: 200, problem }, createHash('sha256').update(body).digest('hex'));
  let text: Buffer;
  try {
    text = toUtf8(body, contentType);
  } catch {
    const guessed = Buffer.from(body.toString('latin1'));
    if (kvnrOf(parseJson(guessed, operation)) === kvnr)
      throw unusable(`answer: not UTF-8 (${fittingCharset(body)} fits)`);
    throw new LineError('not-json', { operation });
  }
  const value = parseJson(text, operation);
  const named = kvnrOf(value);
  if (named !== undefined && named !== kvnr) throw new LineError('wrong-patient', { operation, status: 200 });
  const { hard, flags } = problemsOfCareRecords(value);
  if (hard === undefined) return { body: text, flags };
  if (named === undefined) throw new LineError('contract', { operation, status: 200, problem: hard }); // perhaps a page of a proxy
  throw unusable(hard);
}

/** Returns the KVNR that an answer names, as we write it. */
function kvnrOf(value: unknown): string | undefined {
  const { kvnr } = Object(value) as { readonly kvnr?: unknown };
  return typeof kvnr === 'string' ? normalKvnr(kvnr) : undefined;
}

/** Returns whether an answer's ETag says that it belongs to another list. An answer without ETag says nothing. */
const isOfAnother = (etag: string | undefined, resume: { readonly etag: string }): boolean =>
  etag !== undefined && etag !== resume.etag;

/** Parses `bytes *\/{total}`, with which a 416 says how long the list is (RFC 9110, 14.4). Returns undefined for any other text. */
function sizeOf(contentRange = ''): number | undefined {
  const match = /^bytes \*\/(\d{1,15})$/.exec(contentRange.trim());
  return match === null ? undefined : Number(match[1]);
}

/** Parses `bytes {from}-{last}/{total}`; the total may be `*`. `end` is `last` + 1. Returns undefined for any other text. */
function rangeOf(contentRange = ''): { from: number; end: number; total?: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/.exec(contentRange.trim());
  if (!match) return undefined;
  const [from, end] = [Number(match[1]), Number(match[2]) + 1];
  if (from >= end) return undefined;
  if (match[3] === undefined) return { from, end };
  const total = Number(match[3]);
  return end <= total ? { from, end, total } : undefined;
}
