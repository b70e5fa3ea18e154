import { atMonotonic, type Clock, systemClock } from '../../core/clock.ts';
import type { FromLineProcess, Order, Report } from './messages.ts';
import { permitsSending } from './messages.ts';
import type { SendingRight } from './sending-right.ts';

export interface SendPermitOptions {
  /** says something to the parent */
  readonly tell: (message: FromLineProcess) => void;
  /** Writes into the gate that the line is held; resolves once it is there. */
  readonly writeCooldown: (forMs: number) => Promise<void>;
  readonly pauseGraceMs: number;
  readonly lineMinGapMs: number;
  /** a socket would not close in time: only the end of the process closes it now */
  readonly onStuck: () => void;
  /** tasks wait here for a lease that another process has: they had better go back to Temporal, which asks the holder */
  readonly onLeaseLost: () => void;
  readonly clock?: Clock;
}

interface Request {
  readonly cut: () => Promise<void>;
  isCut: boolean;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** At a shutdown, for the answer that is nearly there, ms: a deployment is to cost the line less than a second. */
const stopGraceMs = 250;
/** destroying a socket takes one turn of the event loop, ms */
const stuckMs = 400;
/** without a lease for that long, ms, it was no slow renewal */
const leaseLostMs = 3_000;

/** The child's side of the lease: turns the parent's orders into the right to send, and ends it on its own clock. */
export class SendPermit implements SendingRight {
  #options: SendPermitOptions;
  readonly #clock: Clock;
  #order: Order = {
    kind: 'order',
    number: 0,
    sendUntilMs: 0,
    leaseNumber: 0,
    paused: false,
    cooldownUntilMs: 0,
    stop: false,
  };
  /** of the last lease, also once that has ended */
  #leaseNumber = 0;
  #request: Request | undefined;
  #wasBusy = false;
  /** what this process knows before the gate does */
  #ownCooldownUntilMs = 0;
  #ownPauses = 0;
  #cooldownsBeingWritten = 0;
  #gapUntilMs = 0;
  /** since when nothing may be started any more, though a lease is held: the grace counts from here */
  #closedSinceMs: number | undefined;
  /** the end of the lease that this process had last */
  #lastLeaseUntilMs: number;
  #heldLease = false;
  #cancelTimer = (): void => {};
  #waiters = new Set<Waiter>();
  #changes = new Set<() => void>();
  #unwritten = new Map<number, () => void>();
  #requests = 0;

  constructor(options: SendPermitOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#lastLeaseUntilMs = this.#clock.monotonicMs();
  }

  get leaseNumber(): number {
    return this.#leaseNumber;
  }

