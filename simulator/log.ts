type RequestKind = 'list' | 'care' | 'other' | 'unfinished';

/** One request, or an incomplete one, as the insurer saw it. Times are in ms since the epoch, with fractions. */
export interface LogEntry {
  number: number;
  /** Number of its TCP connection. */
  connection: number;
  day: number;
  kind: RequestKind;
  method: string;
  path: string;
  kvnr?: string;
  range?: string;
  ifRange?: string;
  ifNoneMatch?: string;
  acceptEncoding?: string;
  authorization: 'right' | 'wrong' | 'missing';
  /** When its first byte arrived. */
  startedAt: number;
  /**
   * When the last byte of its answer was handed to the kernel, or its connection was closed. Absent while in flight.
   */
  endedAt?: number;
  /** `ok`, `not-modified`, `not-insured`, `unknown` and so on, or the name of the fault, or `client-closed`. */
  outcome: string;
  status?: number;
  bytesSent: number;
  /** The complete HTTP answer was sent. Its content may still be nonsense. */
  isWhole: boolean;
  /** Numbers of the requests that were in flight when it began. Empty: no overlap. */
  overlaps: number[];
  overlapped: boolean;
  whilePaused: boolean;
  beforeRetryAfter: boolean;
  /** The same KVNR had already been answered with 410 on the same day. */
  after410: boolean;
  /** The care records of the same KVNR had already been sent completely since the log was started or reset. */
  servedAgain: boolean;
  followedRedirect: boolean;
  /** Parts of the request that the contract does not allow. */
  offContract: string[];
}

export interface Summary {
  day: number;
  requests: number;
  inFlight: number;
  refusedConnections: number;
  byOutcome: Record<string, number>;
  byKind: Record<string, number>;
  /** Share of the ended requests that were answered neither with data nor with 304, 410 or 404. */
  failureRate: number;
  overlaps: number;
  whilePaused: number;
  /** Requests that were in flight when a test reported a confirmed pause. */
  inFlightWhenPaused: number;
  beforeRetryAfter: number;
  after410: number;
  followedRedirects: number;
  /** The sum of the six counts above. */
  violations: number;
  servedAgain: number;
  offContract: number;
  patientsServed: number;
  /** From the start of the first request to the end of the last one. */
  wallMs: number;
  /** The part of wallMs in which a request was in flight. */
  busyMs: number;
  /** The part of wallMs in which the line had to be idle: before a Retry-After had passed, or while it was paused. */
  excusedMs: number;
  /** busyMs / (wallMs − excusedMs), or 0 without requests. */
  utilisation: number;
  requestsPerSecond: number;
}

export type RequestHead = Pick<
  LogEntry,
  | 'kind'
  | 'method'
  | 'path'
  | 'kvnr'
  | 'range'
  | 'ifRange'
  | 'ifNoneMatch'
  | 'acceptEncoding'
  | 'authorization'
  | 'followedRedirect'
  | 'offContract'
>;

const successfulOutcomes: ReadonlySet<string> = new Set([
  'ok',
  'not-modified',
  'not-insured',
  'unknown',
  'range-past-end',
]);
const now = (): number => performance.timeOrigin + performance.now();

/** The judge. Records what the insurer's event loop saw, in the order in which the kernel reported it. */
export class LineLog {
  #entries: LogEntry[] = [];
  readonly #inFlight = new Map<number, LogEntry>();
  readonly #ending = new Set<number>();
  readonly #listeners = new Set<() => void>();
  readonly #keep: number;
  readonly #day: () => number;
  #lastNumber = 0;
  #notInsured = new Set<string>();
  #served = new Set<string>();
  #counts = emptyCounts();
  #times = emptyTimes();
  #isPaused = false;
  #pausedSince = 0;
  /**
   * No request may begin before this time (ms since the epoch, by the clock in whole milliseconds that clients use).
   */
  #notBefore = 0;

  /** @param keep how many entries are kept; summaries also count dropped entries */
  constructor(day: () => number, keep: number) {
    this.#day = day;
    this.#keep = keep;
  }

