import { type ChildProcess, fork } from 'node:child_process';
import type { Log } from '../log.ts';
import { atMonotonic, monotonicMs } from './clock.ts';
import type { Launcher } from './launcher.ts';
import { killAtMs } from './lease.ts';
import { type FromChild, type Order, permitsSending, type ToChild } from './messages.ts';

export interface LineChildOptions {
  /** the child's entry */
  readonly entry: URL;
  readonly launcher: Launcher;
  readonly leaseMs: number;
  readonly log: Log;
  readonly onMessage: (child: LineChild, message: FromChild) => void;
  /** the process is gone, and with it all its sockets */
  readonly onExit: (child: LineChild) => void;
}

/** From the fork until all is connected, ms: a cold start on a busy machine. */
const startMs = 60_000;

/**
 * The process that holds the sockets, as its parent sees it: what it was allowed, what it has answered, and the knife
 * for when it does not.
 */
export class LineChild {
  readonly startedAtMs = monotonicMs();
  #options: LineChildOptions;
  #process: ChildProcess;
  #isReady = false;
  #hasExited = false;
  #isBusy = false;
  #lastOpenOrder: Order | undefined;
  #closedAtOrder = -1;
  #unansweredMs = 0;
  #lastPulseMs = monotonicMs();
  #cancelDeadline = (): void => {};

  constructor(options: LineChildOptions) {
    this.#options = options;
    this.#process = fork(options.entry, { ...options.launcher, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (message) => this.#hear(message as FromChild));
    this.#process.on('exit', (code, signal) => this.#exit(code ?? signal ?? undefined));
    this.#process.on('error', () => {
      if (this.#process.pid === undefined) this.#exit('not-started');
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
    if (permitsSending(order)) {
      this.#lastOpenOrder = order;
      this.#cancelDeadline();
      this.#cancelDeadline = atMonotonic(killAtMs(order.sendUntilMs, this.#options.leaseMs), () => {
        // What it has said may lie unread when it was this process that stood still: read that first.
        setImmediate(() => setImmediate(() => !this.isClosed && this.kill('not closed at the end of the lease')));
      });
    }
    this.#tell(order);
  }

  confirm(request: number): void {
    this.#tell({ kind: 'written', request });
  }

  /**
   * Counts how long it has been silent. Time in which this process itself stood still counts at most twice the interval.
   * @param intervalMs how often this is called
   */
  pulse(intervalMs: number): void {
    const nowMs = monotonicMs();
    this.#unansweredMs += Math.min(nowMs - this.#lastPulseMs, 2 * intervalMs);
    this.#lastPulseMs = nowMs;
    const limitMs = this.#isReady ? this.#options.leaseMs / 2 : startMs;
    if (this.#unansweredMs > limitMs) this.kill('no answer');
  }

  /** SIGKILL: closes the sockets even of a frozen process. Over once onExit is called. */
  kill(why: string): void {
    if (this.#hasExited) return;
    this.#options.log.warn('line process killed', { child: this.pid, why });
    this.#process.kill('SIGKILL');
  }

  #tell(message: ToChild): void {
    if (this.#process.connected) this.#process.send(message, () => {}); // a channel that breaks ends the child: onExit
  }

  #hear(message: FromChild): void {
    this.#unansweredMs = 0;
    if (message.kind === 'ready') this.#isReady = true;
    if (message.kind === 'report') {
      if (message.closed) this.#closedAtOrder = Math.max(this.#closedAtOrder, message.order);
      this.#isBusy ||= message.busy;
    }
    this.#options.onMessage(this, message);
  }

  #exit(how: number | string | undefined): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    this.#cancelDeadline();
    this.#options.log.info('line process ended', { child: this.pid, how });
    this.#options.onExit(this);
  }
}
