import { leaseMarginMs } from '../../core/domain/gate.ts';
import { driftMost } from './judge.ts';
import type { SimulatedOperator } from './operators.ts';
import { msUntilQuiet } from './quiet.ts';
import { type TableLink, type TableTrouble, tableTroubles } from './table.ts';
import { type SimulatedWorker, type Surroundings, settings } from './worker.ts';

const { leaseMs } = settings;

/** What the faults act on: the simulation. */
export interface Scene extends Surroundings {
  readonly operators: readonly SimulatedOperator[];
  readonly workers: readonly SimulatedWorker[];
  readonly holder: SimulatedWorker | undefined;
  /** number of workers to keep running */
  wanted: number;
  /** Registers a later part of a fault, which is cancelled by the repair. @param disarm cancels it */
  readonly arm: (disarm: () => void) => void;
}

/** Applies a fault. @returns false if there was no target */
type ApplyFault = (simulation: Scene) => boolean;

/** Picks the holder in three of four cases, because faults elsewhere rarely have an effect. */
function victimOf(
  { world, workers, holder }: Scene,
  suits: (worker: SimulatedWorker) => boolean = () => true,
): SimulatedWorker | undefined {
  if (holder !== undefined && world.chance(0.75) && suits(holder)) return holder;
  return world.pick(workers.filter(suits));
}

/** Picks the link of one of a worker's two processes. */
function tableLinkOf(simulation: Scene): TableLink | undefined {
  const worker = victimOf(simulation);
  return simulation.world.chance(0.6) ? worker?.tableLink : worker?.lineProcessTableLink;
}

const on =
  (
    apply: (worker: SimulatedWorker, simulation: Scene) => unknown,
    suits?: (worker: SimulatedWorker) => boolean,
  ): ApplyFault =>
  (simulation) => {
    const worker = victimOf(simulation, suits);
    return worker !== undefined && apply(worker, simulation) !== false;
  };

const isPunctual = (worker: SimulatedWorker): boolean => worker.isPunctual;

const freeze = (who: 'mainProcess' | 'lineProcess', from: number, to: number): ApplyFault =>
  on((worker, { world }) => worker.freeze(who, world.between(from, to)), isPunctual);

/** Sets a value for an interval, in ms from now, and resets it unless another fault has changed it by then. */
function forAWhile<Key extends string, Value>(
  link: Record<Key, Value>,
  key: Key,
  { during, after }: { readonly during: Value; readonly after: Value },
  { fromMs = 0, untilMs }: { readonly fromMs?: number; readonly untilMs: number },
  { world, arm }: Pick<Scene, 'world' | 'arm'>,
): void {
  const begin = (): void => {
    link[key] = during;
  };
  if (fromMs <= 0) begin();
  else arm(world.plan(fromMs, begin));
  world.plan(untilMs, () => {
    if (link[key] === during) link[key] = after;
  });
}

/** Disturbs calls to the table for an interval, in ms from now. */
export function troubleCalls(
  link: TableLink,
  during: TableTrouble,
  fromMs: number,
  untilMs: number,
  simulation: Pick<Scene, 'world' | 'arm'>,
): void {
  forAWhile(link, 'trouble', { during, after: undefined }, { fromMs, untilMs }, simulation);
}

/**
 * Makes the lease end during a hanging request: its renewals fail, or the process that renews it or closes the socket is
 * frozen. Sometimes the machine is busy at that moment.
 */
function endLeaseInRequest(worker: SimulatedWorker, simulation: Scene): void {
  const { world, insurer, arm } = simulation;
  const { tableLink, stuckWrites, machine, leaseMs } = worker;
  const drawn = world.random();
  const lateMs = world.chance(0.5) ? world.between(700, 1_800) : 0; // long enough for a read and the write after it
  if (world.chance(0.8)) insurer.next('hang');
  if (drawn > 0.85) stuckWrites.nextMs = world.between(leaseMs * 0.5, leaseMs * 2);
  const onArrival = (): void => {
    if (drawn < 0.25) {
      worker.freeze('mainProcess', world.between(leaseMs, leaseMs * 2.2));
      return;
    }
    if (lateMs > 0) troubleCalls(tableLink, 'answer late', 0, lateMs, simulation);
    troubleCalls(tableLink, 'request lost', lateMs, leaseMs * 1.6 + lateMs, simulation);
    if (drawn > 0.7 && drawn <= 0.85) worker.freeze('lineProcess', leaseMs * 2.2);
    if (drawn > 0.7) return;
    const atEnd = (): void => {
      const leftMs = worker.sendUntilMs - machine.monotonicMs();
      if (leftMs > 15) arm(world.plan(leftMs - world.between(1, 15), atEnd));
      else worker.delayBoth(1.7 * leaseMarginMs(leaseMs));
    };
    arm(world.plan(lateMs + 500, atEnd));
  };
  arm(insurer.once('arrival', onArrival));
}

