import TinyQueue from 'tinyqueue';
import type { Clock } from '../../core/clock.ts';
import { between, type Random, seededRandom } from '../../simulator/random.ts';

/** True time at the start of a simulation, epoch ms. */
const startEpochMs = 1_795_000_000_000;

/** A guarantee of the line was broken. */
export class BrokenGuarantee extends Error {
  override readonly name = 'BrokenGuarantee';
}

/** A planned event, in the world (`who` is undefined) or in one of its processes. */
export interface Event {
  atMs: number;
  /** order of planning, which decides between two events at the same moment */
  number: number;
  readonly who: SimulatedProcess | undefined;
  readonly action: () => void;
  readonly isTimer: boolean;
  isCancelled: boolean;
}

/**
 * The simulated world: true time, planned events, and one random source. A process knows only its own clock. The same seed
 * gives the same events.
 */
export class World {
  /** true time, ms since the start */
  nowMs = 0;
  /** number of past events */
  events = 0;
  readonly random: Random;
  /** whether no random faults occur at the moment */
  isFaultFree = false;
  /** whether the workers have quiet hours */
  readonly hasQuietHours: boolean;
  /** receives all events, if a trace is wanted */
  trace: ((line: string) => void) | undefined;
  #broken: string | undefined;
  readonly #queue = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs || a.number - b.number);
  #planned = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed, 'simulation');
    this.hasQuietHours = this.chance(0.5);
  }

  /** true time, epoch ms */
  get epochMs(): number {
    return Math.floor(startEpochMs + this.nowMs);
  }

  between(from: number, to: number): number {
    return from + this.random() * (to - from);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  whole(from: number, to: number): number {
    return between(this.random, from, to);
  }

  pick<T>(choices: readonly T[]): T | undefined {
    return choices[Math.floor(this.random() * choices.length)];
  }

  say(line: () => string): void {
    this.trace?.(`${this.nowMs.toFixed(1).padStart(10)} ${line()}`);
  }

  /** Records a broken guarantee, which ends the simulation. */
  break(guarantee: string): void {
    this.#broken ??= guarantee;
  }

  /** Plans an event. @returns cancels it */
  plan(inMs: number, action: () => void, who?: SimulatedProcess, isTimer = false): () => void {
    const event: Event = {
      ...{ atMs: this.nowMs + inMs, number: this.#planned++ },
      who,
      action,
      isTimer,
      isCancelled: false,
    };
    this.#queue.push(event);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Runs an event now that a freeze has delayed. */
  replan(event: Event): void {
    this.#queue.push(Object.assign(event, { atMs: this.nowMs, number: this.#planned++ }));
  }

  /**
   * Runs events, and all that follows from each, until `isOver` returns true.
   * @throws BrokenGuarantee, and any error of an event
   */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (isOver()) {
            resolve();
            return;
          }
          if (this.#broken !== undefined) throw new BrokenGuarantee(this.#broken);
          for (;;) {
            const event = this.#queue.pop();
            if (event === undefined) throw new Error('no event is planned any more');
            if (event.isCancelled) continue;
            this.nowMs = event.atMs;
            if (event.who !== undefined && !event.who.takes(event)) continue;
            this.events += 1;
            event.action();
            break;
          }
          setImmediate(step); // runs after all JavaScript promises that can run
        } catch (error) {
          reject(error instanceof BrokenGuarantee ? error : new BrokenGuarantee(`the code throws: ${error}`));
        }
      };
      setImmediate(step);
    });
  }
}

/** A machine with two clocks, which its processes share. */
export class Machine {
  readonly world: World;
  #monotonicMs: number;
  #sinceMs: number;
  /** speed of its clocks relative to true time */
  #rate = 1;
  #rateBefore = 1;
  #wallOffsetMs: number;

  constructor(world: World) {
    this.world = world;
    this.#monotonicMs = world.whole(1_000, 1_000_000_000);
    this.#sinceMs = world.nowMs;
    this.#wallOffsetMs = world.epochMs - this.#monotonicMs;
  }

  get rate(): number {
    return this.#rate;
  }

  monotonicMs(): number {
    return this.#monotonicMs + (this.world.nowMs - this.#sinceMs) * this.#rate;
  }

