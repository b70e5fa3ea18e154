import { atMonotonic, type Clock, systemClock } from '../../core/clock.ts';
import type { CooldownReason } from '../../core/domain/gate.ts';
import type { FromLineProcess, Order, Report } from './messages.ts';
import { permitsSending } from './messages.ts';

export interface SendPermitOptions {
  /** Sends a message to the keeper. */
  readonly tell: (message: FromLineProcess) => void;
  /** Writes a cooldown into the gate. Resolves once the gate has it, with its liftNumber. */
  readonly writeCooldown: (forMs: number, reason: CooldownReason) => Promise<number>;
  readonly pauseGraceMs: number;
  readonly lineMinGapMs: number;
  /** Called when a socket does not close in time. Only the end of the process closes it then. */
  readonly onStuck: () => void;
  /** Called when tasks wait here while another process has the lease. They should go back to Temporal, which gives them to the holder. */
  readonly onLeaseLost: () => void;
  readonly clock?: Clock;
}

/** The socket of this process to the insurer. At most one exists at a time. */
export interface GuardedSocket {
  /** whether no socket is open: none that is connecting, idle, in use or closing */
  readonly isClosed: boolean;
  /** Destroys the socket. Resolves once it is closed. */
  close(): Promise<void>;
}

interface ExchangeInFlight {
  readonly abort: () => Promise<void>;
  isAborted: boolean;
}

/** A cooldown that this process has started. */
interface OwnCooldown {
  readonly untilMs: number;
  /** the gate's when it got the cooldown; undefined before */
  liftNumber?: number;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Time in ms that a request in flight gets at a shutdown. A deployment should cost the line less than a second. */
const stopGraceMs = 250;
/** Time limit in ms for closing a socket, which normally takes one iteration of the event loop. */
const stuckMs = 400;
/** Time in ms without a lease after which the lease counts as lost. A slow renewal takes less. */
const leaseLostMs = 3_000;
/** Added to the interval of a pace, as a share of it: the insurer sees requests with the jitter of the network, on its own clock. */
const paceMargin = 0.02;

/**
 * The permission of the line process to send. It follows the keeper's orders. It ends on this process's own clock, a margin
 * before the lease ends (docs/explanation/the-line.md, "The lease"). A pause and a cooldown take it back earlier.
 */
export class SendPermit {
  #options: SendPermitOptions;
  readonly #clock: Clock;
  #order: Order = {
    kind: 'order',
    number: 0,
    sendUntilMs: 0,
    leaseNumber: 0,
    isPaused: false,
    cooldownUntilMs: 0,
    liftNumber: 0,
    mustStop: false,
  };
  /** of the last lease, also after its end */
  #leaseNumber = 0;
  #exchange: ExchangeInFlight | undefined;
  #socket: GuardedSocket | undefined;
  #isClosingSocket = false;
  #wasBusy = false;
  /** cooldowns and pauses that this process knows and the gate may not have yet */
  #ownCooldowns = new Set<OwnCooldown>();
  #ownPauses = 0;
  #cooldownsBeingWritten = 0;
  #gapUntilMs = 0;
  /** when the last request began here, or when this process got the lease: the one before it may have sent until then */
  #lastRequestMs = Number.NEGATIVE_INFINITY;
  /** since when isOpen() is false; PAUSE_GRACE_MS counts from here */
  #notOpenSinceMs: number | undefined;
  /** sendUntilMs of the last order under a lease */
  #lastSendUntilMs: number;
  #hadLease = false;
  #cancelTimer = (): void => {};
  #waiters = new Set<Waiter>();
  #changeListeners = new Set<() => void>();
  /** resolves pauseBySystem once the gate has the pause; by pauseId */
  #unwrittenPauses = new Map<number, () => void>();
  #lastPauseId = 0;

  constructor(options: SendPermitOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#lastSendUntilMs = this.#clock.monotonicMs();
  }

  /** Number of the lease under which this process sends. It grows across all processes. */
  get leaseNumber(): number {
    return this.#leaseNumber;
  }

  /** How often operators have lifted a cooldown, as this process knows. */
  get liftNumber(): number {
    return this.#order.liftNumber;
  }

