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
  readonly config: { readonly LEASE_MS: number; readonly LINE_REQUESTS_PER_MINUTE?: number | undefined };
  readonly gate: GateStore;
  readonly log: Log;
  /** starts the line process; by default the one of worker/line-main.ts */
  readonly startLineProcess?: StartLineProcess;
  readonly clock?: Clock;
  /** this process's ID in the gate, which must be new; by default random */
  readonly holder?: string;
  /** Called once for each pause by the line itself that this process has written into the gate. Must not throw. */
  readonly onSystemPause?: (reason: string) => void;
  /** Called every 5 s while `insurerLine` has not acknowledged a change and this process holds the line. Must not throw. */
  readonly onUnacknowledged?: () => void;
}

/** Holds the lease for this worker, and controls the line process (docs/explanation/the-line.md, "Two processes"). */
export interface Keeper {
  /** whether the line process may send under this worker's lease now */
  readonly holdsLine: boolean;
  /** the gate as last seen; undefined before the first read */
  readonly gate: Gate | undefined;
  /** whether the line process runs, or has been missing for less than a lease */
  readonly isHealthy: boolean;
  /** process ID of the line process; undefined while there is none */
  readonly linePid: number | undefined;
  /** Ends the request in flight, hands the lease back, and ends the line process. */
  stop(): Promise<void>;
}

/** Interval in ms between reads of the gate, and between orders. */
const pollMs = 250;
/** Time limit in ms from the order to stop until the report `isClosed`. Covers the grace, a stuck socket and a slow machine. */
const closeMs = 1_500;
/** Time limit in ms from there until its Temporal workers have drained. */
const drainMs = 15_000;
/** Time limit in ms for handing back the lease while the gate is unavailable, from the stop and from the end of the send permit. */
const releaseMs = 1_500;
/** Time in ms that a change waits in the outbox before onUnacknowledged is called. The client that changed it signals first. */
const unacknowledgedMs = 5_000;
const restartMs = { first: 100, longest: 5_000 } as const;

/** Starts the line process, and keeps the lease until stopped. Resolves after the first read of the gate, also a failed one. */
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

/** A pause that a line process has requested. */
interface RequestedPause {
  readonly lineProcess: LineProcessSupervisor;
  readonly pauseId: number;
}

class LineKeeper implements Keeper {
  readonly #holder: string;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #defaultPace: number | undefined;
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

  /** end of the longest cooldown that the gate has had since the last was lifted; the line process writes them there */
  #cooldownUntilMs = 0;
  #unwrittenPauses = new Map<RequestedPause, { readonly reason: string; readonly at: string }>();

  /** the oldest change in the outbox, and when to call onUnacknowledged for it */
  #unacknowledged: { readonly number: number; readonly callAtMs: number } | undefined;

  #isStopping = false;
  #loopEnded: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #wake = Promise.withResolvers<void>();
  #lineProcessGone = Promise.withResolvers<void>();
  #stopTimer = (): void => {};

  constructor({ config, gate, log, startLineProcess, clock, holder, onSystemPause, onUnacknowledged }: KeeperOptions) {
    this.#holder = holder ?? randomUUID();
    this.#clock = clock ?? systemClock;
    this.#lineProcessMissingSinceMs = this.#clock.monotonicMs();
    this.#leaseMs = config.LEASE_MS;
    this.#defaultPace = config.LINE_REQUESTS_PER_MINUTE;
    this.#store = gate;
    this.#log = log;
    this.#launch = startLineProcess ?? forkedFrom(new URL('../line-main.ts', import.meta.url));
    this.#onSystemPause = onSystemPause ?? (() => {});
    this.#onUnacknowledged = onUnacknowledged ?? (() => {});
  }

  get holdsLine(): boolean {
    return this.#lease !== undefined && this.#clock.monotonicMs() < this.#lease.sendUntilMs;
  }

  get gate(): Gate | undefined {
    return this.#gate;
  }

  get isHealthy(): boolean {
    return !this.#isLineProcessGivenUp(this.#clock.monotonicMs());
  }

  get linePid(): number | undefined {
    return this.#lineProcess?.pid;
  }

