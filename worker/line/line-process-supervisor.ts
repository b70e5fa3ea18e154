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
  /** the process is gone, and with it all its sockets */
  readonly onExit: (lineProcess: LineProcessSupervisor) => void;
}

/** From the fork until all is connected, ms: a cold start on a busy machine. */
const startMs = 60_000;

/**
 * The process that holds the sockets, as its main process sees it: what it was allowed, what it has answered, and the knife
 * for when it does not.
 */
export class LineProcessSupervisor {
  readonly startedAtMs: number;
  #options: LineProcessSupervisorOptions;
  readonly #clock: Clock;
  #process: LineProcessHandle;
  #isReady = false;
  #hasExited = false;
  #isBusy = false;
  #lastOpenOrder: Order | undefined;
  #closedAtOrder = -1;
  /** since when it has been ordered to send nothing more, under a lease that goes on */
  #closingSinceMs: number | undefined;
  #unansweredMs = 0;
  #lastPulseMs: number;
  #cancelDeadline = (): void => {};

  constructor(options: LineProcessSupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.startedAtMs = this.#clock.monotonicMs();
    this.#lastPulseMs = this.startedAtMs;
    this.#process = options.start({
      onMessage: (message) => this.#hear(message),
      onExit: (how) => this.#exit(how),
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isReady(): boolean {
    return this.#isReady && !this.#hasExited;
  }

  /** Whether all that it was allowed is over and its sockets are closed, by its own word; true once it is gone. */
  get isClosed(): boolean {
    if (this.#hasExited || this.#lastOpenOrder === undefined) return true;
    return this.#closedAtOrder >= this.#lastOpenOrder.number;
  }

  /** Whether a request was under way since this was asked last. */
  takeBusy(): boolean {
    const wasBusy = this.#isBusy;
    this.#isBusy = false;
    return wasBusy;
  }

  order(order: Order): void {
    if (!this.isReady) return;
    const nowMs = this.#clock.monotonicMs();
    // Only an order under a running lease can permit sending. In a pause such an order still moves the deadline, by one lease.
    if (nowMs < order.sendUntilMs) {
      const { leaseMs } = this.#options;
      if (permitsSending(order)) this.#lastOpenOrder = order;
      this.#closingSinceMs = permitsSending(order) ? undefined : (this.#closingSinceMs ?? nowMs);
      const closedByMs = (this.#closingSinceMs ?? Number.POSITIVE_INFINITY) + leaseMs;
      this.#cancelDeadline();
      this.#cancelDeadline = this.#killUnlessClosedAt(Math.min(killAtMs(order.sendUntilMs, leaseMs), closedByMs));
    }
    this.#tell(order);
  }

  /** @returns takes it back */
  #killUnlessClosedAt(momentMs: number): () => void {
    let isCancelled = false;
    const look = (): void => {
      if (!isCancelled && !this.isClosed) this.kill('not closed at the end of the lease');
    };
    // If this process stood still, the line process's report or a renewal's answer may be unread. Read those first.
    const afterReading = (): void => this.#clock.afterReading(() => this.#clock.afterReading(look));
    const cancelTimer = atMonotonic(this.#clock, momentMs, afterReading);
    return () => {
      isCancelled = true;
      cancelTimer();
    };
  }

  confirm(request: number): void {
    this.#tell({ kind: 'written', request });
  }

  /**
   * Counts how long it has been silent. Time in which this process itself stood still counts at most twice the interval.
   * @param intervalMs how often this is called
   */
  pulse(intervalMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#unansweredMs += Math.min(nowMs - this.#lastPulseMs, 2 * intervalMs);
    this.#lastPulseMs = nowMs;
    const limitMs = this.#isReady ? this.#options.leaseMs / 2 : startMs;
    if (this.#unansweredMs > limitMs) this.kill('no answer');
  }

  /** SIGKILL: closes the sockets even of a frozen process. Over once onExit is called. */
  kill(why: string): void {
    if (this.#hasExited) return;
    this.#options.log.warn('line process killed', { linePid: this.pid, why });
    this.#process.kill();
  }

  #tell(message: ToLineProcess): void {
    if (this.#process.connected) this.#process.send(message);
  }

  #hear(message: FromLineProcess): void {
    this.#unansweredMs = 0;
    if (message.kind === 'ready') this.#isReady = true;
    if (message.kind === 'report') {
      if (message.closed) this.#closedAtOrder = Math.max(this.#closedAtOrder, message.order);
      this.#isBusy ||= message.busy;
    }
    this.#options.onMessage(this, message);
  }

  #exit(how: number | string): void {
    this.#hasExited = true;
    this.#cancelDeadline();
    this.#options.log.info('line process ended', { linePid: this.pid, how });
    this.#options.onExit(this);
  }
}
