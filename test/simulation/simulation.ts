import { opensAtOf } from '../../core/domain/gate.ts';
import { stateOf, writeOf } from './coverage.ts';
import { chooseFaults, type FaultKind, faults, type Scene, troubleCalls } from './faults.ts';
import { SimulatedInsurer } from './insurer.ts';
import { Judge } from './judge.ts';
import { holderOf } from './names.ts';
import { SimulatedOperator } from './operators.ts';
import { isQuietAt } from './quiet.ts';
import { SimulatedTable } from './table.ts';
import { SimulatedTemporal } from './temporal.ts';
import { longestLeaseMs, SimulatedWorker, settings } from './worker.ts';
import { BrokenGuarantee, World } from './world.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly faults: number;
  /** receives one line for every event */
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  /** the guarantee that was broken, in words; undefined if all were kept */
  readonly broken: string | undefined;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly events: number;
  readonly requests: number;
  readonly simulatedMs: number;
  readonly confirmedPauses: number;
  readonly takeovers: number;
  /** requests before the end of a Retry-After whose only receiver died or was disconnected */
  readonly lostCooldowns: number;
  /** failures after which a process had to wait longer */
  readonly outages: number;
  /** requests that were sent again for a person, who kept the turn */
  readonly keptTurns: number;
  /** how often the gate entered each of its states */
  readonly states: Readonly<Record<string, number>>;
  /** how often each kind of write changed the gate */
  readonly writes: Readonly<Record<string, number>>;
}

/** Number of faults after which all is repaired, and the line must be in use again. */
const faultsPerRound = 25;
/** Factors on the time between two faults. Each round draws one. */
const paces = [0.5, 1, 1, 1, 3, 10] as const;
/** Time in ms beyond the lease until the line must be in use again after the last fault. */
const recoveryMs = 2_000;
/** Time in ms after the repair, and after the end of the last timed pause, until the line must be open. */
const endLimitMs = 12_000;
/** Time limit for calls still pending after a round, ms. Far more than they need. */
const callsLimitMs = 120_000;
/** Time limit for the next use of a line that is open and well, ms. Cooldowns of a minute may follow each other, and quiet hours. */
const unusedLimitMs = 300_000;

/**
 * Runs the line's real code on simulated time: keepers, line processes, gate store and operators' client, with the given
 * number of faults. Stops at the first broken guarantee.
 */
export async function simulate({ seed, faults: wanted, trace }: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(seed);
  simulation.world.trace = trace;
  const rejected = (error: unknown): void => simulation.world.break(`the code throws: ${error}`);
  process.on('unhandledRejection', rejected);
  let broken: string | undefined;
  try {
    while (simulation.faultsApplied < wanted) {
      await simulation.round(Math.min(faultsPerRound, wanted - simulation.faultsApplied));
    }
  } catch (error) {
    if (!(error instanceof BrokenGuarantee)) throw error;
    broken = error.message;
    trace?.(`BROKEN: ${broken}`);
  } finally {
    process.off('unhandledRejection', rejected);
  }
  return simulation.result(broken);
}

