import { leaseMarginMs } from '../../core/domain/gate.ts';
import type { GateStore } from '../../core/stores/gate.ts';
import { openGate } from '../../core/stores/gate.ts';
import { createInsurerClient } from '../../worker/insurer/insurer-client.ts';
import { createJsonAdapter } from '../../worker/insurer/json-adapter/json-adapter.ts';
import type { Keeper } from '../../worker/line/keeper.ts';
import { startKeeper } from '../../worker/line/keeper.ts';
import { runLineProcess } from '../../worker/line/line-process.ts';
import type { LineProcessHandle, LineProcessListener } from '../../worker/line/line-process-handle.ts';
import type { FromLineProcess, ToLineProcess } from '../../worker/line/messages.ts';
import { createSlotSupplier, outsideQuietHours } from '../../worker/line/slot-supplier.ts';
import type { Log } from '../../worker/log.ts';
import type { InsurerLink, SimulatedInsurer, StuckWrites } from './insurer.ts';
import { holderOf, insurerId } from './names.ts';
import { simulatedQuietHours } from './quiet.ts';
import { type SimulatedTable, type TableLink, tableLink } from './table.ts';
import { type SimulatedTemporal, type TemporalLink, taskWorker } from './temporal.ts';
import { Machine, SimulatedProcess, type World } from './world.ts';

/** The shortest lease that the configuration allows. Requests may outlast it, also in a pause. */
export const settings = {
  leaseMs: 2_000,
  pauseGraceMs: 1_500,
  lineMinGapMs: 50,
  lineStallMs: 6_000,
  listFirstByteMs: 9_000,
} as const;

const insurerBaseUrl = 'http://insurer.test';

/** Factor of the longer lease that some workers have, as during a deployment that changes it. */
const longestLease = 1.5;
export const longestLeaseMs = settings.leaseMs * longestLease;

export interface Surroundings {
  readonly world: World;
  readonly table: SimulatedTable;
  readonly insurer: SimulatedInsurer;
  readonly temporal: SimulatedTemporal;
}

/** Delay of one IPC message in ms; rarely much longer. */
const ipcMs = { least: 0.05, most: 1.5, slowest: 40 } as const;
const slowShare = 0.01;
/** margin of the shortest lease */
const marginMs = leaseMarginMs(settings.leaseMs);
/** Time in ms from the fork until the line process is connected to Temporal; one or two seconds in reality. */
const bootMs = { least: 50, most: 500 } as const;

/** Simulates a worker on its machine: the real keeper in one process, the real line process code in another. */
export class SimulatedWorker {
  readonly name: string;
  readonly machine: Machine;
  readonly mainProcess: SimulatedProcess;
  readonly tableLink = tableLink();
  /** the line process's own link to the table */
  readonly lineProcessTableLink = tableLink();
  readonly insurerLink: InsurerLink = { trouble: undefined };
  readonly temporalLink: TemporalLink = { isDisconnected: false };
  readonly stuckWrites: StuckWrites = { nextMs: undefined, canFreeze: () => this.isPunctual };
  readonly gate: GateStore;
  readonly leaseMs: number;
  lineProcess: SimulatedProcess | undefined;
  isLineProcessReady = false;
  isStopping = false;
  /** the end of the line process's last permit, by the machine's clock */
  sendUntilMs = 0;
  keeper: Keeper | undefined;
  readonly #around: Surroundings;
  #lineProcesses = 0;
  #suspendedMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
    this.machine = new Machine(around.world);
    this.mainProcess = new SimulatedProcess(name, this.machine);
    this.gate = this.#gateOf(this.mainProcess, this.tableLink);
    this.leaseMs = settings.leaseMs * (around.world.pick([1, 1, 1, longestLease]) ?? 1);
    this.mainProcess.onDeath(() => this.lineProcess?.kill('its main process is gone')); // PR_SET_PDEATHSIG
    this.mainProcess.receives(0, () => void this.#main());
  }

  /**
   * Whether a process may be frozen. If both were frozen for longer than the lease's margins, no client could keep the
   * guarantees (docs/explanation/limits.md).
   */
  get isPunctual(): boolean {
    return this.mainProcess.isPunctual && this.lineProcess?.isPunctual !== false;
  }

  /** Freezes a process. @returns whether it was possible */
  freeze(who: 'mainProcess' | 'lineProcess', ms: number): boolean {
    if (!this.isPunctual || this[who]?.isAlive !== true) return false;
    this[who].freeze(ms);
    return true;
  }

  /** Delays both processes, as on an overloaded machine, for less than the margins of a lease. */
  delayBoth(leastMs = 20): boolean {
    if (!this.isPunctual || this.#wasSuspended) return false;
    this.#freezeBoth(this.#around.world.between(leastMs, 1.85 * marginMs));
    return true;
  }

  /** Suspends the whole machine with its clocks, for less than one margin of a lease and once in a lease. */
  suspend(): boolean {
    const { world } = this.#around;
    if (!this.isPunctual || this.#wasSuspended) return false;
    const ms = world.between(10, 0.9 * marginMs);
    this.#suspendedMs = world.nowMs;
    this.machine.suspend(ms);
    this.#freezeBoth(ms);
    return true;
  }

  /** Ends all freezes early. */
  unfreeze(): void {
    this.machine.resume();
    this.mainProcess.unfreeze();
    this.lineProcess?.unfreeze();
  }

  get #wasSuspended(): boolean {
    return this.#around.world.nowMs - this.#suspendedMs < 2 * this.leaseMs;
  }

  #freezeBoth(ms: number): void {
    this.mainProcess.freeze(ms);
    this.lineProcess?.freeze(ms);
  }

  get isAlive(): boolean {
    return this.mainProcess.isAlive;
  }