  /** Whether the lease is held and the line open: what the tap asks. Retry-After and gaps are short, and do not count. */
  isOpen(): boolean {
    return permitsSending(this.#order) && this.#ownPauses === 0 && this.#clock.monotonicMs() < this.#order.sendUntilMs;
  }

  maySend(): boolean {
    return this.isOpen() && this.#clock.monotonicMs() >= Math.max(this.#gapUntilMs, this.#cooldownUntilMs());
  }

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
      this.#look();
    });
  }

  begin(cut: () => Promise<void>): (end: { wasCut: boolean }) => void {
    if (this.#request !== undefined) throw new Error('a request is under way already');
    const request: Request = { cut, isCut: false };
    this.#request = request;
    this.#wasBusy = true;
    this.#look(); // the lease may have ended since the last look
    return ({ wasCut }) => this.#end(request, wasCut);
  }

  async startCooldown(forMs: number): Promise<void> {
    this.#ownCooldownUntilMs = Math.max(this.#ownCooldownUntilMs, this.#clock.monotonicMs() + forMs);
    this.#cooldownsBeingWritten += 1;
    // Not by way of the parent: it may be frozen, and another process come next.
    await this.#options.writeCooldown(forMs).finally(() => {
      this.#cooldownsBeingWritten -= 1;
      if (!this.isOpen()) this.#report();
    });
  }

  async pauseBySystem(reason: string): Promise<void> {
    this.#ownPauses += 1;
    this.#look();
    await this.#ask((request) => ({ kind: 'pause-by-system', request, reason }));
    this.#ownPauses -= 1; // from here on the order says so: it is sent before the word that the gate has it
    this.#look();
  }

  /** An order of the parent. Answered at once, so that silence means a stalled process. */
  obey(order: Order): void {
    const hadLease = this.#clock.monotonicMs() < this.#order.sendUntilMs;
    this.#order = order;
    this.#leaseNumber = Math.max(this.#leaseNumber, order.leaseNumber);
    // Whoever sent before, perhaps cut, perhaps killed: the insurer is to have seen that close.
    if (!hadLease && order.sendUntilMs > 0) this.#keepGap();
    this.#look();
    this.#report();
  }

  /** The gate has what was asked for by pauseBySystem. */
  confirm(request: number): void {
    this.#unwritten.get(request)?.();
    this.#unwritten.delete(request);
  }

  /** Calls back whenever isOpen may have changed. @returns stops it */
  onChange(listener: () => void): () => void {
    this.#changes.add(listener);
    return () => this.#changes.delete(listener);
  }

  /** Destroys the socket in this tick: the process ends. */
  cutNow(): void {
    void this.#request?.cut();
  }

  #ask(message: (request: number) => FromLineProcess): Promise<void> {
    this.#requests += 1;
    const request = this.#requests;
    return new Promise((resolve) => {
      this.#unwritten.set(request, resolve);
      this.#options.tell(message(request));
    });
  }

  #cooldownUntilMs(): number {
    return Math.max(this.#order.cooldownUntilMs, this.#ownCooldownUntilMs);
  }

  #keepGap(): void {
    this.#gapUntilMs = Math.max(this.#gapUntilMs, this.#clock.monotonicMs() + this.#options.lineMinGapMs);
  }

  #end(request: Request, wasCut: boolean): void {
    if (this.#request !== request) return;
    this.#request = undefined;
    if (wasCut || request.isCut) this.#keepGap();
    this.#look();
    if (!this.isOpen()) this.#report();
  }

  #report(): void {
    const isBusy = this.#request !== undefined;
    const isLeaseOver = this.#clock.monotonicMs() >= this.#order.sendUntilMs;
    // Who hands the lease back makes room for somebody who has to know of the hold. The end of a lease waits for nobody.
    const hasNothingToSay = !permitsSending(this.#order) && this.#cooldownsBeingWritten === 0;
    const report: Report = {
      kind: 'report',
      order: this.#order.number,
      // An own pause may be lifted by the operator before the order shows it: only what the order says is for good.
      closed: !isBusy && (isLeaseOver || hasNothingToSay),
      busy: isBusy || this.#wasBusy,
    };
    this.#wasBusy = isBusy;
    this.#options.tell(report);
  }

  /** Draws what follows from order, clock and request, and sets one timer for the next moment at which that changes. */
  #look(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    const nowMs = this.#clock.monotonicMs();
    const holdsLease = nowMs < this.#order.sendUntilMs;
    const hasLeaseEnded = this.#heldLease && !holdsLease;
    this.#heldLease = holdsLease;
    if (holdsLease) this.#lastLeaseUntilMs = this.#order.sendUntilMs;
    const isOpen = this.isOpen();
    if (isOpen) this.#closedSinceMs = undefined;
    else this.#closedSinceMs ??= nowMs;

    const momentsMs: number[] = [];
    if (holdsLease) momentsMs.push(this.#order.sendUntilMs);
    if (this.#request !== undefined && !this.#request.isCut && this.#closedSinceMs !== undefined) {
      const graceMs = this.#order.stop ? stopGraceMs : this.#options.pauseGraceMs;
      const cutAtMs = holdsLease ? this.#closedSinceMs + graceMs : nowMs;
      if (nowMs >= cutAtMs) this.#cut(this.#request);
      else momentsMs.push(cutAtMs);
    }
    if (this.#waiters.size > 0) {
      const lostAtMs = this.#lastLeaseUntilMs + leaseLostMs;
      if (this.maySend()) for (const waiter of [...this.#waiters]) waiter.resolve();
      else if (isOpen) momentsMs.push(Math.max(this.#gapUntilMs, this.#cooldownUntilMs()));
      else if (!holdsLease && nowMs >= lostAtMs) this.#options.onLeaseLost();
      else if (!holdsLease) momentsMs.push(lostAtMs);
    }
    for (const listener of [...this.#changes]) listener();
    if (hasLeaseEnded) this.#report(); // not only from the timer: another event may have noticed it first
    if (momentsMs.length > 0) this.#cancelTimer = atMonotonic(this.#clock, Math.min(...momentsMs), () => this.#look());
  }

  #cut(request: Request): void {
    request.isCut = true;
    const cancelStuck = this.#clock.after(stuckMs, this.#options.onStuck);
    request.cut().then(
      () => {
        cancelStuck();
        this.#end(request, true);
      },
      () => this.#options.onStuck(),
    );
  }
}
