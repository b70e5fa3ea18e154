import { atMonotonic, type Clock } from '../../core/clock.ts';
import type { Log } from '../log.ts';
import { killAtMs } from './lease.ts';
import type { LineProcessHandle, StartLineProcess } from './line-process-handle.ts';
import { type FromLineProcess, type Order, permitsSending, type ToLineProcess } from './messages.ts';

export interface LineProcessSupervisorOptions {
  readonly start: StartLineProcess;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly log: Log;
  readonly onMessage: (lineProcess: LineProcessSupervisor, message: FromLineProcess) => void;
  /** Called when the process has ended, and its sockets are closed. */
  readonly onExit: (lineProcess: LineProcessSupervisor) => void;
}

/** Time limit in ms from the fork until the process is ready. Covers a cold start on a busy machine. */
const startMs = 60_000;

/**
 * Supervises the line process for the keeper. Remembers what it was permitted and what it has reported. Kills it if it does
 * not close its sockets or does not answer.
 */
export class LineProcessSupervisor {
  readonly startedAtMs: number;
  #options: LineProcessSupervisorOptions;
  readonly #clock: Clock;
  #process: LineProcessHandle;
  #isReady = false;
  #hasExited = false;
  #wasBusy = false;
  #lastPermittingOrder: Order | undefined;
  #closedAtOrder = -1;
  /** since when its orders forbid sending although the lease continues */
  #closingSinceMs: number | undefined;
  #unansweredMs = 0;
  #lastCheckMs: number;
  #cancelDeadline = (): void => {};

  constructor(options: LineProcessSupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.startedAtMs = this.#clock.monotonicMs();
    this.#lastCheckMs = this.startedAtMs;
    this.#process = options.start({
      onMessage: (message) => this.#receive(message),
      onExit: (how) => this.#handleExit(how),
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isReady(): boolean {
    return this.#isReady && !this.#hasExited;
  }

  /** Whether it has reported that its last permission is over and its sockets are closed. True once it has ended. */
  get isClosed(): boolean {
    if (this.#hasExited || this.#lastPermittingOrder === undefined) return true;
    return this.#closedAtOrder >= this.#lastPermittingOrder.number;
  }

  /** Returns whether a request was in flight since the last call. */
  takeWasBusy(): boolean {
    const wasBusy = this.#wasBusy;
    this.#wasBusy = false;
    return wasBusy;
  }

  /** Sends an order, and sets the time at which the process is killed unless it is closed. */
  sendOrder(order: Order): void {
    if (!this.isReady) return;
    const nowMs = this.#clock.monotonicMs();
    // Only an order under a running lease can permit sending. In a pause, it moves the deadline, but by one lease at most.
    if (nowMs < order.sendUntilMs) {
      const { leaseMs } = this.#options;
      if (permitsSending(order)) this.#lastPermittingOrder = order;
      this.#closingSinceMs = permitsSending(order) ? undefined : (this.#closingSinceMs ?? nowMs);
      const closedByMs = (this.#closingSinceMs ?? Number.POSITIVE_INFINITY) + leaseMs;
      this.#cancelDeadline();
      this.#cancelDeadline = this.#killUnlessClosedAt(Math.min(killAtMs(order.sendUntilMs, leaseMs), closedByMs));
    }
    this.#send(order);
  }

  /** @returns cancels it */
  #killUnlessClosedAt(momentMs: number): () => void {
    let isCancelled = false;
    const killUnlessClosed = (): void => {
      if (!isCancelled && !this.isClosed) this.kill('not closed after the end of its send permit');
    };
    // After a freeze of this process, a report or the answer to a renewal may be unread. Read those first.
    const afterReading = (): void => this.#clock.afterReading(() => this.#clock.afterReading(killUnlessClosed));
    const cancelTimer = atMonotonic(this.#clock, momentMs, afterReading);
    return () => {
      isCancelled = true;
      cancelTimer();
    };
  }

  /** Tells the process that the gate has the pause that it requested. */
  confirmPause(pauseId: number): void {
    this.#send({ kind: 'pause-written', pauseId });
  }

  /**
   * Counts the time without an answer, and kills the process after the limit. A freeze of this process itself counts as twice
   * the interval at most.
   * @param intervalMs interval between two calls
   */
  killIfUnanswered(intervalMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#unansweredMs += Math.min(nowMs - this.#lastCheckMs, 2 * intervalMs);
    this.#lastCheckMs = nowMs;
    const limitMs = this.#isReady ? this.#options.leaseMs / 2 : startMs;
    if (this.#unansweredMs > limitMs) this.kill('no answer');
  }

  /** Sends SIGKILL, which closes the sockets even of a frozen process. The process has ended when onExit is called. */
  kill(why: string): void {
    if (this.#hasExited) return;
    this.#options.log.warn('line process killed', { linePid: this.pid, why });
    this.#process.kill();
  }

  #send(message: ToLineProcess): void {
    if (this.#process.isConnected) this.#process.send(message);
  }

  #receive(message: FromLineProcess): void {
    this.#unansweredMs = 0;
    if (message.kind === 'ready') this.#isReady = true;
    if (message.kind === 'report') {
      if (message.isClosed) this.#closedAtOrder = Math.max(this.#closedAtOrder, message.orderNumber);
      this.#wasBusy ||= message.wasBusy;
    }
    this.#options.onMessage(this, message);
  }

  #handleExit(how: number | string): void {
    this.#hasExited = true;
    this.#cancelDeadline();
    this.#options.log.info('line process ended', { linePid: this.pid, how });
    this.#options.onExit(this);
  }
}
