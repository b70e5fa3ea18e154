import { driftMost } from './judge.ts';
import type { Simulation } from './simulation.ts';
import { tableTroubles } from './table.ts';
import { type SimulatedWorker, settings } from './worker.ts';

const { leaseMs } = settings;

/** @returns false when there was nobody to do it to */
type Strike = (simulation: Simulation) => boolean;

/** Mostly the holder: the others have nothing to lose. */
function victimOf(
  { world, workers, holder }: Simulation,
  suits: (worker: SimulatedWorker) => boolean = () => true,
): SimulatedWorker | undefined {
  if (holder !== undefined && world.chance(0.75) && suits(holder)) return holder;
  return world.pick(workers.filter(suits));
}

const on =
  (
    strike: (worker: SimulatedWorker, simulation: Simulation) => unknown,
    suits?: (worker: SimulatedWorker) => boolean,
  ): Strike =>
  (simulation) => {
    const worker = victimOf(simulation, suits);
    if (worker === undefined) return false;
    strike(worker, simulation);
    return true;
  };

const isPunctual = (worker: SimulatedWorker): boolean => worker.isPunctual;

const still = (who: 'parent' | 'child', from: number, to: number): Strike =>
  on((worker, { world }) => worker.holdStill(who, world.between(from, to)), isPunctual);

const forAWhile = (begin: () => void, end: () => void, { world }: Simulation, most: number): void => {
  begin();
  world.plan(world.between(20, most), end);
};

/**
 * The next request is left hanging, and with it the lease comes to its end: its renewals fail, or the process that would make
 * them, or close the socket, stands still. Sometimes the machine is busy at that very moment.
 */
function endLeaseInRequest(worker: SimulatedWorker, simulation: Simulation): void {
  const { world, insurer } = simulation;
  const { tableLink, stuckWrites, machine } = worker;
  insurer.next('hang');
  const lateFirst = world.chance(0.4);
  const drawn = world.random();
  const loseRenewals = (): void => {
    tableLink.trouble = lateFirst ? 'answer late' : 'request lost';
    simulation.arm(
      world.plan(world.between(150, 400), () => {
        tableLink.trouble = 'request lost';
      }),
    );
    world.plan(leaseMs * 1.6, () => {
      tableLink.trouble = undefined;
    });
  };
  if (drawn > 0.8) stuckWrites.nextMs = world.between(leaseMs * 0.5, leaseMs * 2);
  const disarm = insurer.once('arrival', () => {
    if (drawn < 0.3) return void worker.holdStill('parent', world.between(leaseMs, leaseMs * 2.2));
    loseRenewals();
    if (drawn > 0.6 && drawn <= 0.8) worker.holdStill('child', leaseMs * 2.2);
    if (drawn > 0.6) return;
    const atEnd = (): void => {
      const leftMs = worker.sendUntilMs - machine.monotonicMs();
      if (leftMs > 40) simulation.arm(world.plan(leftMs - world.between(1, 40), atEnd));
      else worker.beBusy();
    };
    simulation.arm(world.plan(500, atEnd));
  });
  simulation.arm(disarm);
}

/** The next request is left hanging, and an operator pauses in it, while calls to the table take their time. */
function pauseInRequest(simulation: Simulation): boolean {
  const { world, insurer } = simulation;
  const operator = simulation.operators.find(({ isBusy }) => !isBusy);
  if (operator === undefined) return false;
  insurer.next('hang');
  const disarm = insurer.once('arrival', () => {
    operator.pauseFor(world.between(20, 1_200));
    for (const link of [operator.tableLink, simulation.holder?.tableLink]) {
      if (link === undefined || world.chance(0.4)) continue;
      const trouble = world.pick(['answer late', 'slow', 'request lost', 'answer lost'] as const);
      const begins = world.plan(world.between(0, leaseMs), () => {
        link.trouble = trouble;
      });
      const ends = world.plan(world.between(leaseMs / 2, leaseMs * 1.3), () => {
        link.trouble = undefined;
      });
      simulation.arm(begins);
      simulation.arm(ends);
    }
  });
  simulation.arm(disarm);
  return true;
}