  epochMs(): number {
    return Math.floor(this.monotonicMs() + this.#wallOffsetMs);
  }

  /** Suspends the machine as a hypervisor does: its clocks stop. */
  suspend(forMs: number): void {
    this.#rateBefore = this.#rate;
    this.#setRate(0);
    this.world.plan(forMs, () => this.resume());
  }

  resume(): void {
    if (this.#rate === 0) this.#setRate(this.#rateBefore);
  }

  /** Changes the speed of its clocks by a fraction. */
  drift(by: number): void {
    if (this.#rate > 0) this.#setRate(1 + by);
  }

  #setRate(rate: number): void {
    this.#monotonicMs = this.monotonicMs();
    this.#sinceMs = this.world.nowMs;
    this.#rate = rate;
  }

  setWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }
}

/** Time in ms that a process needs after a freeze to run overdue work. */
const catchUpMs = 20;

/** A process: an event loop that can freeze, and that ends immediately when killed. */
export class SimulatedProcess {
  readonly name: string;
  readonly machine: Machine;
  readonly #world: World;
  readonly #onDeath: (() => void)[] = [];
  #isAlive = true;
  #frozenUntilMs = Number.NEGATIVE_INFINITY;
  #delayed: Event[] = [];
  #restOfTurn: (() => void)[] = [];

  constructor(name: string, machine: Machine) {
    this.name = name;
    this.machine = machine;
    this.#world = machine.world;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isFrozen(): boolean {
    return this.#world.nowMs < this.#frozenUntilMs;
  }

  /** Whether it runs and has caught up with overdue work. */
  get isPunctual(): boolean {
    return this.wasPunctualFor(catchUpMs);
  }

  wasPunctualFor(ms: number): boolean {
    return this.#world.nowMs >= this.#frozenUntilMs + ms;
  }

  /** Returns whether an event may happen now. In a freeze, keeps the event for later. */
  takes(event: Event): boolean {
    if (!this.#isAlive) return false;
    if (!this.isFrozen) return true;
    this.#delayed.push(event);
    return false;
  }

  /** Simulates SIGSTOP and SIGCONT, or a blocked event loop. Afterwards due timers run first, then pending messages. */
  freeze(forMs: number): void {
    this.#world.say(() => `${this.name} is frozen for ${forMs.toFixed(0)} ms`);
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.#world.nowMs + forMs);
    this.#world.plan(forMs, () => this.unfreeze(false));
  }

  /** Simulates SIGSTOP within an iteration of the event loop. @param rest of the iteration, which runs first afterwards */
  freezeWithinTurn(forMs: number, rest: () => void): void {
    this.#restOfTurn.push(rest);
    this.freeze(forMs);
  }

  /** Ends a freeze. @param isEarly whether it is before the planned end */
  unfreeze(isEarly = true): void {
    if (isEarly) this.#frozenUntilMs = this.#world.nowMs;
    if (!this.#isAlive || this.isFrozen) return;
    const delayed = this.#delayed;
    if (delayed.length > 0) this.#world.say(() => `${this.name} continues`);
    this.#delayed = [];
    for (const rest of this.#restOfTurn.splice(0)) this.#world.plan(0, rest, this);
    for (const event of delayed) if (event.isTimer) this.#world.replan(event);
    for (const event of delayed) if (!event.isTimer) this.#world.replan(event);
  }

  /** Plans the arrival of something from outside. */
  receives(inMs: number, action: () => void): () => void {
    return this.#world.plan(inMs, action, this);
  }

  /** Ends the process by SIGKILL or by itself. The system closes its sockets. */
  kill(why: string): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#world.say(() => `${this.name} ends: ${why}`);
    for (const tell of this.#onDeath.splice(0)) tell();
  }

  onDeath(listener: () => void): void {
    this.#onDeath.push(listener);
  }

  get clock(): Clock {
    const { machine } = this;
    const world = this.#world;
    const after = (delayMs: number, action: () => void): (() => void) => {
      const trueMs = Math.max(delayMs, 1) / machine.rate;
      return world.plan(trueMs + (world.chance(0.05) ? world.between(0, 8) : world.random()), action, this, true); // timers fire late
    };
    return {
      monotonicMs: () => machine.monotonicMs(),
      epochMs: () => machine.epochMs(),
      after,
      every: (intervalMs, action) => {
        let cancel: () => void;
        const arm = (): void => {
          cancel = after(intervalMs, () => {
            arm();
            action();
          });
        };
        arm();
        return () => cancel();
      },
      afterReading: (action) => void world.plan(0, action, this),
    };
  }
}