  async start(): Promise<void> {
    this.#startLineProcess();
    this.#stopTimer = this.#clock.every(pollMs, () => {
      this.#lineProcess?.killIfUnanswered(pollMs);
      this.#sendOrder(); // even while a call to the gate hangs
    });
    await this.#readAndWrite();
    this.#loopEnded = this.#runLoop();
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
      closeMs,
      () => !lineProcess?.isClosed && lineProcess?.kill('not closed when stopped'),
    );
    if (lineProcess !== undefined && !lineProcess.isReady) lineProcess.kill('stopped before it was ready');
    this.#wake.resolve();
    await this.#loopEnded;
    cancelNotClosed();
    const cancelNotDrained = this.#clock.after(drainMs, () => this.#lineProcess?.kill('not drained when stopped'));
    if (this.#lineProcess !== undefined) await this.#lineProcessGone.promise;
    cancelNotDrained();
    this.#stopTimer();
  }

  /** Reads and writes the gate in a loop. Nothing else writes for this process, so its decisions cannot overlap. */
  async #runLoop(): Promise<void> {
    let stopSeenMs: number | undefined;
    let isGateReachable = true;
    for (;;) {
      await this.#sleep(isGateReachable ? shortestSleepMs : pollMs);
      isGateReachable = await this.#readAndWrite();
      if (!this.#isStopping) continue;
      stopSeenMs ??= this.#clock.monotonicMs();
      const isOver = this.#lease === undefined && isGateReachable && this.#gate?.holder !== this.#holder;
      const releaseByMs = Math.max(stopSeenMs, this.#lease?.sendUntilMs ?? 0) + releaseMs;
      // Without the gate, the lease cannot be handed back; it then ends by itself.
      if (isOver || (!isGateReachable && this.#clock.monotonicMs() > releaseByMs)) return;
    }
  }

  /** Waits until something is due or the keeper is woken. @param shortestMs shortest wait, also for what is due already */
  async #sleep(shortestMs: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const dueMs = [nowMs + pollMs];
    if (this.#gate?.holder === this.#holder) dueMs.push(this.#renewAtMs);
    else if (this.#gate !== undefined && this.#watch !== undefined)
      dueMs.push(lapsesAtMs(this.#watch, this.#gate, this.#leaseMs));
    const sleepMs = Math.max(Math.ceil(Math.min(...dueMs) - nowMs), shortestMs);
    const cancel = this.#clock.after(sleepMs, () => this.#wake.resolve());
    await this.#wake.promise;
    cancel();
    this.#wake = Promise.withResolvers();
  }

  /** Reads the gate and writes what is due. @returns whether the gate could be read and written */
  async #readAndWrite(): Promise<boolean> {
    try {
      for (;;) {
        this.#observe(await this.#store.read(), 'read');
        if ((await this.#writeDueEvents()) === 'done') return true;
      }
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      this.#log.warn('gate unavailable', { fault: faultOf(error) });
      return false;
    }
  }

  /** Writes all events that are due. @returns `stale` if another process has written since the read */
  async #writeDueEvents(): Promise<'done' | 'stale'> {
    for (;;) {
      const gate = this.#gate;
      if (gate === undefined) return 'stale';
      const pauses = [...this.#unwrittenPauses.keys()];
      const lineProcess = this.#lineProcess;
      const state = this.#keeperState(lineProcess);
      const sentMs = this.#clock.monotonicMs(); // taken before the write is sent, because the lease counts from here
      const event = nextGateEvent(gate, state, sentMs);
      if (event === undefined) return 'done';
      const outcome = await this.#store.attempt(gate, event);
      if (outcome.kind === 'stale') return 'stale';
      if (outcome.kind === 'rejected') {
        this.#log.warn('gate rejected', { change: event.kind, why: outcome.why });
        return 'done';
      }
      if (event.kind === 'take' || event.kind === 'renew')
        this.#applyLease(state.isLineProcessReady ? lineProcess : undefined, outcome.gate.leaseNumber, sentMs);
      this.#observe(outcome.gate, 'own write');
      if (event.kind === 'pause') this.#confirmPauses(pauses);
      if (outcome.kind === 'written' && event.kind !== 'renew')
        this.#log.info('gate written', { change: event.kind, leaseNumber: outcome.gate.leaseNumber });
      // Called also if the pause is in the gate already, because the answer to our write was lost. Not if another pause came first.
      if (event.kind === 'pause' && outcome.gate.by === event.by && outcome.gate.since === event.at)
        this.#onSystemPause(event.reason);
    }
  }

  /**
   * Applies a take or renewal that was written: permits the line process to send, and sets when the next renewal is due.
   * @param readyProcess the line process, if it was ready before the write was sent
   * @param sentMs when the write was sent, monotonic
   */
  #applyLease(readyProcess: LineProcessSupervisor | undefined, leaseNumber: number, sentMs: number): void {
    const isPermitted = readyProcess !== undefined && readyProcess === this.#lineProcess;
    if (isPermitted)
      this.#lease = {
        lineProcess: readyProcess,
        leaseNumber,
        sendUntilMs: maySendUntilMs(sentMs, this.#leaseMs),
      };
    // A line process that became ready during the write gets its permit from a renewal of its own, with a higher number.
    const needsOwnRenewal = !isPermitted && this.#lineProcess?.isReady === true;
    if (!needsOwnRenewal) this.#renewAtMs = sentMs + renewEveryMs(this.#leaseMs);
  }

  #keeperState(lineProcess: LineProcessSupervisor | undefined): KeeperState {
    const nowMs = this.#clock.monotonicMs();
    return {
      holder: this.#holder,
      leaseMs: this.#leaseMs,
      watch: this.#watch,
      renewAtMs: this.#renewAtMs,
      isLineProcessReady: lineProcess?.isReady ?? false,
      isLineProcessClosed: lineProcess?.isClosed ?? true,
      isLineProcessGivenUp: this.#isLineProcessGivenUp(nowMs),
      wasBusy: nowMs >= this.#renewAtMs && (lineProcess?.takeWasBusy() ?? false),
      isStopping: this.#isStopping,
      cooldownMs: Math.max(0, Math.ceil(this.#cooldownUntilMs - nowMs)),
      ...(this.#defaultPace !== undefined && { defaultPace: this.#defaultPace }),
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
    // Our own write has no new cooldown, and a gate that is read again was counted at its first read.
    if (source === 'read' && gate.leaseNumber !== before?.leaseNumber) {
      const isLifted = liftNumberOf(gate) > liftNumberOf(before);
      this.#cooldownUntilMs = Math.max(isLifted ? 0 : this.#cooldownUntilMs, nowMs + gate.cooldownMs);
    }
    this.#watchOutbox(gate, nowMs);
    if (gate.holder !== this.#holder) {
      if (this.#lease !== undefined) this.#log.info('lease over', { leaseNumber: this.#lease.leaseNumber });
      this.#lease = undefined;
      this.#renewAtMs = Number.NEGATIVE_INFINITY;
    }
    if (before?.state !== gate.state)
      this.#log.info('line seen', { state: gate.state, bySystem: gate.by === lineItself });
    this.#sendOrder();
  }

  #watchOutbox(gate: Gate, nowMs: number): void {
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
    const requestsPerMinute = this.#gate?.pace?.requestsPerMinute ?? this.#defaultPace;
    const order: Order = {
      kind: 'order',
      number: this.#orderNumber,
      sendUntilMs: lease?.sendUntilMs ?? 0,
      leaseNumber: lease?.leaseNumber ?? 0,
      // A gate that was never read may be paused. The order is sent anyway, because the line process must have a chance to answer.
      isPaused: this.#gate?.state !== 'open' || this.#unwrittenPauses.size > 0,
      cooldownUntilMs: this.#cooldownUntilMs,
      liftNumber: liftNumberOf(this.#gate),
      ...(requestsPerMinute !== undefined && { requestsPerMinute }),
      mustStop: this.#isStopping,
    };
    lineProcess.sendOrder(order);
  }

  #startLineProcess(): void {
    this.#lineProcessGone = Promise.withResolvers();
    this.#lineProcess = new LineProcessSupervisor({
      start: this.#launch,
      clock: this.#clock,
      leaseMs: this.#leaseMs,
      log: this.#log,
      onMessage: (lineProcess, message) => this.#receive(lineProcess, message),
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
    this.#wake.resolve(); // without a line process the line is silent, and a pause may wait for that
    if (this.#isStopping) return;
    this.#restarts = livedMs > 30_000 ? 0 : this.#restarts + 1;
    const delayMs = Math.min(restartMs.first * 2 ** Math.max(this.#restarts - 1, 0), restartMs.longest);
    this.#cancelRestart = this.#clock.after(delayMs, () => this.#startLineProcess());
  }

  #receive(lineProcess: LineProcessSupervisor, message: FromLineProcess): void {
    switch (message.kind) {
      case 'ready':
        this.#log.info('line process ready', { linePid: lineProcess.pid });
        this.#lineProcessMissingSinceMs = undefined;
        this.#renewAtMs = Number.NEGATIVE_INFINITY; // the new line process gets its permit from a renewal of its own
        if (this.#isStopping) lineProcess.kill('stopped before it was ready');
        this.#wake.resolve();
        break;
      case 'report':
        if (message.isClosed && this.#awaitsClosed()) this.#wake.resolve();
        break;
      case 'pause-by-system': {
        const { reason } = message;
        this.#unwrittenPauses.set(
          { lineProcess, pauseId: message.pauseId },
          { reason, at: new Date(this.#clock.epochMs()).toISOString() },
        );
        this.#sendOrder();
        this.#wake.resolve();
        break;
      }
    }
  }

  /** Returns whether this holder waits for the report `isClosed`, to write it into the gate. */
  #awaitsClosed(): boolean {
    const gate = this.#gate;
    if (gate?.holder !== this.#holder) return false;
    return this.#isStopping || (gate.state === 'paused' && !gate.silent);
  }

  #confirmPauses(written: readonly RequestedPause[]): void {
    for (const pause of written) this.#unwrittenPauses.delete(pause);
    this.#sendOrder(); // the order has the pause, and must arrive before `pause-written`
    for (const { lineProcess, pauseId } of written)
      if (lineProcess === this.#lineProcess) lineProcess.confirmPause(pauseId);
  }
}

const liftNumberOf = (gate: Gate | undefined): number => gate?.liftNumber ?? 0;

/** Shortest wait in ms between two reads: a rejected event or an overdue renewal must not make the loop spin. */
const shortestSleepMs = 10;