/** Leaves the next request hanging. An operator pauses during it, while calls to the table are slow. */
function pauseInRequest(simulation: Scene): boolean {
  const { world, insurer, arm, operators, workers, holder } = simulation;
  const operator = operators.find(({ isBusy }) => !isBusy);
  if (operator === undefined || holder === undefined) return false;
  insurer.next('hang');
  const onArrival = (): void => {
    operator.pauseFor(world.between(20, 1_200));
    if (world.chance(0.3)) return;
    const { leaseMs } = holder;
    troubleCalls(
      holder.tableLink,
      'request lost',
      world.between(0, 50),
      world.between(0.45, 0.75) * leaseMs,
      simulation,
    );
    for (const { tableLink } of [operator, ...workers.filter((worker) => worker !== holder)])
      troubleCalls(tableLink, 'answer late', world.between(0.3, 0.6) * leaseMs, leaseMs * 1.2, simulation);
  };
  arm(insurer.once('arrival', onArrival));
  return true;
}

/** Each fault and its weight. */
export const faults = {
  'kill -9 of the main process': { weight: 4, apply: on(({ mainProcess }) => mainProcess.kill('kill -9')) },
  'kill -9 of the line process': {
    weight: 5,
    apply: on(
      ({ lineProcess }) => lineProcess?.kill('kill -9'),
      ({ lineProcess }) => lineProcess?.isAlive === true,
    ),
  },
  'main process frozen for less than the lease': { weight: 6, apply: freeze('mainProcess', 5, leaseMs * 0.8) },
  'main process frozen for more than the lease': { weight: 5, apply: freeze('mainProcess', leaseMs, leaseMs * 2.5) },
  'line process frozen for less than the lease': { weight: 6, apply: freeze('lineProcess', 5, leaseMs * 0.8) },
  'line process frozen for more than the lease': { weight: 5, apply: freeze('lineProcess', leaseMs, leaseMs * 2.5) },
  'line process frozen between its check of the clock and the write': {
    weight: 4,
    apply: on(({ stuckWrites }, { world }) => {
      stuckWrites.nextMs = world.between(5, leaseMs * 1.6);
    }, isPunctual),
  },
  'freeze ends early': {
    weight: 2,
    apply: on(
      (worker) => worker.unfreeze(),
      ({ mainProcess, lineProcess }) => mainProcess.isFrozen || lineProcess?.isFrozen === true,
    ),
  },
  'event loop blocked': {
    weight: 5,
    apply: on(
      (worker, { world }) =>
        worker.freeze(world.chance(0.5) ? 'mainProcess' : 'lineProcess', world.between(10, leaseMs * 0.4)),
      isPunctual,
    ),
  },
  'kill -9 of the main process of a frozen line process': {
    weight: 3,
    apply: on((worker, simulation) => {
      const { world } = simulation;
      const { mainProcess } = worker;
      worker.freeze('lineProcess', leaseMs * 3);
      simulation.arm(world.plan(world.between(0, leaseMs * 1.5), () => mainProcess.kill('kill -9')));
    }, isPunctual),
  },
  'the lease ends while a request hangs': { weight: 12, apply: on(endLeaseInRequest, isPunctual) },
  'machine busy': { weight: 3, apply: on((worker) => worker.delayBoth(), isPunctual) },
  'machine suspended': { weight: 2, apply: (simulation: Scene) => victimOf(simulation)?.suspend() ?? false },
  SIGTERM: {
    weight: 5,
    apply: on(
      (worker) => worker.stop(),
      (worker) => worker.isPunctual && !worker.isStopping,
    ),
  },
  'a worker joins': {
    weight: 2,
    apply: (simulation: Scene) => {
      if (simulation.wanted >= 4) return false;
      simulation.wanted += 1;
      return true;
    },
  },
  'a worker leaves': {
    weight: 2,
    apply: (simulation: Scene) => {
      if (simulation.wanted <= 2) return false;
      const worker = victimOf(simulation, (one) => !one.isStopping);
      if (worker === undefined) return false;
      simulation.wanted -= 1;
      worker.stop();
      return true;
    },
  },
  'calls to DynamoDB in trouble': {
    weight: 10,
    apply: (simulation: Scene) => {
      const { world, operators } = simulation;
      const link = world.chance(0.8) ? tableLinkOf(simulation) : world.pick(operators)?.tableLink;
      if (link === undefined) return false;
      troubleCalls(link, world.pick(tableTroubles) ?? 'slow', 0, world.between(20, leaseMs * 1.6), simulation);
      return true;
    },
  },
  'insurer unreachable': {
    weight: 3,
    apply: on(({ insurerLink }, simulation) => {
      const { world } = simulation;
      const during = world.chance(0.5) ? 'refused' : 'silent';
      forAWhile(
        insurerLink,
        'trouble',
        { during, after: undefined },
        { untilMs: world.between(20, leaseMs) },
        simulation,
      );
    }),
  },
  'network disconnects': {
    weight: 3,
    apply: on(({ lineProcess }, { insurer }) => lineProcess !== undefined && insurer.disconnect(lineProcess)),
  },
  'Temporal disconnected': {
    weight: 4,
    apply: (simulation: Scene) => {
      const { world, operators } = simulation;
      const link = world.chance(0.6) ? victimOf(simulation)?.temporalLink : world.pick(operators)?.temporalLink;
      if (link === undefined) return false;
      forAWhile(
        link,
        'isDisconnected',
        { during: true, after: false },
        { untilMs: world.between(20, leaseMs * 4) },
        simulation,
      );
      return true;
    },
  },
  'Temporal down': {
    weight: 1,
    apply: (simulation: Scene) => {
      const { temporal, world } = simulation;
      forAWhile(
        temporal,
        'isDown',
        { during: true, after: false },
        { untilMs: world.between(20, leaseMs * 4) },
        simulation,
      );
      return true;
    },
  },
  'wall clock jumps': {
    weight: 4,
    apply: on(({ machine }, { world, insurer, arm }) => {
      const byMs = world.between(-3_600_000, 3_600_000);
      if (!world.hasQuietHours || world.chance(0.3)) return machine.setWallClock(byMs);
      // Quiet hours begin between the turn of the next request and its write.
      arm(insurer.once('end', () => machine.setWallClock(msUntilQuiet(machine.epochMs()) - world.between(0, 12))));
    }),
  },
  'clock drifts': {
    weight: 2,
    apply: on(({ machine }, { world }) => machine.drift(world.between(-driftMost, driftMost))),
  },
  'pause and resume': {
    weight: 8,
    apply: (simulation: Scene) => {
      const { world } = simulation;
      const operator = simulation.operators.find(({ isBusy }) => !isBusy);
      operator?.pauseFor(world.between(20, 1_200));
      return operator !== undefined;
    },
  },
  'a timed pause': {
    weight: 6,
    apply: (simulation: Scene) => {
      const { world } = simulation;
      const operator = simulation.operators.find(({ isBusy }) => !isBusy);
      operator?.pauseUntil(world.between(200, 6_000), world.chance(0.4) ? world.between(200, 6_000) : undefined);
      return operator !== undefined;
    },
  },
  'a pause meets a request that hangs': { weight: 16, apply: pauseInRequest },
  'an operator resumes': {
    weight: 3,
    apply: ({ operators }: Scene) => {
      const operator = operators.find(({ isBusy }) => !isBusy);
      operator?.onlyResume();
      return operator !== undefined;
    },
  },
  'an operator pauses': {
    weight: 2,
    apply: ({ operators }: Scene) => {
      const operator = operators.find(({ isBusy }) => !isBusy);
      operator?.onlyPause();
      return operator !== undefined;
    },
  },
  'an operator lifts a cooldown': {
    weight: 3,
    apply: ({ operators }: Scene) => {
      const operator = operators.find(({ isBusy }) => !isBusy);
      operator?.liftCooldown();
      return operator !== undefined;
    },
  },
  'an operator sets a pace': {
    weight: 2,
    apply: ({ world, operators }: Scene) => {
      const operator = operators.find(({ isBusy }) => !isBusy);
      operator?.setPace(world.pick([undefined, undefined, 120, 300]));
      return operator !== undefined;
    },
  },
  'the insurer leaves a request hanging': { weight: 4, apply: ({ insurer }: Scene) => insurer.next('hang') },
  'Retry-After': { weight: 3, apply: ({ insurer }: Scene) => insurer.next('busy') },
  '401': { weight: 1, apply: ({ insurer }: Scene) => insurer.next('unauthorized') },
  '410': { weight: 1, apply: ({ insurer }: Scene) => insurer.next('not-insured') },
  'a person waits': {
    weight: 3,
    apply: ({ world, temporal }: Scene) => {
      for (let left = world.whole(1, 3); left > 0; left -= 1) temporal.addUrgentTask();
      return true;
    },
  },
} satisfies Record<string, { readonly weight: number; readonly apply: ApplyFault }>;

export type FaultKind = keyof typeof faults;
export const faultKinds = Object.keys(faults) as FaultKind[];

/** Draws faults of some kinds only, because one fault can hide the effect of another. */
export function chooseFaults(random: () => number): () => FaultKind {
  const kinds = faultKinds.filter(() => random() < 0.5);
  const chosen = kinds.length > 2 ? kinds : faultKinds;
  const weightOfAll = chosen.reduce((sum, kind) => sum + faults[kind].weight, 0);
  return () => {
    let left = random() * weightOfAll;
    return (
      chosen.find((kind) => {
        left -= faults[kind].weight;
        return left < 0;
      }) ?? 'SIGTERM'
    );
  };
}
