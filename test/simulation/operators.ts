import { sleep } from '../../core/clock.ts';
import type { Gate } from '../../core/domain/gate.ts';
import { type GateStore, openGate } from '../../core/stores/gate.ts';
import {
  createInsurerLineClient,
  type InsurerLineClient,
  InsurerLineError,
} from '../../core/temporal/insurer-line-client.ts';
import type { Judge } from './judge.ts';
import { insurerId } from './names.ts';
import { type SimulatedTable, tableLink } from './table.ts';
import type { TemporalLink } from './temporal.ts';
import type { Surroundings } from './worker.ts';
import { Machine, SimulatedProcess, type World } from './world.ts';

/** Simulates an operator, and the API process that serves them. */
export class SimulatedOperator {
  readonly name: string;
  readonly tableLink = tableLink();
  readonly temporalLink: TemporalLink = { isDisconnected: false };
  /** whether a command is in progress */
  isBusy = false;
  readonly process: SimulatedProcess;
  readonly #world: World;
  readonly #line: InsurerLineClient;
  readonly #judge: Judge;
  readonly #onConfirmed: (change: number, endMs: number | undefined) => void;
  /** changeNumber of the silent line that was the answer to the current pause */
  #silentChange = 0;

  constructor(
    name: string,
    around: Surroundings,
    judge: Judge,
    onConfirmed: (change: number, endMs: number | undefined) => void,
  ) {
    const { world, table, temporal } = around;
    this.name = name;
    this.#world = world;
    this.#judge = judge;
    this.#onConfirmed = onConfirmed;
    this.process = new SimulatedProcess(name, new Machine(world));
    const onSilent = ({ changeNumber }: { readonly changeNumber: number }): void => {
      this.#silentChange = changeNumber;
    };
    const gate = watchedByJudge(this.#gate(table), judge, onSilent);
    const client = temporal.clientOf(this.process, this.temporalLink, onSilent);
    this.#line = createInsurerLineClient({
      temporal: async () => client,
      gate,
      insurerId,
      clock: this.process.clock,
    });
  }

  #gate(table: SimulatedTable): GateStore {
    const { clock } = this.process;
    return openGate(table.clientOf(this.process, this.tableLink), insurerId, { clock, random: this.#world.random });
  }

  /** Pauses, and resumes after a while. Other operators may pause and resume in the meantime. */
  pauseFor(ms: number): void {
    this.#act(async () => {
      await this.pause();
      await sleep(this.process.clock, ms);
      await this.resume();
    });
  }

  /** Pauses until a moment, and sometimes replaces this end by another one. */
  pauseUntil(ms: number, laterMs: number | undefined): void {
    this.#act(async () => {
      await this.pause(ms);
      if (laterMs === undefined) return;
      await sleep(this.process.clock, ms / 2);
      await this.pause(laterMs);
    });
  }

  onlyPause(): void {
    this.#act(() => this.pause());
  }

  onlyResume(): void {
    this.#act(() => this.resume());
  }

  liftCooldown(): void {
    this.#act(() => this.#change('lift', this.#line.liftCooldown({ operator: this.name, reason: 'simulated' })));
  }

  setPace(requestsPerMinute: number | undefined): void {
    const command = { operator: this.name, reason: 'simulated', requestsPerMinute };
    this.#act(() => this.#change('pace', this.#line.setPace(command)));
  }

  async #change(what: string, changed: Promise<unknown>): Promise<void> {
    await changed.catch((error: unknown) => this.#rejected(what, error));
  }

  #act(what: () => Promise<void>): void {
    if (this.isBusy) return;
    this.isBusy = true;
    this.process.receives(0, () => {
      void what().finally(() => {
        this.isBusy = false;
      });
    });
  }

  async pause(forMs?: number): Promise<void> {
    const endMs = forMs === undefined ? Number.POSITIVE_INFINITY : this.process.clock.epochMs() + Math.ceil(forMs);
    const until = forMs === undefined ? undefined : new Date(endMs).toISOString();
    this.#judge.pauseIsRequested(this.name, endMs);
    const paused = await this.#line
      .pause({ operator: this.name, reason: 'simulated', until })
      .catch((error: unknown) => {
        this.#rejected('pause', error);
      });
    if (paused === undefined) return;
    // The answer may be about a later pause of somebody else, after a resume that has ended this one. It then names their reason.
    const own = paused.openReasons?.find(({ by }) => by === this.name);
    if (own !== undefined && own.until !== until)
      this.#world.break(`${this.name}'s pause is confirmed with another end`);
    this.#onConfirmed(this.#silentChange, own && endMs);
  }

  async resume(): Promise<void> {
    await this.#line
      .resume({ operator: this.name, reason: 'simulated' })
      .catch((error: unknown) => this.#rejected('resume', error));
  }

  #rejected(what: string, error: unknown): void {
    if (!(error instanceof InsurerLineError)) throw error;
    this.#world.say(() => `${this.name}: ${what} ${error.fault}`);
  }
}

const watchedByJudge = (gate: GateStore, judge: Judge, onSilent: (gate: Gate) => void): GateStore => ({
  ...gate,
  awaitSilence: async (signal) => {
    const silent = await gate.awaitSilence(signal);
    onSilent(silent);
    return silent;
  },
  resume: (command) => {
    judge.resumeIsRequested(command.seen);
    return gate.resume(command);
  },
});