/** What each fault does, and how often it is drawn. */
export const faults = {
  'kill -9 of the parent': { weight: 4, strike: on(({ parent }) => parent.kill('kill -9')) },
  'kill -9 of the child': { weight: 5, strike: on(({ child }) => child?.kill('kill -9')) },
  'parent frozen for less than the lease': { weight: 6, strike: still('parent', 5, leaseMs * 0.8) },
  'parent frozen for more than the lease': { weight: 5, strike: still('parent', leaseMs, leaseMs * 2.5) },
  'child frozen for less than the lease': { weight: 6, strike: still('child', 5, leaseMs * 0.8) },
  'child frozen for more than the lease': { weight: 5, strike: still('child', leaseMs, leaseMs * 2.5) },
  'child frozen between its look at the clock and the writing': {
    weight: 4,
    strike: on(({ stuckWrites }, { world }) => {
      stuckWrites.nextMs = world.between(5, leaseMs * 1.6);
    }, isPunctual),
  },
  'thaw before its time': {
    weight: 2,
    strike: on(
      (worker) => worker.goOn(),
      ({ parent, child }) => parent.standsStill || child?.standsStill === true,
    ),
  },
  'event loop blocked': {
    weight: 5,
    strike: on(
      (worker, { world }) => worker.holdStill(world.chance(0.5) ? 'parent' : 'child', world.between(10, leaseMs * 0.4)),
      isPunctual,
    ),
  },
  'kill -9 of the parent of a frozen child': {
    weight: 3,
    strike: on((worker, simulation) => {
      const { world } = simulation;
      const { parent } = worker;
      worker.holdStill('child', leaseMs * 3);
      simulation.arm(world.plan(world.between(0, leaseMs * 1.5), () => parent.kill('kill -9')));
    }, isPunctual),
  },
  'the lease ends while a request hangs': { weight: 8, strike: on(endLeaseInRequest, isPunctual) },
  'machine busy': { weight: 3, strike: on((worker) => worker.beBusy(), isPunctual) },
  'machine suspended': { weight: 2, strike: (simulation: Simulation) => victimOf(simulation)?.suspend() ?? false },
  SIGTERM: {
    weight: 5,
    strike: on(
      (worker) => worker.stop(),
      (worker) => worker.isPunctual && !worker.isStopping,
    ),
  },
  'a worker joins': {
    weight: 2,
    strike: (simulation: Simulation) => {
      if (simulation.wanted >= 4) return false;
      simulation.wanted += 1;
      return true;
    },
  },
  'a worker leaves': {
    weight: 2,
    strike: (simulation: Simulation) => {
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
    strike: (simulation: Simulation) => {
      const { world, operators } = simulation;
      const link = world.chance(0.8) ? victimOf(simulation)?.tableLink : world.pick(operators)?.tableLink;
      if (link === undefined) return false;
      const trouble = world.pick(tableTroubles);
      forAWhile(
        () => {
          link.trouble = trouble;
        },
        () => {
          link.trouble = undefined;
        },
        simulation,
        leaseMs * 1.6,
      );
      return true;
    },
  },
  'insurer out of reach': {
    weight: 3,
    strike: on(({ insurerLink }, simulation) => {
      const trouble = simulation.world.chance(0.5) ? 'refused' : 'silent';
      forAWhile(
        () => {
          insurerLink.trouble = trouble;
        },
        () => {
          insurerLink.trouble = undefined;
        },
        simulation,
        leaseMs,
      );
    }),
  },
  'connections cut': { weight: 3, strike: on(({ child }, { insurer }) => child !== undefined && insurer.cut(child)) },
  'Temporal cut off': {
    weight: 4,
    strike: (simulation: Simulation) => {
      const { world, operators } = simulation;
      const link = world.chance(0.6) ? victimOf(simulation)?.temporalLink : world.pick(operators)?.temporalLink;
      if (link === undefined) return false;
      forAWhile(
        () => {
          link.isCut = true;
        },
        () => {
          link.isCut = false;
        },
        simulation,
        leaseMs * 4,
      );
      return true;
    },
  },
  'Temporal down': {
    weight: 1,
    strike: (simulation: Simulation) => {
      const { temporal } = simulation;
      forAWhile(
        () => {
          temporal.isDown = true;
        },
        () => {
          temporal.isDown = false;
        },
        simulation,
        leaseMs * 4,
      );
      return true;
    },
  },
  'wall clock jumps': {
    weight: 2,
    strike: on(({ machine }, { world }) => machine.setWallClock(world.between(-3_600_000, 3_600_000))),
  },
  'clock drifts': {
    weight: 2,
    strike: on(({ machine }, { world }) => machine.drift(world.between(-driftMost, driftMost))),
  },
  'pause and resume': {
    weight: 8,
    strike: (simulation: Simulation) => {
      const { world } = simulation;
      const operator = simulation.operators.find(({ isBusy }) => !isBusy);
      operator?.pauseFor(world.between(20, 1_200));
      return operator !== undefined;
    },
  },
  'a pause meets a request that hangs': { weight: 6, strike: pauseInRequest },
  'an operator resumes': {
    weight: 3,
    strike: ({ operators }: Simulation) => {
      const operator = operators.find(({ isBusy }) => !isBusy);
      operator?.onlyResume();
      return operator !== undefined;
    },
  },
  'an operator pauses': {
    weight: 2,
    strike: ({ operators }: Simulation) => {
      const operator = operators.find(({ isBusy }) => !isBusy);
      operator?.onlyPause();
      return operator !== undefined;
    },
  },
  'the insurer leaves a request hanging': { weight: 4, strike: ({ insurer }: Simulation) => insurer.next('hang') },
  'Retry-After': { weight: 3, strike: ({ insurer }: Simulation) => insurer.next('busy') },
  '401': { weight: 1, strike: ({ insurer }: Simulation) => insurer.next('unauthorized') },
  '410': { weight: 1, strike: ({ insurer }: Simulation) => insurer.next('not-insured') },
  'a person waits': {
    weight: 3,
    strike: ({ temporal }: Simulation) => {
      temporal.personComes();
      return true;
    },
  },
} satisfies Record<string, { readonly weight: number; readonly strike: Strike }>;

export type FaultKind = keyof typeof faults;
export const faultKinds = Object.keys(faults) as FaultKind[];

/** Draws faults of some kinds only: what one of them leads to shows best where the others do not get in its way. */
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
