type RequestKind = 'list' | 'care' | 'other' | 'unfinished';

/** One request, or the beginning of one, as the insurer saw it. Times in epoch ms, with fractions. */
export interface LogEntry {
  number: number;
  /** Which TCP connection it came on. */
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
  /** Its first byte came. */
  startedAt: number;
  /** The last byte of its answer was handed to the kernel, or its connection was closed; absent while under way. */
  endedAt?: number;
  /** `ok`, `not-modified`, `not-insured`, `unknown`, … or the name of the fault; `client-closed` when the client gave up. */
  outcome: string;
  status?: number;
  bytesSent: number;
  /** The answer was sent from its first to its last byte, as HTTP has it (a 200 may still be nonsense). */
  isWhole: boolean;
  /** It began while others were under way: the numbers of those. Empty: no overlap. */
  overlaps: number[];
  overlapped: boolean;
  whilePaused: boolean;
  beforeRetryAfter: boolean;
  /** The KVNR had got its 410 before, on the same day. */
  after410: boolean;
  /** The KVNR had got its care records whole before, since the log began. */
  servedAgain: boolean;
  followedRedirect: boolean;
  /** What in the request itself the contract does not know. */
  offContract: string[];
}

export interface Summary {
  day: number;
  requests: number;
  underWay: number;
  refusedConnections: number;
  byOutcome: Record<string, number>;
  byKind: Record<string, number>;
  /** Share of the ended requests that brought neither data, nor 304, 410 or 404. */
  failureRate: number;
  overlaps: number;
  whilePaused: number;
  /** Requests that were under way when a test said that the line is paused. */
  underWayWhenPaused: number;
  beforeRetryAfter: number;
  after410: number;
  followedRedirects: number;
  /** The sum of the six above. */
  violations: number;
  servedAgain: number;
  offContract: number;
  patientsServed: number;
  /** From the first request's beginning to the last one's end. */
  wallMs: number;
  /** Of it: some request was under way. */
  busyMs: number;
  /** Of it: idle, and rightly so: Retry-After had not passed, or the line was paused. */
  excusedMs: number;
  /** busyMs / (wallMs − excusedMs); 0 without requests. */
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

/** The judge. It only notes what the insurer's own event loop saw, in the order in which the kernel told it. */
export class LineLog {
  private entries: LogEntry[] = [];
  private readonly underWay = new Map<number, LogEntry>();
  private readonly ending = new Set<number>();
  private readonly listeners = new Set<() => void>();
  private readonly keep: number;
  private readonly day: () => number;
  private lastNumber = 0;
  private notInsured = new Set<string>();
  private served = new Set<string>();
  private counts = emptyCounts();
  private times = emptyTimes();
  private isPaused = false;
  private pausedSince = 0;
  /** Epoch ms by the whole-millisecond clock that clients use too. */
  private notBefore = 0;

  /** @param keep how many entries are kept; summaries count those dropped too */
  constructor(day: () => number, keep: number) {
    this.day = day;
    this.keep = keep;
  }

  /** The first byte of a request came. */
  begin(connection: number): LogEntry {
    const startedAt = now();
    const overlaps: number[] = [];
    for (const other of this.underWay.values()) {
      if (other.connection === connection && this.ending.has(other.number))
        this.end(other); // it read the last byte before we knew
      else overlaps.push(other.number);
    }
    if (this.underWay.size === 0) this.endIdleTime(startedAt);
    this.lastNumber += 1;
    const entry: LogEntry = {
      number: this.lastNumber,
      connection,
      day: this.day(),
      kind: 'unfinished',
      method: '',
      path: '',
      authorization: 'missing',
      startedAt,
      outcome: 'under-way',
      bytesSent: 0,
      isWhole: false,
      overlaps,
      overlapped: overlaps.length > 0,
      whilePaused: this.isPaused,
      beforeRetryAfter: Date.now() < this.notBefore,
      after410: false,
      servedAgain: false,
      followedRedirect: false,
      offContract: [],
    };
    this.underWay.set(entry.number, entry);
    this.entries.push(entry);
    if (this.entries.length > this.keep * 1.1) this.entries = this.entries.slice(-this.keep);
    this.counts.requests += 1;
    if (entry.overlapped) this.counts.overlaps += 1;
    if (entry.whilePaused) this.counts.whilePaused += 1;
    if (entry.beforeRetryAfter) this.counts.beforeRetryAfter += 1;
    this.notifyListeners();
    return entry;
  }

  /** The head of a request is complete. */
  setHead(entry: LogEntry, head: RequestHead): void {
    Object.assign(entry, head);
    const { kvnr } = entry;
    entry.after410 = kvnr !== undefined && this.notInsured.has(kvnr);
    entry.servedAgain = kvnr !== undefined && this.served.has(kvnr);
    this.counts.after410 += Number(entry.after410);
    this.counts.servedAgain += Number(entry.servedAgain);
    this.counts.followedRedirects += Number(entry.followedRedirect);
    this.counts.offContract += Number(entry.offContract.length > 0);
    this.notifyListeners();
  }