  /** Records that the first byte of a request has arrived. */
  begin(connection: number): LogEntry {
    const startedAt = now();
    const overlaps: number[] = [];
    for (const other of this.#inFlight.values()) {
      if (other.connection === connection && this.#ending.has(other.number))
        this.end(other); // the client has read the last byte before this process noticed
      else overlaps.push(other.number);
    }
    if (this.#inFlight.size === 0) this.#endIdleTime(startedAt);
    this.#lastNumber += 1;
    const entry: LogEntry = {
      number: this.#lastNumber,
      connection,
      day: this.#day(),
      kind: 'unfinished',
      method: '',
      path: '',
      authorization: 'missing',
      startedAt,
      outcome: 'in-flight',
      bytesSent: 0,
      isWhole: false,
      overlaps,
      overlapped: overlaps.length > 0,
      whilePaused: this.#isPaused,
      beforeRetryAfter: Date.now() < this.#notBefore,
      after410: false,
      servedAgain: false,
      followedRedirect: false,
      offContract: [],
    };
    this.#inFlight.set(entry.number, entry);
    this.#entries.push(entry);
    if (this.#entries.length > this.#keep * 1.1) this.#entries = this.#entries.slice(-this.#keep);
    this.#counts.requests += 1;
    if (entry.overlapped) this.#counts.overlaps += 1;
    if (entry.whilePaused) this.#counts.whilePaused += 1;
    if (entry.beforeRetryAfter) this.#counts.beforeRetryAfter += 1;
    this.#notifyListeners();
    return entry;
  }

  /** Records the complete head of a request. */
  setHead(entry: LogEntry, head: RequestHead): void {
    Object.assign(entry, head);
    const { kvnr } = entry;
    entry.after410 = kvnr !== undefined && this.#notInsured.has(kvnr);
    entry.servedAgain = kvnr !== undefined && this.#served.has(kvnr);
    this.#counts.after410 += Number(entry.after410);
    this.#counts.servedAgain += Number(entry.servedAgain);
    this.#counts.followedRedirects += Number(entry.followedRedirect);
    this.#counts.offContract += Number(entry.offContract.length > 0);
    this.#notifyListeners();
  }

  /**
   * Records that the last bytes of the answer are being written. A request on the same connection is no overlap from
   * now on.
   */
  markEnding(entry: LogEntry): void {
    this.#ending.add(entry.number);
  }

  /** Records that the last byte was handed to the kernel, or the connection is closed. Only the first call counts. */
  end(entry: LogEntry): void {
    if (!this.#inFlight.delete(entry.number)) return;
    this.#ending.delete(entry.number);
    entry.endedAt = now();
    const { kvnr, outcome, isWhole } = entry;
    count(this.#counts.byOutcome, outcome);
    count(this.#counts.byKind, entry.kind);
    if (kvnr !== undefined && isWhole && outcome === 'not-insured') this.#notInsured.add(kvnr);
    if (kvnr !== undefined && isWhole && outcome === 'ok') this.#served.add(kvnr);
    if (this.#inFlight.size === 0) {
      this.#times.busyMs += entry.endedAt - (this.#times.busySince ?? entry.startedAt);
      this.#times.busySince = undefined;
      this.#times.lastEnd = entry.endedAt;
    }
    this.#notifyListeners();
  }

  /** Records a complete answer with a Retry-After: no request may begin before this time (ms since the epoch). */
  recordRetryAfter(untilMs: number): void {
    this.#notBefore = Math.max(this.#notBefore, untilMs);
    this.#times.quietPeriods.push([now(), untilMs]);
  }

  refusedConnection(): void {
    this.#counts.refusedConnections += 1;
    this.#notifyListeners();
  }

  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#pausedSince = now();
      this.#counts.inFlightWhenPaused += this.#inFlight.size;
    } else this.#times.quietPeriods.push([this.#pausedSince, now()]);
  }

  /** Number of requests that have begun since the log was started or reset. */
  get requests(): number {
    return this.#counts.requests;
  }

  /** Starts a new day: a KVNR with a 410 may be requested again. */
  newDay(): void {
    this.#notInsured = new Set();
  }

  /** Deletes ended requests. Requests in flight stay, a Retry-After still applies, and numbers continue. */
  reset(): void {
    this.#entries = [...this.#inFlight.values()];
    this.#notInsured = new Set();
    this.#served = new Set();
    this.#counts = emptyCounts();
    this.#counts.requests = this.#inFlight.size;
    const notBefore = this.#notBefore;
    this.#times = emptyTimes();
    if (notBefore > Date.now()) this.#times.quietPeriods.push([now(), notBefore]);
    if (this.#inFlight.size > 0) this.#times.firstStart = this.#times.busySince = now();
  }

  since(number: number): LogEntry[] {
    return this.#entries.filter((entry) => entry.number > number);
  }

  summary(): Summary {
    const counts = this.#counts;
    const times = this.#times;
    const end = this.#inFlight.size > 0 ? now() : times.lastEnd;
    const wallMs = times.firstStart === undefined ? 0 : Math.max(0, end - times.firstStart);
    const busyMs = times.busyMs + (times.busySince === undefined ? 0 : end - times.busySince);
    const { excusedMs } = times;
    const ended = counts.requests - this.#inFlight.size;
    const good = Object.entries(counts.byOutcome).reduce(
      (sum, [outcome, times]) => sum + (successfulOutcomes.has(outcome) ? times : 0),
      0,
    );
    const { overlaps, whilePaused, inFlightWhenPaused, beforeRetryAfter, after410, followedRedirects } = counts;
    return {
      day: this.#day(),
      ...counts,
      byOutcome: { ...counts.byOutcome },
      byKind: { ...counts.byKind },
      inFlight: this.#inFlight.size,
      failureRate: ended <= 0 ? 0 : (ended - good) / ended,
      violations: overlaps + whilePaused + inFlightWhenPaused + beforeRetryAfter + after410 + followedRedirects,
      patientsServed: this.#served.size,
      wallMs,
      busyMs,
      excusedMs,
      utilisation: wallMs - excusedMs > 0 ? busyMs / (wallMs - excusedMs) : 0,
      requestsPerSecond: wallMs > 0 ? counts.requests / (wallMs / 1000) : 0,
    };
  }

  /** Resolves when the condition holds. It is checked after each event on the line. */
  until(holds: () => boolean, signal?: AbortSignal): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#listeners.delete(look);
        signal?.removeEventListener('abort', abort);
      };
      const look = (): void => {
        if (!holds()) return;
        stop();
        resolve();
      };
      const abort = (): void => {
        stop();
        reject(signal?.reason);
      };
      this.#listeners.add(look);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Ends an idle time. Adds the part of it in which the line had to be idle. */
  #endIdleTime(startedAt: number): void {
    const times = this.#times;
    times.busySince = startedAt;
    if (times.firstStart === undefined) times.firstStart = startedAt;
    else times.excusedMs += coveredMs(this.#quietPeriods(startedAt), times.lastEnd, startedAt);
    times.quietPeriods = times.quietPeriods.filter(([, until]) => until > startedAt);
  }

  #quietPeriods(until: number): [number, number][] {
    return this.#isPaused ? [...this.#times.quietPeriods, [this.#pausedSince, until]] : this.#times.quietPeriods;
  }

  #notifyListeners(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Returns how much of [from, to] the periods cover. Overlapping periods count once. */
function coveredMs(periods: readonly [number, number][], from: number, to: number): number {
  let reached = from;
  let sum = 0;
  for (const [start, end] of [...periods].sort((a, b) => a[0] - b[0])) {
    const begin = Math.max(start, reached);
    const stop = Math.min(end, to);
    if (stop <= begin) continue;
    sum += stop - begin;
    reached = stop;
  }
  return sum;
}

function emptyCounts() {
  return {
    requests: 0,
    refusedConnections: 0,
    byOutcome: {} as Record<string, number>,
    byKind: {} as Record<string, number>,
    overlaps: 0,
    whilePaused: 0,
    inFlightWhenPaused: 0,
    beforeRetryAfter: 0,
    after410: 0,
    followedRedirects: 0,
    servedAgain: 0,
    offContract: 0,
  };
}

interface Times {
  firstStart: number | undefined;
  busySince: number | undefined;
  lastEnd: number;
  busyMs: number;
  excusedMs: number;
  quietPeriods: [number, number][];
}

const emptyTimes = (): Times => ({
  firstStart: undefined,
  busySince: undefined,
  lastEnd: 0,
  busyMs: 0,
  excusedMs: 0,
  quietPeriods: [],
});

const count = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1;
};
