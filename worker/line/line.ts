import { type Clock, sleep, systemClock } from '../../core/clock.ts';
import { careRecordsAnswerProblem } from '../../core/domain/care-record.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { Priority } from '../../core/domain/line.ts';
import { drain, hasDeclaredEnd, parseJson, readToEnd, readWhole } from './answer-body.ts';
import { lineErrorOf } from './error-answer.ts';
import { type ExchangeAnswer, openExchange } from './exchange.ts';
import type { OpenConnection } from './insurer-connection.ts';
import { LineError, LineWithheld } from './line-error.ts';
import { createLineStatistics, type LineStatistics } from './line-statistics.ts';
import { createLineQueue } from './queue.ts';
import type { SendPermit } from './send-permit.ts';

/** What the line needs of a SendPermit. */
export type LinePermit = Pick<
  SendPermit,
  'maySend' | 'whenMaySend' | 'leaseNumber' | 'begin' | 'startCooldown' | 'pauseBySystem'
>;

export interface LineOptions {
  readonly baseUrl: string;
  readonly token: string;
  readonly permit: LinePermit;
  /** LINE_STALL_MS */
  readonly stallMs: number;
  /** CARE_RECORDS_MAX_BYTES: decoded bytes of one care records answer */
  readonly careRecordsBytesMax?: number;
  /** is told of every request */
  readonly statistics?: LineStatistics;
  readonly clock?: Clock;
  readonly openConnection?: OpenConnection;
}

/** not-insured: 410, final; unknown: 404, the insurer has never known this KVNR. */
export type CareRecordsFetch =
  | { readonly kind: 'answer'; readonly body: Buffer; readonly order: string }
  | { readonly kind: 'not-insured' }
  | { readonly kind: 'unknown' };

export interface ListRequest {
  /** sent as If-None-Match; not together with `resume` */
  readonly knownEtag?: string;
  /** goes on from this byte of the list with this strong ETag */
  readonly resume?: { readonly from: number; readonly etag: string };
}

/** Takes in the list as it comes. What it throws ends the request. */
export interface ListSink {
  /**
   * Called once, before the first byte. `from` 0: the whole list comes, and whatever was there before is void once this
   * has begun like a list, for a proxy's page is no list; else the rest.
   * `resumeEtag`: the strong ETag under which a cut transfer can be taken up again; absent when it cannot.
   */
  begin(start: { readonly from: number; readonly etag?: string; readonly resumeEtag?: string }): void;
  /** While it has not resolved, nothing more is taken from the insurer. */
  write(chunk: Buffer): Promise<void>;
  /** Forgets all that has come: the insurer has another list by now. The request fails. */
  restart(): void;
}

/** The line to the insurer. All failures are LineError; LineWithheld when a request of ours was cut by ourselves. */
export interface Line {
  /**
   * Fetches all care records of one patient. One request at a time: a second call waits its turn. The insurer's 410 is the answer
   * also to all other calls for that patient which wait: nobody asks again.
   * @param turn whose turn comes first when several wait (docs/explanation/the-line.md, "The queue")
   * @param signal drops the wait or the request; rejects with its reason, and only when the socket is closed, or the
   *   insurer would see an overlap
   * @returns the decoded body: UTF-8 JSON that fits CareRecordsAnswer and names this KVNR
   * @throws LineError `stalled` after LINE_STALL_MS without a byte, `wrong-patient` when the answer names another KVNR,
   *   `too-large` past CARE_RECORDS_MAX_BYTES or 500 000 JSON values; the others: docs/explanation/the-line.md, "The exchange"
   */
  fetchCareRecords(kvnr: Kvnr, priority: Priority, signal: AbortSignal): Promise<CareRecordsFetch>;
  /**
   * Fetches the list, or the rest of it, into a sink; one request, in the turn of lists.
   * @returns whole: the last byte of the list has come; unchanged: 304; range-refused: 416, start again without `resume`
   * @throws LineError; `contract` also when a 206 is not the range or not of the ETag that was asked for: only then has
   *   the sink been told to start again, all other faults leave what it has
   */
  fetchList(
    request: ListRequest,
    sink: ListSink,
    signal: AbortSignal,
  ): Promise<'whole' | 'unchanged' | 'range-refused'>;
  /** Nobody gets a turn any more: whoever waits for one is told so. What is under way goes on. */
  stop(): void;
  /** Stops, and closes the connection. */
  close(): Promise<void>;
}