export class Simulation implements Scene {
  readonly world: World;
  readonly table: SimulatedTable;
  readonly insurer: SimulatedInsurer;
  readonly temporal: SimulatedTemporal;
  readonly operators: readonly SimulatedOperator[];
  wanted = 2;
  workers: SimulatedWorker[] = [];
  faultsApplied = 0;
  readonly #seed: number;
  readonly #judge: Judge;
  readonly #applied: Partial<Record<FaultKind, number>> = {};
  readonly #states: Record<string, number> = {};
  readonly #writes: Record<string, number> = {};
  readonly #armed = new Set<() => void>();
  #started = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.world = new World(seed);
    this.#judge = new Judge(this.world);
    this.table = new SimulatedTable(this.world, (before, after) => {
      this.#judge.gateIsWritten(before, after, this.insurer);
      count(this.#states, stateOf(after));
      count(this.#writes, writeOf(before, after));
    });
    this.insurer = new SimulatedInsurer(this.world, this.#judge);
    this.temporal = new SimulatedTemporal(this.world, this.#judge, () => this.workers);
    this.operators = ['anna', 'ben', 'carl'].map(
      (name) =>
        new SimulatedOperator(name, this, this.#judge, (change, endMs) =>
          this.#judge.pauseIsConfirmed(name, endMs, change, this.insurer),
        ),
    );
    this.#startMissing();
  }

  get holder(): SimulatedWorker | undefined {
    const holder = this.table.gate?.holder;
    return this.workers.find(({ name }) => holder === holderOf(name));
  }

  readonly arm = (disarm: () => void): void => {
    this.#armed.add(disarm);
  };

  /** Runs some faults, then repairs all. The line must be in use again. */
  async round(faultsWanted: number): Promise<void> {
    const { world } = this;
    const drawFault = chooseFaults(world.random);
    const pace = world.pick(paces) ?? 1;
    for (let applied = 0, draws = 0; applied < faultsWanted && draws < 10 * faultsWanted; draws += 1) {
      await this.#awaitMoment(pace);
      const kind = drawFault();
      world.say(() => `FAULT ${this.faultsApplied + 1}: ${kind}`);
      if (!faults[kind].apply(this)) continue;
      applied += 1;
      this.faultsApplied += 1;
      count(this.#applied, kind);
    }
    await this.#recover();
  }

  result(broken: string | undefined): SimulationResult {
    const { confirmedPauses, takeovers, lostCooldowns, outages, keptTurns } = this.#judge;
    return {
      ...{ seed: this.#seed, broken, faults: this.#applied, states: this.#states, writes: this.#writes },
      ...{ events: this.world.events, simulatedMs: this.world.nowMs, requests: this.insurer.requests },
      ...{ confirmedPauses, takeovers, lostCooldowns, outages, keptTurns },
    };
  }

  /** Waits for a random moment, or one directly before, during or after a request. */
  async #awaitMoment(pace: number): Promise<void> {
    const { world, insurer } = this;
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    const drawn = world.random();
    const cancels = [world.plan(pace * (drawn < 0.5 ? world.between(1, 60) : 80), over)];
    if (drawn >= 0.5 && drawn < 0.8)
      cancels.push(insurer.once('arrival', () => world.plan(world.between(0, 30), over)));
    if (drawn >= 0.8) cancels.push(insurer.once('end', () => world.plan(world.between(0, 5), over)));
    await world.run(() => isOver);
    for (const cancel of cancels) cancel();
  }

  /** Repairs everything. Then the line must be open and in use, and each worker ready. */
  async #recover(): Promise<void> {
    const { world } = this;
    world.say(() => 'all faults are repaired');
    const repairedMs = world.epochMs;
    world.isFaultFree = true;
    for (const disarm of this.#armed) disarm();
    this.#armed.clear();
    this.temporal.isDown = false;
    for (const { tableLink, temporalLink } of [...this.workers, ...this.operators]) {
      tableLink.trouble = undefined;
      temporalLink.isDisconnected = false;
    }
    for (const worker of this.workers) {
      worker.lineProcessTableLink.trouble = undefined;
      worker.insurerLink.trouble = undefined;
      worker.stuckWrites.nextMs = undefined;
      worker.unfreeze();
    }
    // Another worker must then take the line over, which finds one that is stuck.
    if (world.chance(0.4)) this.holder?.mainProcess.kill('kill -9, without another fault');
    const [resumer] = this.operators;
    await this.#within(callsLimitMs, 'operators never got an answer', () =>
      this.operators.every(({ isBusy }) => !isBusy),
    );
    if (world.chance(0.1)) await this.#outage(resumer);
    // the line may pause itself again at any time (401)
    let idleSinceMs = world.nowMs;
    let used = this.insurer.requests;
    await this.#within(unusedLimitMs, 'the line was never used again', () => {
      const { gate } = this.table;
      const { holder } = this;
      const isQuiet = world.hasQuietHours && holder !== undefined && isQuietAt(holder.machine.epochMs());
      const isUndisturbed = !isQuiet && gate?.state === 'open' && !this.#judge.inCooldown && this.workers.some(isWell);
      const opensAt = gate && opensAtOf(gate);
      if (opensAt !== undefined && world.epochMs > Math.max(Date.parse(opensAt), repairedMs) + endLimitMs)
        world.break('a timed pause outlasts its end');
      if (gate?.state === 'paused' && opensAt === undefined && resumer?.isBusy === false) resumer.onlyResume();
      if (!isUndisturbed) used = this.insurer.requests;
      if (!isUndisturbed || gate.cooldownMs > 0 || this.insurer.inFlight.size > 0) idleSinceMs = world.nowMs;
      if (world.nowMs - Math.max(idleSinceMs, this.insurer.triedMs, this.table.lateMs) > longestLeaseMs + recoveryMs)
        world.break('a lost wake-up: the line is open and well, but not in use');
      return isUndisturbed && this.insurer.requests > used;
    });
    await this.#within(callsLimitMs, 'an operator never got an answer', () => resumer?.isBusy === false);
    world.isFaultFree = false;
  }

  /** Lets the insurer fail all requests of the open line for a while. */
  async #outage(resumer: SimulatedOperator | undefined): Promise<void> {
    this.insurer.outUntilMs = this.world.nowMs + this.world.between(3_000, 20_000);
    await this.#within(callsLimitMs, 'the outage never ended', () => {
      if (this.table.gate?.state === 'paused' && resumer?.isBusy === false) resumer.onlyResume();
      return this.world.nowMs > this.insurer.outUntilMs;
    });
  }

  async #within(limitMs: number, broken: string, condition: () => boolean): Promise<void> {
    const untilMs = this.world.nowMs + limitMs;
    await this.world.run(() => {
      if (this.world.nowMs > untilMs) this.world.break(broken);
      return condition();
    });
  }

  /** Some workers start while the table is unreachable for them. */
  #startWorker(): SimulatedWorker {
    this.#started += 1;
    const worker = new SimulatedWorker(`w${this.#started}`, this);
    if (!this.world.isFaultFree && this.#started > 2 && this.world.chance(0.15))
      troubleCalls(worker.tableLink, 'request lost', 0, this.world.between(0, 3 * settings.leaseMs), this);
    return worker;
  }

  /** Starts missing workers, at intervals. */
  #startMissing(): void {
    this.workers = this.workers.filter(({ isAlive }) => isAlive);
    while (this.workers.length < this.wanted) this.workers.push(this.#startWorker());
    this.world.plan(this.world.between(50, 300), () => this.#startMissing());
  }
}

const count = (counts: Record<string, number>, what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};

const isWell = ({ isAlive, isStopping, isLineProcessReady }: SimulatedWorker): boolean =>
  isAlive && !isStopping && isLineProcessReady;