  /** The last bytes of the answer are being handed to the kernel: what comes on the same connection from now on is rightly next. */
  markEnding(entry: LogEntry): void {
    this.ending.add(entry.number);
  }

  /** The last byte was handed over, or the connection is closed. The first call counts. */
  end(entry: LogEntry): void {
    if (!this.underWay.delete(entry.number)) return;
    this.ending.delete(entry.number);
    entry.endedAt = now();
    const { kvnr, outcome, isWhole } = entry;
    count(this.counts.byOutcome, outcome);
    count(this.counts.byKind, entry.kind);
    if (kvnr !== undefined && isWhole && outcome === 'not-insured') this.notInsured.add(kvnr);
    if (kvnr !== undefined && isWhole && outcome === 'ok') this.served.add(kvnr);
    if (this.underWay.size === 0) {
      this.times.busyMs += entry.endedAt - (this.times.busySince ?? entry.startedAt);
      this.times.busySince = undefined;
      this.times.lastEnd = entry.endedAt;
    }
    this.notifyListeners();
  }

  /** The whole answer told the client to send nothing before this moment (epoch ms). */
  recordRetryAfter(untilMs: number): void {
    this.notBefore = Math.max(this.notBefore, untilMs);
    this.times.quietPeriods.push([now(), untilMs]);
  }

  refusedConnection(): void {
    this.counts.refusedConnections += 1;
    this.notifyListeners();
  }

  setPaused(isPaused: boolean): void {
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    if (isPaused) {
      this.pausedSince = now();
      this.counts.underWayWhenPaused += this.underWay.size;
    } else this.times.quietPeriods.push([this.pausedSince, now()]);
  }

  /** How many requests began since the log did. */
  get requests(): number {
    return this.counts.requests;
  }

  /** A new day: whoever was not insured yesterday may be asked for again. */
  newDay(): void {
    this.notInsured = new Set();
  }

  /** Forgets what ended; requests under way stay, and Retry-After still holds. Numbers go on. */
  reset(): void {
    this.entries = [...this.underWay.values()];
    this.notInsured = new Set();
    this.served = new Set();
    this.counts = emptyCounts();
    this.counts.requests = this.underWay.size;
    const { notBefore } = this;
    this.times = emptyTimes();
    if (notBefore > Date.now()) this.times.quietPeriods.push([now(), notBefore]);
    if (this.underWay.size > 0) this.times.firstStart = this.times.busySince = now();
  }

  since(number: number): LogEntry[] {
    return this.entries.filter((entry) => entry.number > number);
  }

  summary(): Summary {
    const { counts, times } = this;
    const end = this.underWay.size > 0 ? now() : times.lastEnd;
    const wallMs = times.firstStart === undefined ? 0 : Math.max(0, end - times.firstStart);
    const busyMs = times.busyMs + (times.busySince === undefined ? 0 : end - times.busySince);
    const { excusedMs } = times;
    const ended = counts.requests - this.underWay.size;
    const good = Object.entries(counts.byOutcome).reduce(
      (sum, [outcome, times]) => sum + (successfulOutcomes.has(outcome) ? times : 0),
      0,
    );
    const { overlaps, whilePaused, underWayWhenPaused, beforeRetryAfter, after410, followedRedirects } = counts;
    return {
      day: this.day(),
      ...counts,
      byOutcome: { ...counts.byOutcome },
      byKind: { ...counts.byKind },
      underWay: this.underWay.size,
      failureRate: ended <= 0 ? 0 : (ended - good) / ended,
      violations: overlaps + whilePaused + underWayWhenPaused + beforeRetryAfter + after410 + followedRedirects,
      patientsServed: this.served.size,
      wallMs,
      busyMs,
      excusedMs,
      utilisation: wallMs - excusedMs > 0 ? busyMs / (wallMs - excusedMs) : 0,
      requestsPerSecond: wallMs > 0 ? counts.requests / (wallMs / 1000) : 0,
    };
  }

  /** Resolves as soon as the condition holds; it is looked at after each event of the line. */
  until(holds: () => boolean, signal?: AbortSignal): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.listeners.delete(look);
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
      this.listeners.add(look);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** The line was idle until now: how much of that was as it should be? */
  private endIdleTime(startedAt: number): void {
    const { times } = this;
    times.busySince = startedAt;
    if (times.firstStart === undefined) times.firstStart = startedAt;
    else times.excusedMs += coveredMs(this.quietPeriods(startedAt), times.lastEnd, startedAt);
    times.quietPeriods = times.quietPeriods.filter(([, until]) => until > startedAt);
  }

  private quietPeriods(until: number): [number, number][] {
    return this.isPaused ? [...this.times.quietPeriods, [this.pausedSince, until]] : this.times.quietPeriods;
  }

  private notifyListeners(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

/** How much of [from, to] the stretches cover, each moment once. */
function coveredMs(stretches: readonly [number, number][], from: number, to: number): number {
  let reached = from;
  let sum = 0;
  for (const [start, end] of [...stretches].sort((a, b) => a[0] - b[0])) {
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
    underWayWhenPaused: 0,
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