/** Past it an answer is refused and reported, not read on (insurer-api.yaml, "Sizes"). */
const careRecordsBytesMaxDefault = 64 * 1024 * 1024;

/** So many refused connections in a row are the line's usual luck; from there on it is down, and we knock less often. */
const backoffAfterRefused = 3;
const firstBackoffMs = 100;
const backoffMaxMs = 2_000;

export function openLine(options: LineOptions): Line {
  const {
    token,
    permit,
    stallMs,
    careRecordsBytesMax = careRecordsBytesMaxDefault,
    statistics = createLineStatistics(),
    clock = systemClock,
    openConnection,
  } = options;
  const baseUrl = new URL(options.baseUrl);
  const basePath = baseUrl.pathname.replace(/\/+$/, '');
  const exchange = openExchange({
    origin: baseUrl.origin,
    permit: statistics.watch(permit),
    stallMs,
    clock,
    ...(openConnection && { openConnection }),
  });
  const stopping = new AbortController();
  let refusedInARow = 0;
  const queue = createLineQueue(async () => {
    if (refusedInARow > backoffAfterRefused) {
      const backoffMs = Math.min(backoffMaxMs, firstBackoffMs * 2 ** (refusedInARow - backoffAfterRefused - 1));
      await sleep(clock, backoffMs, stopping.signal);
    }
    await permit.whenMaySend(stopping.signal);
  }, clock);
  /** the calls for each patient that have no answer yet */
  const calls = new Map<Kvnr, Set<AbortController>>();
  const commonHeaders = { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': 'epa-sync' };

  /** One request in its turn. A place whose right to send is gone when it comes to writing is taken anew. */
  async function exchangeWithPriority<T>(
    priority: Priority,
    request: Parameters<typeof exchange.perform>[0],
    read: (answer: ExchangeAnswer) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    for (;;) {
      try {
        const result = await queue.run(priority, signal, () => exchange.perform(request, read, signal));
        refusedInARow = 0;
        return result;
      } catch (error) {
        if (error instanceof LineWithheld && !error.sent) continue;
        refusedInARow = error instanceof LineError && error.fault === 'refused' ? refusedInARow + 1 : 0;
        throw error;
      }
    }
  }

  const errorOf = (answer: ExchangeAnswer, operation: 'care-records' | 'patients'): Promise<LineError> =>
    lineErrorOf(answer, operation, { permit, clock, drainMs: stallMs });

  /** Tells the meter how a use of the line went. */
  async function counted<T>(use: Promise<T>): Promise<T> {
    try {
      const result = await use;
      statistics.succeeded();
      return result;
    } catch (error) {
      if (error instanceof LineError) statistics.failed(error.fault);
      throw error;
    }
  }

  const line: Line = {
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
      const readAnswer = async (answer: ExchangeAnswer): Promise<CareRecordsFetch> => {
        switch (answer.status) {
          case 200:
            return {
              kind: 'answer',
              body: await readWhole(answer, careRecordsBytesMax, operation),
              order: answer.order,
            };
          case 404:
          case 410: {
            await readToEnd(answer, stallMs, operation, clock); // counts only when it is whole: what follows cannot be undone
            if (answer.status === 404) return { kind: 'unknown' };
            for (const call of callsOfPatient) if (call !== own) call.abort(); // before the line is free for one of them
            return { kind: 'not-insured' };
          }
          default:
            throw await errorOf(answer, operation);
        }
      };
      const fetched = await exchangeWithPriority(priority, request, readAnswer, AbortSignal.any([signal, own.signal]))
        .catch((error: unknown): CareRecordsFetch => {
          if (!own.signal.aborted || signal.aborted) throw error;
          return { kind: 'not-insured' };
        })
        .finally(() => {
          callsOfPatient.delete(own);
          if (callsOfPatient.size === 0) calls.delete(kvnr);
        });
      // The line is free by now: the next request is on its way while this answer is looked at.
      if (fetched.kind === 'answer') checkCareRecords(fetched.body, kvnr);
      return fetched;
    },

    async fetchList({ knownEtag, resume }, sink, signal) {
      const operation = 'patients';
      const request = {
        operation,
        path: `${basePath}/patients`,
        headers: {
          ...commonHeaders,
          'accept-encoding': 'identity', // a range is one of the bytes that we count
          ...(resume && { range: `bytes=${resume.from}-`, 'if-range': resume.etag }),
          ...(!resume && knownEtag !== undefined && { 'if-none-match': knownEtag }),
        },
      } as const;
      const readAnswer = async (answer: ExchangeAnswer): Promise<'whole' | 'unchanged' | 'range-refused'> => {
        const { status, headers } = answer;
        const contract = (problem: string): LineError => new LineError('contract', { operation, status, problem });
        if (status === 304 && !resume && knownEtag !== undefined) {
          await drain(answer, stallMs, operation, clock);
          return 'unchanged';
        }
        if (status === 416 && resume) {
          await drain(answer, stallMs, operation, clock);
          return 'range-refused';
        }
        if (status !== 200 && !(status === 206 && resume)) throw await errorOf(answer, operation);
        if (!['', 'identity'].includes(headers['content-encoding']?.toLowerCase() ?? ''))
          throw contract('content-encoding');
        if (!hasDeclaredEnd(headers)) throw new LineError('cut-short', { operation, problem: 'no end declared' });

        const { etag } = headers;
        const range = status === 206 && resume ? rangeOf(headers['content-range']) : undefined;
        if (status === 206 && resume) {
          if (range === undefined) throw contract('content-range');
          const isOfAnother = etag !== undefined && etag !== resume.etag;
          if (isOfAnother || range.from !== resume.from) {
            sink.restart();
            throw contract(isOfAnother ? 'etag' : 'content-range');
          }
          sink.begin({ from: resume.from, etag: resume.etag, resumeEtag: resume.etag });
        } else {
          const isResumable = etag?.startsWith('"') && /\bbytes\b/i.test(headers['accept-ranges'] ?? '');
          sink.begin({ from: 0, ...(etag && { etag }), ...(isResumable && etag && { resumeEtag: etag }) });
        }
        let bytes = 0;
        for await (const chunk of answer.body) {
          bytes += (chunk as Buffer).length;
          if (range && range.from + bytes > range.end) {
            sink.restart();
            throw contract('content-range');
          }
          await sink.write(chunk as Buffer);
        }
        if (range && range.from + bytes < (range.total ?? range.end))
          throw new LineError('cut-short', { operation, status });
        return 'whole';
      };
      return await exchangeWithPriority('list', request, readAnswer, signal);
    },

    stop() {
      stopping.abort(new Error('the line stops in this process'));
    },

    async close() {
      line.stop();
      await exchange.close();
    },
  };
  return {
    ...line,
    fetchCareRecords: async (...call) => await counted(line.fetchCareRecords(...call)),
    fetchList: async (...call) => await counted(line.fetchList(...call)),
  };
}

/** Whose records they are goes before all else: what is wrong with somebody else's is not ours to say. */
function checkCareRecords(body: Buffer, kvnr: Kvnr): void {
  const operation = 'care-records';
  const value = parseJson(body, operation);
  if (
    typeof value === 'object' &&
    value !== null &&
    'kvnr' in value &&
    typeof value.kvnr === 'string' &&
    value.kvnr !== kvnr
  )
    throw new LineError('wrong-patient', { operation, status: 200 });
  const problem = careRecordsAnswerProblem(value);
  if (problem !== undefined) throw new LineError('contract', { operation, status: 200, problem });
}

/** `bytes {from}-{last}/{total}`, the total perhaps `*`; end: the first byte after it. Undefined when it is anything else. */
function rangeOf(contentRange = ''): { from: number; end: number; total?: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/.exec(contentRange.trim());
  if (!match) return undefined;
  const [from, end] = [Number(match[1]), Number(match[2]) + 1];
  if (from >= end) return undefined;
  if (match[3] === undefined) return { from, end };
  const total = Number(match[3]);
  return end <= total ? { from, end, total } : undefined;
}
