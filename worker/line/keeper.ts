import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../../core/clock.ts';
import { type Gate, type LeaseWatch, lapsesAtMs, lineItself, watchLease } from '../../core/domain/gate.ts';
import { GateError, type GateStore } from '../../core/stores/gate.ts';
import { faultOf, type Log } from '../log.ts';
import { type KeeperState, maySendUntilMs, nextGateEvent, renewEveryMs } from './lease.ts';
import { forkedFrom, type StartLineProcess } from './line-process-handle.ts';
import { LineProcessSupervisor } from './line-process-supervisor.ts';
import type { FromLineProcess, Order } from './messages.ts';

export interface KeeperOptions {
  readonly config: { readonly LEASE_MS: number };
  readonly gate: GateStore;
  readonly log: Log;
  /** starts the line process; by default the one of worker/line-main.ts */
  readonly startLineProcess?: StartLineProcess;
  readonly clock?: Clock;
  /** this process's name in the gate: never used before; by default random */
  readonly holder?: string;
  /** The line has paused itself, and the gate says so. Called once for each pause that this process wrote; never throws. */
  readonly onSystemPause?: (reason: string) => void;
  /** `insurerLine` was not told of a change for 5 s; again each 5 s. Only called while this process holds the line; never throws. */
  readonly onUnacknowledged?: () => void;
}

/** Holds the line for this worker, together with the line process that holds the sockets (docs/explanation/the-line.md, "Two processes"). */
export interface Keeper {
  /** whether this process may let its line process send now */
  readonly holding: boolean;
  /** as last seen; undefined until it could be read */
  readonly gate: Gate | undefined;
  /** whether the line process runs, or has been missing for less than a lease */
  readonly isWell: boolean;
  /** of the line process; empty while a new one is awaited */
  readonly pids: readonly number[];
  /** Ends what is under way, hands the lease back, and ends the line process. */
  stop(): Promise<void>;
}

/** How often the gate is looked at, and the line process given an order, ms. */
const lookMs = 250;
/** From the order to stop until the line process says that it is closed, ms: its grace, a stuck socket, and a slow machine. */
const stopMs = 1_500;
/** From there until its Temporal workers have drained, ms. */
const drainMs = 15_000;
/** How long a change may wait in the gate until `insurerLine` is called, and called again, ms: who changed it calls it too. */
const unacknowledgedMs = 5_000;
const restartMs = { first: 100, longest: 5_000 } as const;

/** Starts the line process and looks after the lease until stopped. Resolves once the gate has been looked at, or tried. */
export async function startKeeper(options: KeeperOptions): Promise<Keeper> {
  const keeper = new LineKeeper(options);
  await keeper.start();
  return keeper;
}

interface Lease {
  readonly lineProcess: LineProcessSupervisor;
  readonly leaseNumber: number;
  readonly sendUntilMs: number;
}

interface Asked {
  readonly lineProcess: LineProcessSupervisor;
  readonly request: number;
}

class LineKeeper implements Keeper {
  readonly #holder: string;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #store: GateStore;
  readonly #log: Log;
  readonly #launch: StartLineProcess;
  readonly #onSystemPause: (reason: string) => void;
  readonly #onUnacknowledged: () => void;

  #gate: Gate | undefined;
  #watch: LeaseWatch | undefined;
  #lease: Lease | undefined;
  #renewAtMs = Number.NEGATIVE_INFINITY;

  #lineProcess: LineProcessSupervisor | undefined;
  #restarts = 0;
  #cancelRestart = (): void => {};
  #lineProcessMissingSinceMs: number | undefined;
  #orderNumber = 0;

  /** the end of the longest Retry-After that the gate has told of: it is the line process that hears of them, and writes them there */
  #cooldownUntilMs = 0;
  #unwrittenPauses = new Map<Asked, { readonly reason: string; readonly at: string }>();

  /** the oldest change that `insurerLine` was not told of, and when it is to be called for it */
  #unacknowledged: { readonly number: number; readonly callAtMs: number } | undefined;

  #isStopping = false;
  #keeping: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #wake = Promise.withResolvers<void>();
  #lineProcessGone = Promise.withResolvers<void>();
  #endPulse = (): void => {};