  /** Simulates SIGTERM. */
  stop(): void {
    this.isStopping = true;
    this.mainProcess.receives(0.1, () => void this.keeper?.stop().then(() => this.mainProcess.kill('stopped')));
  }

  async #main(): Promise<void> {
    const { clock } = this.mainProcess;
    this.keeper = await startKeeper({
      config: { LEASE_MS: this.leaseMs },
      gate: this.gate,
      log: this.#log(this.mainProcess),
      startLineProcess: (listener) => this.#fork(listener),
      clock,
      holder: holderOf(this.name),
      onUnacknowledged: () => this.#around.temporal.gateChanged(this.temporalLink),
    });
    if (this.isStopping) this.stop();
  }

  #gateOf(process: SimulatedProcess, link: TableLink): GateStore {
    const { world, table } = this.#around;
    return openGate(table.clientOf(process, link), insurerId, {
      clock: process.clock,
      random: world.random,
    });
  }

  #log(process: SimulatedProcess): Log {
    const { world } = this.#around;
    const say =
      (level: string): Log['info'] =>
      (event, facts = {}) =>
        world.say(() => `${process.name}: ${level}${event} ${JSON.stringify(facts)}`);
    return { info: say(''), warn: say('WARN '), error: say('ERROR ') };
  }

  #fork({ onMessage, onExit }: LineProcessListener): LineProcessHandle {
    const { world, insurer, temporal } = this.#around;
    const { mainProcess } = this;
    const lineProcess = new SimulatedProcess(`${this.name}.${++this.#lineProcesses}`, this.machine);
    this.lineProcess = lineProcess;
    this.isLineProcessReady = false;
    let exit: number | string = 'SIGKILL';
    lineProcess.onDeath(() => {
      this.isLineProcessReady = false;
      mainProcess.receives(world.between(ipcMs.least, ipcMs.most), () => onExit(exit));
    });
    let receive: ((message: ToLineProcess) => void) | undefined;
    /** messages before its start, which wait in the pipe */
    let unread: ToLineProcess[] = [];
    const toLineProcess = inOrder<ToLineProcess>(world, lineProcess, (message) =>
      receive === undefined ? unread.push(message) : receive(message),
    );
    const toKeeper = inOrder<FromLineProcess>(world, mainProcess, (message) => onMessage(message));
    lineProcess.receives(world.between(bootMs.least, bootMs.most), () => {
      const running = runLineProcess({
        config: {
          INSURER_BASE_URL: insurerBaseUrl,
          PAUSE_GRACE_MS: settings.pauseGraceMs,
          LINE_MIN_GAP_MS: settings.lineMinGapMs,
          LINE_STALL_MS: settings.lineStallMs,
          LINE_QUIET_HOURS: world.hasQuietHours ? simulatedQuietHours : '',
          LINE_QUIET_HOURS_PEOPLE: 'go',
        },
        writeCooldown: this.#gateOf(lineProcess, this.lineProcessTableLink).startCooldown,
        clock: lineProcess.clock,
        channel: {
          send: (message) => {
            if (message.kind === 'ready') this.isLineProcessReady = true;
            toKeeper(message);
          },
          onMessage: (listener) => {
            receive = listener;
          },
          onClose: () => {}, // it dies with its main process
          die: () => lineProcess.kill('by itself'),
        },
        openConnection: (_origin, connectMs, mayConnect) =>
          insurer.connectionOf(lineProcess, connectMs, mayConnect, this.insurerLink, this.stuckWrites),
        createWorkers: async ({ line, permit, statistics, quietTime }) => {
          const client = createInsurerClient({
            adapter: createJsonAdapter({ baseUrl: insurerBaseUrl, token: 'token' }),
            stallMs: settings.lineStallMs,
            listFirstByteMs: settings.listFirstByteMs,
            careRecordsBytesMax: 1_000_000,
            clock: lineProcess.clock,
            ...{ line, permit, statistics },
          });
          return (['bulk', 'urgent'] as const).map((queue) =>
            taskWorker({
              ...{ world, temporal, queue, insurer: client, process: lineProcess, link: this.temporalLink },
              slots: createSlotSupplier(
                outsideQuietHours(permit, queue === 'bulk' ? 'bulk' : 'person', quietTime),
                queue === 'bulk' ? 3 : 8,
              ),
            }),
          );
        },
      });
      running.then(
        () => {
          exit = 0;
          lineProcess.kill('all done');
        },
        (error: unknown) => {
          exit = 1;
          lineProcess.kill(String(error));
        },
      );
      for (const message of unread) receive?.(message);
      unread = [];
    });
    return {
      pid: this.#lineProcesses,
      get isConnected() {
        return lineProcess.isAlive;
      },
      send: (message) => {
        if (message.kind === 'order') this.sendUntilMs = message.sendUntilMs;
        toLineProcess(message);
      },
      kill: () => {
        const isWell =
          lineProcess.wasPunctualFor(this.leaseMs) &&
          world.nowMs - this.lineProcessTableLink.troubledMs > 2 * this.leaseMs;
        if (this.isLineProcessReady && !this.isStopping && isWell)
          world.break(`${lineProcess.name} is killed by its main process, although it was well`);
        lineProcess.kill('SIGKILL of its main process');
      },
    };
  }
}

/** Returns a pipe, which keeps the order of messages. */
function inOrder<Message>(
  world: World,
  to: SimulatedProcess,
  receive: (message: Message) => void,
): (message: Message) => void {
  let lastMs = 0;
  return (message) => {
    const wayMs = world.between(ipcMs.least, world.chance(slowShare) ? ipcMs.slowest : ipcMs.most);
    lastMs = Math.max(lastMs, world.nowMs + wayMs);
    to.receives(lastMs - world.nowMs, () => receive(message));
  };
}