  /** Whether the lease is held and the line is open. The slot supplier asks this; cooldowns and gaps do not count, because they are short. */
  isOpen(): boolean {
    return permitsSending(this.#order) && this.#ownPauses === 0 && this.#clock.monotonicMs() < this.#order.sendUntilMs;
  }

  /**
   * Whether a request may be written in this tick. The time to send must not be over on this process's monotonic clock, and the
   * line must be open. No cooldown may run, and the gap after a request that we aborted must be over. The pace must permit
   * it.
   */
  maySend(): boolean {
    return this.isOpen() && this.#clock.monotonicMs() >= this.#notBeforeMs();
  }

  /** Resolves when maySend() has become true. Rejects with the signal's reason when the signal aborts. */
  async whenMaySend(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.maySend()) return;
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        resolve: () => settle(resolve),
        reject: (reason) => settle(() => reject(reason)),
      };
      const abort = (): void => waiter.reject(signal.reason);
      const settle = (end: () => void): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', abort);
        end();
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
      this.#enforce();
    });
  }

  /**
   * Registers the socket. While the line is not open, it is closed whenever no request is in flight, and `isClosed` is
   * reported only after that. Nobody may open a socket while isOpen() is false.
   */
  guard(socket: GuardedSocket): void {
    this.#socket = socket;
  }

  /**
   * Registers a request in flight.
   * @param abort destroys the request's socket and resolves once it is closed. It is called when the time to send is
   *   over, at the end of a pause's grace time, and at shutdown
   * @returns a function to call once the socket is idle and clean, or closed
   */
  begin(abort: () => Promise<void>): (end: { needsRest: boolean }) => void {
    if (this.#exchange !== undefined) throw new Error('a request is in flight already');
    const exchange: ExchangeInFlight = { abort, isAborted: false };
    this.#exchange = exchange;
    this.#lastRequestMs = this.#clock.monotonicMs();
    this.#wasBusy = true;
    this.#enforce(); // the time to send may be over since the last call
    return ({ needsRest }) => this.#endExchange(exchange, needsRest);
  }

  /**
   * Starts a cooldown for the whole line, across all processes. It applies to this process immediately. Resolves once the
   * gate has it.
   * @param forMs length from now
   */
  async startCooldown(forMs: number, reason: CooldownReason): Promise<void> {
    const own: OwnCooldown = { untilMs: this.#clock.monotonicMs() + forMs };
    this.#ownCooldowns.add(own);
    this.#cooldownsBeingWritten += 1;
    try {
      // Not through the keeper: it may be frozen, and another process may take over.
      own.liftNumber = await this.#options.writeCooldown(forMs, reason);
    } finally {
      this.#cooldownsBeingWritten -= 1;
      if (!this.isOpen()) this.#report();
    }
  }

  /** Pauses the line by itself (401, 403). Nothing is sent from this tick on. Resolves once the gate has the pause. */
  async pauseBySystem(reason: string): Promise<void> {
    this.#ownPauses += 1;
    this.#enforce();
    await this.#requestPause(reason);
    this.#ownPauses -= 1; // the order already has the pause: the keeper sends it before `pause-written`
    this.#enforce();
  }

  /** Follows an order of the keeper. Reports immediately, so that a missing report means a stalled process. */
  obey(order: Order): void {
    const hadLease = this.#clock.monotonicMs() < this.#order.sendUntilMs;
    this.#order = order;
    this.#leaseNumber = Math.max(this.#leaseNumber, order.leaseNumber);
    // The process that sent before may have been aborted or killed. The gap gives the insurer time to see the close.
    if (!hadLease && order.sendUntilMs > 0) {
      this.#startGap();
      this.#lastRequestMs = this.#clock.monotonicMs();
    }
    for (const own of this.#ownCooldowns)
      if (own.untilMs <= this.#clock.monotonicMs() || order.liftNumber > (own.liftNumber ?? Number.POSITIVE_INFINITY))
        this.#ownCooldowns.delete(own);
    this.#enforce();
    this.#report();
  }

  /** Records that the gate has the pause of pauseBySystem. */
  confirmPause(pauseId: number): void {
    this.#unwrittenPauses.get(pauseId)?.();
    this.#unwrittenPauses.delete(pauseId);
  }

  /** Calls the listener whenever isOpen may have changed. @returns removes the listener */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Destroys the socket in this tick, because the process ends. */
  abortNow(): void {
    void this.#exchange?.abort();
    void this.#socket?.close();
  }

  /** Resolves once the gate has the pause. */
  #requestPause(reason: string): Promise<void> {
    this.#lastPauseId += 1;
    const pauseId = this.#lastPauseId;
    return new Promise((resolve) => {
      this.#unwrittenPauses.set(pauseId, resolve);
      this.#options.tell({ kind: 'pause-by-system', pauseId, reason });
    });
  }

  /** Returns the time before which nothing is sent although the line is open. */
  #notBeforeMs(): number {
    const { cooldownUntilMs, requestsPerMinute } = this.#order;
    const cooldownsMs = Array.from(this.#ownCooldowns, ({ untilMs }) => untilMs);
    const intervalMs = requestsPerMinute === undefined ? 0 : ((1 + paceMargin) * 60_000) / requestsPerMinute;
    return Math.max(this.#gapUntilMs, this.#lastRequestMs + intervalMs, cooldownUntilMs, ...cooldownsMs);
  }

  #startGap(): void {
    this.#gapUntilMs = Math.max(this.#gapUntilMs, this.#clock.monotonicMs() + this.#options.lineMinGapMs);
  }

  #endExchange(exchange: ExchangeInFlight, needsRest: boolean): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = undefined;
    if (needsRest || exchange.isAborted) this.#startGap();
    this.#enforce();
    if (!this.isOpen()) this.#report();
  }

  /** whether a socket is open, also one that is connecting or idle: the insurer sees those too */
  get #hasSocket(): boolean {
    return this.#socket?.isClosed === false;
  }

  #report(): void {
    const isBusy = this.#exchange !== undefined;
    const isLeaseOver = this.#clock.monotonicMs() >= this.#order.sendUntilMs;
    // A lease is handed back only after the cooldown is in the gate, because the next holder must know it. The end of a
    // lease does not wait.
    const isFinallyForbidden = !permitsSending(this.#order) && this.#cooldownsBeingWritten === 0;
    const report: Report = {
      kind: 'report',
      orderNumber: this.#order.number,
      // An operator may lift a pause of our own before an order shows it. Only what the order says is final.
      isClosed: !isBusy && !this.#hasSocket && (isLeaseOver || isFinallyForbidden),
      wasBusy: isBusy || this.#wasBusy,
    };
    this.#wasBusy = isBusy;
    this.#options.tell(report);
  }

  /**
   * Enforces what order and clock allow now: aborts the exchange, closes the socket, wakes waiters, reports the end of its
   * time. Sets one timer for the next moment at which that changes.
   */
  #enforce(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    const nowMs = this.#clock.monotonicMs();
    const holdsLease = nowMs < this.#order.sendUntilMs;
    const hasLeaseEnded = this.#hadLease && !holdsLease;
    this.#hadLease = holdsLease;
    if (holdsLease) this.#lastSendUntilMs = this.#order.sendUntilMs;
    const isOpen = this.isOpen();
    if (isOpen) this.#notOpenSinceMs = undefined;
    else this.#notOpenSinceMs ??= nowMs;

    const momentsMs: number[] = [];
    if (holdsLease) momentsMs.push(this.#order.sendUntilMs);
    if (this.#exchange !== undefined && !this.#exchange.isAborted && this.#notOpenSinceMs !== undefined) {
      const graceMs = this.#order.mustStop ? stopGraceMs : this.#options.pauseGraceMs;
      const abortAtMs = holdsLease ? this.#notOpenSinceMs + graceMs : nowMs;
      if (nowMs >= abortAtMs) this.#abortExchange(this.#exchange);
      else momentsMs.push(abortAtMs);
    }
    if (!isOpen && this.#exchange === undefined && this.#hasSocket) this.#closeSocket();
    if (this.#waiters.size > 0) {
      const lostAtMs = this.#lastSendUntilMs + leaseLostMs;
      if (this.maySend()) for (const waiter of [...this.#waiters]) waiter.resolve();
      else if (isOpen) momentsMs.push(this.#notBeforeMs());
      else if (!holdsLease && nowMs >= lostAtMs) this.#options.onLeaseLost();
      else if (!holdsLease) momentsMs.push(lostAtMs);
    }
    for (const listener of [...this.#changeListeners]) listener();
    if (hasLeaseEnded) this.#report(); // another event may notice the end before the timer does
    if (momentsMs.length > 0)
      this.#cancelTimer = atMonotonic(this.#clock, Math.min(...momentsMs), () => this.#enforce());
  }

  #abortExchange(exchange: ExchangeInFlight): void {
    exchange.isAborted = true;
    const cancelStuck = this.#clock.after(stuckMs, this.#options.onStuck);
    exchange.abort().then(
      () => {
        cancelStuck();
        this.#endExchange(exchange, true);
      },
      () => this.#options.onStuck(),
    );
  }

  #closeSocket(): void {
    if (this.#socket === undefined || this.#isClosingSocket) return;
    this.#isClosingSocket = true;
    const cancelStuck = this.#clock.after(stuckMs, this.#options.onStuck);
    this.#socket.close().then(
      () => {
        cancelStuck();
        this.#isClosingSocket = false;
        this.#enforce();
        if (!this.isOpen()) this.#report();
      },
      () => this.#options.onStuck(),
    );
  }
}