  constructor({ config, gate, log, startLineProcess, clock, holder, onSystemPause, onUnacknowledged }: KeeperOptions) {
    this.#holder = holder ?? randomUUID();
    this.#clock = clock ?? systemClock;
    this.#lineProcessMissingSinceMs = this.#clock.monotonicMs();
    this.#leaseMs = config.LEASE_MS;
    this.#store = gate;
    this.#log = log;
    this.#launch = startLineProcess ?? forkedFrom(new URL('../line-main.ts', import.meta.url));
    this.#onSystemPause = onSystemPause ?? (() => {});
    this.#onUnacknowledged = onUnacknowledged ?? (() => {});
  }

  get holding(): boolean {
    return this.#lease !== undefined && this.#clock.monotonicMs() < this.#lease.sendUntilMs;
  }

  get gate(): Gate | undefined {
    return this.#gate;
  }

  get isWell(): boolean {
    return !this.#isLineProcessGivenUp(this.#clock.monotonicMs());
  }

  get pids(): readonly number[] {
    return this.#lineProcess?.pid === undefined ? [] : [this.#lineProcess.pid];
  }

  async start(): Promise<void> {
    this.#startLineProcess();
    this.#endPulse = this.#clock.every(lookMs, () => {
      this.#lineProcess?.pulse(lookMs);
      this.#sendOrder(); // also while a call to the gate hangs
    });
    await this.#look();
    this.#keeping = this.#keep();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelRestart();
    this.#sendOrder();
    const lineProcess = this.#lineProcess;
    const cancelNotClosed = this.#clock.after(
      stopMs,
      () => !lineProcess?.isClosed && lineProcess?.kill('not closed when stopped'),
    );
    if (lineProcess !== undefined && !lineProcess.isReady) lineProcess.kill('stopped before it was ready');
    this.#wake.resolve();
    await this.#keeping;
    cancelNotClosed();
    const cancelNotDrained = this.#clock.after(drainMs, () => this.#lineProcess?.kill('not drained when stopped'));
    if (this.#lineProcess !== undefined) await this.#lineProcessGone.promise;
    cancelNotDrained();
    this.#endPulse();
  }

  /** One look at the gate after the other: nothing else writes for this process, so nothing it decides can cross. */
  async #keep(): Promise<void> {
    const giveUpAtMs = (): number => (this.#lease?.sendUntilMs ?? 0) + stopMs;
    let stopSeenMs: number | undefined;
    let isCurrent = true;
    for (;;) {
      await this.#sleep(isCurrent ? shortestSleepMs : lookMs);
      isCurrent = await this.#look();
      if (!this.#isStopping) continue;
      stopSeenMs ??= this.#clock.monotonicMs();
      const isOver = this.#lease === undefined && isCurrent && this.#gate?.holder !== this.#holder;
      // Without the gate nothing can be handed back: the lease then runs out by itself.
      if (isOver || (!isCurrent && this.#clock.monotonicMs() > Math.max(stopSeenMs + stopMs, giveUpAtMs()))) return;
    }
  }

  /** Until something is due, or somebody calls. @param shortestMs what is due by now waits for so long */
  async #sleep(shortestMs: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const moments = [nowMs + lookMs];
    if (this.#gate?.holder === this.#holder) moments.push(this.#renewAtMs);
    else if (this.#gate !== undefined && this.#watch !== undefined)
      moments.push(lapsesAtMs(this.#watch, this.#gate, this.#leaseMs));
    const sleepMs = Math.max(Math.ceil(Math.min(...moments) - nowMs), shortestMs);
    const cancel = this.#clock.after(sleepMs, () => this.#wake.resolve());
    await this.#wake.promise;
    cancel();
    this.#wake = Promise.withResolvers();
  }

  /** @returns whether the gate could be read and written */
  async #look(): Promise<boolean> {
    try {
      for (;;) {
        this.#observe(await this.#store.read(), 'read');
        if ((await this.#writeAll()) === 'done') return true;
      }
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      this.#log.warn('gate unavailable', { fault: faultOf(error) });
      return false;
    }
  }

  /** Writes what there is to write. @returns `stale` when someone else has written meanwhile */
  async #writeAll(): Promise<'done' | 'stale'> {
    for (;;) {
      const gate = this.#gate;
      if (gate === undefined) return 'stale';
      const pauses = [...this.#unwrittenPauses.keys()];
      const lineProcess = this.#lineProcess;
      const state = this.#keeperState(lineProcess);
      const sentMs = this.#clock.monotonicMs(); // before it is sent: what the lease is counted from
      const event = nextGateEvent(gate, state, sentMs);
      if (event === undefined) return 'done';
      const outcome = await this.#store.attempt(gate, event);
      if (outcome.kind === 'stale') return 'stale';
      if (outcome.kind === 'rejected') {
        this.#log.warn('gate rejected', { change: event.kind, why: outcome.why });
        return 'done';
      }
      if (event.kind === 'take' || event.kind === 'renew') {
        const { leaseNumber } = outcome.gate;
        // A line process that came up meanwhile was not meant: it is granted from a renewal of its own, under a higher number.
        const isMeant = lineProcess !== undefined && lineProcess === this.#lineProcess && state.lineProcessReady;
        if (isMeant) this.#lease = { lineProcess, leaseNumber, sendUntilMs: maySendUntilMs(sentMs, this.#leaseMs) };
        if (isMeant || this.#lineProcess?.isReady !== true) this.#renewAtMs = sentMs + renewEveryMs(this.#leaseMs);
      }
      this.#observe(outcome.gate, 'own write');
      if (event.kind === 'pause') this.#confirm(pauses);
      if (outcome.kind === 'written' && event.kind !== 'renew')
        this.#log.info('gate written', { change: event.kind, leaseNumber: outcome.gate.leaseNumber });
      // Also when it is there already: the answer to a write of ours was lost. Not when somebody else paused before us.
      if (event.kind === 'pause' && outcome.gate.by === event.by && outcome.gate.since === event.at)
        this.#onSystemPause(event.reason);
    }
  }

  #keeperState(lineProcess: LineProcessSupervisor | undefined): KeeperState {
    const nowMs = this.#clock.monotonicMs();
    return {
      holder: this.#holder,
      leaseMs: this.#leaseMs,
      watch: this.#watch,
      renewAtMs: this.#renewAtMs,
      lineProcessReady: lineProcess?.isReady ?? false,
      lineProcessClosed: lineProcess?.isClosed ?? true,
      lineProcessGivenUp: this.#isLineProcessGivenUp(nowMs),
      busy: nowMs >= this.#renewAtMs && (lineProcess?.takeBusy() ?? false),
      stopping: this.#isStopping,
      cooldownMs: Math.max(0, Math.ceil(this.#cooldownUntilMs - nowMs)),
      unwrittenPause: this.#unwrittenPauses.values().next().value,
    };
  }

  #isLineProcessGivenUp(nowMs: number): boolean {
    return this.#lineProcessMissingSinceMs !== undefined && nowMs - this.#lineProcessMissingSinceMs > this.#leaseMs;
  }

  #observe(gate: Gate, source: 'read' | 'own write'): void {
    const before = this.#gate;
    const nowMs = this.#clock.monotonicMs();
    this.#gate = gate;
    this.#watch = watchLease(this.#watch, gate, nowMs);
    // What this process wrote itself says nothing new; what it reads again has been counted from the first time on.
    if (source === 'read' && gate.leaseNumber !== before?.leaseNumber)
      this.#cooldownUntilMs = Math.max(this.#cooldownUntilMs, nowMs + gate.cooldownMs);
    this.#callForUnacknowledged(gate, nowMs);
    if (gate.holder !== this.#holder) {
      if (this.#lease !== undefined) this.#log.info('lease over', { leaseNumber: this.#lease.leaseNumber });
      this.#lease = undefined;
      this.#renewAtMs = Number.NEGATIVE_INFINITY;
    }
    if (before?.state !== gate.state)
      this.#log.info('line seen', { state: gate.state, bySystem: gate.by === lineItself });
    this.#sendOrder();
  }

  #callForUnacknowledged(gate: Gate, nowMs: number): void {
    const number = gate.holder === this.#holder ? gate.outbox[0]?.number : undefined;
    if (number === undefined) this.#unacknowledged = undefined;
    else if (number !== this.#unacknowledged?.number)
      this.#unacknowledged = { number, callAtMs: nowMs + unacknowledgedMs };
    else if (nowMs >= this.#unacknowledged.callAtMs) {
      this.#unacknowledged = { number, callAtMs: nowMs + unacknowledgedMs };
      this.#onUnacknowledged();
    }
  }

  #sendOrder(): void {
    const lineProcess = this.#lineProcess;
    if (lineProcess === undefined) return;
    this.#orderNumber += 1;
    const lease = this.#lease?.lineProcess === lineProcess ? this.#lease : undefined;
    const order: Order = {
      kind: 'order',
      number: this.#orderNumber,
      sendUntilMs: lease?.sendUntilMs ?? 0,
      leaseNumber: lease?.leaseNumber ?? 0,
      // A gate that was never read may be closed. The line process is asked all the same: one that is not has no chance to answer.
      paused: this.#gate?.state !== 'open' || this.#unwrittenPauses.size > 0,
      cooldownUntilMs: this.#cooldownUntilMs,
      stop: this.#isStopping,
    };
    lineProcess.order(order);
  }

  #startLineProcess(): void {
    this.#lineProcessGone = Promise.withResolvers();
    this.#lineProcess = new LineProcessSupervisor({
      start: this.#launch,
      clock: this.#clock,
      leaseMs: this.#leaseMs,
      log: this.#log,
      onMessage: (lineProcess, message) => this.#hear(lineProcess, message),
      onExit: () => this.#replaceLineProcess(),
    });
    this.#log.info('line process started', { linePid: this.#lineProcess.pid });
  }

  #replaceLineProcess(): void {
    const livedMs = this.#clock.monotonicMs() - (this.#lineProcess?.startedAtMs ?? 0);
    this.#lineProcess = undefined;
    this.#lease = undefined;
    this.#lineProcessMissingSinceMs ??= this.#clock.monotonicMs();
    this.#lineProcessGone.resolve();
    this.#wake.resolve(); // with no line process the line is silent: a pauser waits for that
    if (this.#isStopping) return;
    this.#restarts = livedMs > 30_000 ? 0 : this.#restarts + 1;
    const delayMs = Math.min(restartMs.first * 2 ** Math.max(this.#restarts - 1, 0), restartMs.longest);
    this.#cancelRestart = this.#clock.after(delayMs, () => this.#startLineProcess());
  }

  #hear(lineProcess: LineProcessSupervisor, message: FromLineProcess): void {
    switch (message.kind) {
      case 'ready':
        this.#log.info('line process ready', { linePid: lineProcess.pid });
        this.#lineProcessMissingSinceMs = undefined;
        this.#renewAtMs = Number.NEGATIVE_INFINITY; // the new line process is granted from a renewal of its own
        if (this.#isStopping) lineProcess.kill('stopped before it was ready');
        this.#wake.resolve();
        break;
      case 'report':
        if (message.closed && this.#awaitsClosed()) this.#wake.resolve();
        break;
      case 'pause-by-system': {
        const { reason } = message;
        this.#unwrittenPauses.set(
          { lineProcess, request: message.request },
          { reason, at: new Date(this.#clock.epochMs()).toISOString() },
        );
        this.#sendOrder();
        this.#wake.resolve();
        break;
      }
    }
  }

  /** Whether the gate, held by this process, is to be told that nothing is under way. */
  #awaitsClosed(): boolean {
    const gate = this.#gate;
    if (gate?.holder !== this.#holder) return false;
    return this.#isStopping || (gate.state === 'paused' && !gate.silent);
  }

  #confirm(written: readonly Asked[]): void {
    for (const asked of written) this.#unwrittenPauses.delete(asked);
    this.#sendOrder(); // with what the gate says now, before the word that it says so
    for (const asked of written) if (asked.lineProcess === this.#lineProcess) asked.lineProcess.confirm(asked.request);
  }
}

/** A gate that refuses, or a renewal that is overdue, must not turn the keeper into a loop that spins. */
const shortestSleepMs = 10;
