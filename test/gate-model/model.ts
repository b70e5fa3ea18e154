import {
  decideGate,
  type Gate,
  type GateEvent,
  hasLapsed,
  isSilent,
  type LeaseWatch,
  type LineCommand,
  leaseMarginMs,
  lineItself,
  newGate,
  type OpenReason,
  watchLease,
} from '../../core/domain/gate.ts';
import { type KeeperState, maySendUntilMs, nextGateEvent } from '../../worker/line/lease.ts';
import { type Exploration, explore, type Move } from './explorer.ts';

/**
 * A world of two workers, a pauser and a resumer, which runs the gate's protocol with the real functions. Reads and writes
 * take time. Writes and their answers arrive late, twice or never. Processes freeze, continue, stop and die. Every order of these
 * events is tried. Either the keeper or its line process may be frozen, never both: no client can help if a whole machine
 * freezes for longer than a lease (docs/explanation/limits.md).
 */
export interface World {
  readonly nowMs: number;
  readonly gate: Gate;
  readonly workers: readonly [Worker, Worker];
  /** writes that their senders have abandoned, and that may still arrive */
  readonly abandoned: readonly Put[];
  readonly pauser: Pauser;
  readonly resumer: Resumer;
  /** of a timed pause that is in the gate: its end, which nothing may bring forward; Infinity once another pause has no end */
  readonly endMs?: number;
  /** the first timed pause, as an update that its caller has given up, and that still runs later */
  readonly late?: LineCommand;
  readonly budget: Budget;
}

/** How often each event may still happen. */
export interface Budget {
  /** calls to the gate during which other events can happen; all other calls take one step */
  readonly delays: number;
  readonly freezes: number;
  readonly crashes: number;
  /** SIGTERM */
  readonly stops: number;
  readonly lostAnswers: number;
  /** how often the same lost write may arrive */
  readonly arrivals: number;
  readonly pauses: number;
  readonly resumes: number;
  /** how often the timer of `insurerLine` may write. If it may, pauses are timed, and the pauser extends them. */
  readonly ends: number;
  /** how often another operator pauses the paused line without an end */
  readonly endless: number;
}

/** A compare-and-set in flight: `gate` is written if the item's number is still `basis`. */
interface Put {
  readonly gate: Gate;
  readonly basis: number;
  readonly arrivals: number;
}

interface Write {
  readonly kind: GateEvent['kind'];
  readonly put: Put;
  readonly sentMs: number;
  readonly status: 'in flight' | 'applied' | 'stale';
}

/** A worker: the keeper, and the relevant part of its line process: its permit, and whether a request is in flight. */
interface Worker {
  readonly holder: string;
  readonly isUp: boolean;
  readonly isStopping: boolean;
  readonly frozen?: 'keeper' | 'line process';
  /** an answer with the gate that is on its way to the keeper */
  readonly reading?: Gate;
  readonly watch?: LeaseWatch;
  /** until when the keeper's lease lets the line process send; 0 without a lease */
  readonly leaseUntilMs: number;
  /** the keeper's last order, and the last order that the line process has received */
  readonly order: Order;
  readonly received: Order;
  /** the latest end of all permits of this line process */
  readonly allowedUntilMs: number;
  /** whether the keeper knows that nothing is in flight and nothing can be sent */
  readonly isClosed: boolean;
  readonly write?: Write;
  /** whether the insurer sees a request that is neither answered nor closed */
  readonly isSending: boolean;
}

interface Order {
  readonly untilMs: number;
  /** whether the line is paused or the process stops */
  readonly forbids: boolean;
}

interface Pauser {
  readonly phase: 'open' | 'writing' | 'waiting' | 'reading' | 'confirmed';
  readonly write?: Write;
  readonly watch?: LeaseWatch;
  /** an answer that is on its way to the pauser */
  readonly reading?: Gate;
  /** the pause that was confirmed */
  readonly change?: number;
}

/** Resumes a line that it has seen paused. When it acts, another pause may apply. */
interface Resumer {
  readonly seen?: number;
  /** the pause for which it has requested a valid resume; silence is not guaranteed from then on */
  readonly lifted?: number;
  /** whether it has resumed a pause that it had not seen */
  readonly liftedUnseen?: true;
  readonly write?: Write;
}

/** The rules: the real ones, or with one of them broken. */
export interface Rules {
  readonly decideGate: typeof decideGate;
  readonly watchLease: typeof watchLease;
  readonly nextGateEvent: typeof nextGateEvent;
  readonly maySendUntilMs: typeof maySendUntilMs;
  readonly isSilent: typeof isSilent;
  /** for the pauser; the workers use it within nextGateEvent */
  readonly hasLapsed: typeof hasLapsed;
  /** the lease counts from the sending of its renewal, not from the answer */
  readonly leaseFrom: 'sending' | 'answer';
  /** whether a pauser ends a lapsed lease by its own compare-and-set */
  readonly pauserEndsLease: boolean;
  readonly lineProcessClosesAtLeaseEnd: boolean;
  readonly keeperKillsAtLeaseEnd: boolean;
  readonly isCompareAndSet: boolean;
  /** whether a write that its sender has abandoned is compared, too */
  readonly isAbandonedCompared: boolean;
  readonly newHolderKnowsOfPause: boolean;
}

export const rules: Rules = {
  decideGate,
  watchLease,
  nextGateEvent,
  maySendUntilMs,
  isSilent,
  hasLapsed,
  leaseFrom: 'sending',
  pauserEndsLease: true,
  lineProcessClosesAtLeaseEnd: true,
  keeperKillsAtLeaseEnd: true,
  isCompareAndSet: true,
  isAbandonedCompared: true,
  newHolderKnowsOfPause: true,
};

/** One step of time: the margin of the shortest leases. */
export const tickMs = 150;
/** The holder may send for one step. A watcher waits for three. */
export const leaseMs = 2 * tickMs;

const none: Order = { untilMs: 0, forbids: false };
const workerNamed = (holder: string): Worker => ({
  holder,
  isUp: true,
  isStopping: false,
  leaseUntilMs: 0,
  order: none,
  received: none,
  allowedUntilMs: 0,
  isClosed: true,
  isSending: false,
});

export function exploreGate(budget: Budget, broken: Partial<Rules> = {}, statesMax = 3_000_000): Exploration {
  const start: World = {
    nowMs: 1_000 * tickMs,
    gate: newGate('kk', 1),
    workers: [workerNamed('A0'), workerNamed('B0')],
    abandoned: [],
    pauser: { phase: 'open' },
    resumer: {},
    budget,
  };
  const chosen = { ...rules, ...broken };
  return explore({
    start,
    movesOf: (world) => settledMovesOf(world, chosen),
    keyOf: (world) => keyOf(world, chosen),
    brokenGuarantee,
    remarkable,
    statesMax,
  });
}

function brokenGuarantee({ workers, pauser, resumer, gate, endMs, nowMs }: World): string | undefined {
  const isOver = endMs !== undefined && nowMs >= endMs; // the timer may have opened the line
  if (gate.state === 'open' && endMs !== undefined && !isOver)
    return 'a timed pause has ended before its end, or before the last reason';
  const sending = workers.filter(({ isSending }) => isSending).length;
  if (sending > 1) return 'two requests are in flight at the same time';
  if (sending > 0 && pauser.phase === 'confirmed' && !isOver)
    return 'a request is in flight on a line that is confirmed silent';
  if (resumer.liftedUnseen) return 'a resume has lifted a pause that it had not seen';
  return undefined;
}

function remarkable({ workers, pauser, gate }: World): string[] {
  return [
    ...(workers.some(({ isSending }) => isSending) ? ['a request is in flight'] : []),
    ...(pauser.phase === 'confirmed' ? ['a pause is confirmed'] : []),
    ...(workers.some(({ holder, leaseUntilMs }) => leaseUntilMs > 0 && gate.holder !== holder)
      ? ['the line was taken over']
      : []),
    ...(gate.changeNumber > 1 && gate.state === 'open' ? ['the line was resumed'] : []),
    ...(gate.by === lineItself ? ['the timer opened the line'] : []),
  ];
}

function* settledMovesOf(world: World, rules: Rules): Generator<Move<World>> {
  for (const { what, state } of movesOf(world, rules)) {
    const [one, other] = state.workers;
    const workers = [settle(one, state.nowMs), settle(other, state.nowMs)] as const;
    const isSettled = workers[0] === one && workers[1] === other;
    yield { what, state: isSettled ? state : { ...state, workers } };
  }
}

/** Delivers the messages between a worker's two processes immediately, or later if one of them is frozen. */
function settle(worker: Worker, nowMs: number): Worker {
  const received = worker.frozen === 'line process' ? worker.received : worker.order;
  const isClosed =
    worker.isClosed || (worker.frozen === undefined && !worker.isSending && !maySend({ received }, nowMs));
  return received === worker.received && isClosed === worker.isClosed ? worker : { ...worker, received, isClosed };
}

const maySend = ({ received }: Pick<Worker, 'received'>, nowMs: number): boolean =>
  received.untilMs > nowMs && !received.forbids;

function* movesOf(world: World, rules: Rules): Generator<Move<World>> {
  const { gate, abandoned, pauser, resumer, budget, nowMs } = world;
  for (const index of [0, 1] as const) yield* workerMoves(world, index, rules);

  for (const [index, put] of abandoned.entries()) {
    const others = abandoned.filter((_, other) => other !== index);
    const again = put.arrivals > 1 ? [{ ...put, arrivals: put.arrivals - 1 }] : [];
    const applied = applyPut(gate, put, { isCompareAndSet: rules.isAbandonedCompared });
    if (applied !== undefined)
      yield {
        what: 'an abandoned write is applied',
        state: { ...world, gate: applied, abandoned: [...others, ...again] },
      };
  }

  yield* writeMoves(world, 'the pauser', pauser.write, rules, (write, change) => ({
    ...world,
    ...change,
    pauser: { ...without(pauser, 'write'), ...(write && { write }) },
  }));
  switch (pauser.phase) {
    case 'open':
    case 'writing': {
      if (pauser.write !== undefined) {
        if (pauser.write.status === 'in flight') break;
        const phase = pauser.write.status === 'applied' ? 'waiting' : 'writing'; // stale: it reads again
        yield { what: `the pauser learns: ${pauser.write.status}`, state: { ...world, pauser: { phase } } };
        break;
      }
      if (pauser.phase === 'open' && budget.pauses === 0) break;
      const left = pauser.phase === 'open' ? { ...budget, pauses: budget.pauses - 1 } : budget;
      const later = { ...left, delays: left.delays - 1 };
      const timed = budget.ends > 0 ? timedPause(gate, nowMs + tickMs) : undefined;
      const event: GateEvent = timed ?? {
        kind: 'pause',
        by: 'olga',
        reason: 'call',
        at: 'now',
        seen: gate.changeNumber,
      };
      const decision = rules.decideGate(gate, event);
      if (decision.kind === 'write') {
        const write = writeOf(event, decision.gate, gate, nowMs);
        yield {
          what: 'the pauser closes the gate',
          state: {
            ...world,
            gate: decision.gate,
            budget: left,
            pauser: { phase: 'waiting' },
            ...(timed && { endMs: nowMs + tickMs, late: timed }),
          },
        };
        if (left.delays > 0)
          yield { what: 'the pauser writes', state: { ...world, budget: later, pauser: { phase: 'writing', write } } };
      }
      break;
    }
    case 'waiting':
      yield* pauserReads(world, gate, 'the pauser reads the gate', rules);
      if (budget.delays > 0)
        yield {
          what: 'the pauser starts to read the gate',
          state: {
            ...world,
            budget: { ...budget, delays: budget.delays - 1 },
            pauser: { ...pauser, phase: 'reading', reading: gate },
          },
        };
      break;
    case 'reading':
      if (pauser.reading !== undefined)
        yield* pauserReads(world, pauser.reading, 'the pauser finishes its read', rules);
      break;
    case 'confirmed':
      if (budget.pauses > 0 && gate.state === 'open')
        yield { what: 'the line is to be paused again', state: { ...world, pauser: { phase: 'open' } } };
      if (budget.pauses > 0 && gate.state === 'paused' && world.endMs !== undefined) {
        const untilMs = nowMs + 2 * tickMs;
        const decision = rules.decideGate(gate, timedPause(gate, untilMs));
        const left = { ...budget, pauses: budget.pauses - 1 };
        const endMs = Math.max(world.endMs, untilMs);
        if (decision.kind === 'write')
          yield { what: 'the pauser extends its pause', state: { ...world, gate: decision.gate, budget: left, endMs } };
      }
  }
  yield* timerMoves(world, rules);

  yield* writeMoves(world, 'the resumer', resumer.write, rules, (write, change) => ({
    ...world,
    ...change,
    resumer: { ...without(resumer, 'write'), ...(write && { write }) },
  }));
  if (resumer.write !== undefined) {
    if (resumer.write.status !== 'in flight')
      yield { what: 'the resumer learns the result', state: { ...world, resumer: without(resumer, 'write') } };
  } else if (resumer.seen === undefined) {
    if (budget.resumes > 0 && gate.state === 'paused')
      yield {
        what: `the resumer sees pause ${gate.changeNumber}`,
        state: { ...world, resumer: { seen: gate.changeNumber } },
      };
  } else if (budget.resumes > 0) {
    const event: GateEvent = { kind: 'resume', by: 'otto', reason: 'done', at: 'now', seen: resumer.seen };
    const decision = rules.decideGate(gate, event);
    if (decision.kind === 'write') {
      const requested: World = {
        ...world,
        budget: { ...budget, resumes: budget.resumes - 1 },
        pauser: pauser.phase === 'confirmed' && pauser.change === resumer.seen ? { phase: 'open' } : pauser,
        resumer: {
          ...resumer,
          lifted: resumer.seen,
          ...(gate.changeNumber !== resumer.seen && { liftedUnseen: true }),
        },
      };
      const what = `the resumer of pause ${resumer.seen} opens the gate`;
      yield { what, state: { ...requested, gate: decision.gate } };
      if (budget.delays > 0)
        yield {
          what: `${what}, with a delay`,
          state: {
            ...requested,
            budget: { ...requested.budget, delays: budget.delays - 1 },
            resumer: { ...requested.resumer, write: writeOf(event, decision.gate, gate, nowMs) },
          },
        };
    }
  }

  yield { what: 'time passes', state: tick(world, rules) };
}

const isoOf = (ms: number): string => new Date(ms).toISOString();
const timedPause = ({ changeNumber }: Gate, untilMs: number) =>
  ({ kind: 'pause', by: 'olga', reason: 'call', at: 'now', seen: changeNumber, until: isoOf(untilMs) }) as const;

/** Yields what the timer of `insurerLine` does, and what other commands do to a timed pause. */
function* timerMoves(world: World, rules: Rules): Generator<Move<World>> {
  const { gate, late, budget, nowMs, endMs } = world;
  if (budget.ends > 0) {
    const decision = rules.decideGate(gate, { kind: 'expire', at: isoOf(nowMs) });
    const left = { ...budget, ends: budget.ends - 1 };
    if (decision.kind === 'write') {
      yield { what: 'the timer ends a pause', state: { ...world, gate: decision.gate, budget: left } };
      const put: Put = { gate: decision.gate, basis: gate.leaseNumber, arrivals: 1 };
      yield { what: 'the timer ends a pause, with a delay', state: { ...world, budget: left, abandoned: [put] } };
    }
  }
  if (late !== undefined) {
    const { late: _, ...rest } = world;
    const decision = rules.decideGate(gate, { kind: 'pause', at: 'later', ...late });
    const state = decision.kind === 'write' ? { ...rest, gate: decision.gate } : rest;
    yield { what: 'an update that the pauser has given up runs', state };
  }
  if (budget.endless > 0 && gate.state === 'paused' && endMs !== undefined) {
    const seen = gate.changeNumber;
    const decision = rules.decideGate(gate, { kind: 'pause', by: 'anna', reason: 'modem', at: 'now', seen });
    const left = { ...budget, endless: budget.endless - 1 };
    if (decision.kind === 'write')
      yield {
        what: 'another operator pauses without an end',
        state: { ...world, gate: decision.gate, budget: left, endMs: Number.POSITIVE_INFINITY },
      };
  }
}

function* workerMoves(world: World, index: 0 | 1, rules: Rules): Generator<Move<World>> {
  const { gate, budget, nowMs, abandoned } = world;
  const worker = world.workers[index];
  const name = worker.holder;
  const worldWith = (changed: Worker, change: Partial<World> = {}): World => ({
    ...world,
    ...change,
    workers: index === 0 ? [changed, world.workers[1]] : [world.workers[0], changed],
  });
  if (!worker.isUp) {
    yield {
      what: `another worker replaces ${name}`,
      state: worldWith(workerNamed(`${name[0]}${Number(name[1]) + 1}`)),
    };
    return;
  }
  if (budget.crashes > 0) {
    const left =
      worker.write?.status === 'in flight' ? [...abandoned, { ...worker.write.put, arrivals: 1 }] : abandoned;
    yield {
      what: `${name} is killed`,
      state: worldWith(
        { ...workerNamed(name), isUp: false },
        { abandoned: left, budget: { ...budget, crashes: budget.crashes - 1 } },
      ),
    };
  }
  if (worker.frozen !== undefined)
    yield { what: `${name}'s ${worker.frozen} continues`, state: worldWith(without(worker, 'frozen')) };
  else if (budget.freezes > 0)
    for (const frozen of ['keeper', 'line process'] as const)
      yield {
        what: `${name}'s ${frozen} freezes`,
        state: worldWith({ ...worker, frozen }, { budget: { ...budget, freezes: budget.freezes - 1 } }),
      };

  if (worker.frozen === 'line process')
    yield { what: `${name}'s keeper kills its line process`, state: worldWith(withoutLineProcess(worker)) };
  else if (worker.isSending)
    yield { what: `${name}'s request ends`, state: worldWith({ ...worker, isSending: false }) };
  else if (maySend(worker, nowMs)) yield { what: `${name} sends`, state: worldWith({ ...worker, isSending: true }) };

  const { write, reading } = worker;
  yield* writeMoves(world, name, write, rules, (changed, change) =>
    worldWith({ ...without(worker, 'write'), ...(changed && { write: changed }) }, change),
  );
  if (worker.frozen === 'keeper') return;
  if (budget.stops > 0 && !worker.isStopping)
    yield {
      what: `${name} receives SIGTERM`,
      state: worldWith(
        { ...worker, isStopping: true, order: { ...worker.order, forbids: true } },
        { budget: { ...budget, stops: budget.stops - 1 } },
      ),
    };
  const later = { budget: { ...budget, delays: budget.delays - 1 } };
  if (write?.status === 'applied')
    yield {
      what: `${name} learns: ${write.kind} is written`,
      state: worldWith(handleWritten(worker, write, nowMs, rules)),
    };
  else if (write?.status === 'stale')
    yield { what: `${name} learns: stale`, state: worldWith(without(worker, 'write')) };
  else if (write === undefined) {
    if (reading === undefined && budget.delays > 0)
      yield { what: `${name} starts to read the gate`, state: worldWith({ ...worker, reading: gate }, later) };
    const read = reading ?? gate;
    const observed = observe(without(worker, 'reading'), read, nowMs, rules);
    const event = rules.nextGateEvent(read, keeperStateOf(observed), nowMs);
    const decision = event && rules.decideGate(read, event);
    const action = reading === undefined ? 'reads the gate' : 'finishes its read';
    if (event === undefined || decision?.kind !== 'write') {
      const isDone = observed.isStopping && read.holder !== worker.holder;
      yield isDone
        ? { what: `${name} ends`, state: worldWith({ ...workerNamed(name), isUp: false }) }
        : { what: `${name} ${action}`, state: worldWith(observed) };
      return;
    }
    const put = writeOf(event, decision.gate, read, nowMs);
    const what = `${name} ${action}, and writes: ${event.kind}`;
    const applied = applyPut(gate, put.put, rules);
    if (applied !== undefined)
      yield { what, state: worldWith(handleWritten(observed, put, nowMs, rules), { gate: applied }) };
    else yield { what: `${what}, too late`, state: worldWith(observed) };
    if (budget.delays > 0)
      yield { what: `${what}, with a delay`, state: worldWith({ ...observed, write: put }, later) };
  }
}

/** Handles the answer to a successful write of a keeper. */
function handleWritten(worker: Worker, { kind, put, sentMs }: Write, nowMs: number, rules: Rules): Worker {
  const isLease = kind === 'take' || kind === 'renew';
  const fromMs = rules.leaseFrom === 'sending' ? sentMs : nowMs;
  const leased = isLease ? { ...worker, leaseUntilMs: rules.maySendUntilMs(fromMs, leaseMs) } : worker;
  return observe(without(leased, 'write'), put.gate, nowMs, rules);
}

/** Handles an answer to the pauser. */
function* pauserReads(world: World, read: Gate, what: string, rules: Rules): Generator<Move<World>> {
  const { nowMs, gate, pauser, resumer, budget, abandoned } = world;
  if (read.state === 'open') return yield { what, state: { ...world, pauser: { phase: 'open' } } };
  const watch = rules.watchLease(pauser.watch, read, nowMs);
  const waiting: Pauser = { phase: 'waiting', ...(watch && { watch }) };
  /** not after a valid resume was requested, because silence is not guaranteed from then on */
  const confirmed = ({ changeNumber }: Gate): Pauser =>
    changeNumber === resumer.lifted ? waiting : { phase: 'confirmed', change: changeNumber };
  if (rules.isSilent(read)) return yield { what, state: { ...world, pauser: confirmed(read) } };
  const event: GateEvent | undefined =
    watch && rules.hasLapsed(watch, read, 0, nowMs) ? { kind: 'lapse', lapsed: watch } : undefined;
  const decision = event && rules.decideGate(read, event);
  if (event === undefined || decision?.kind !== 'write') return yield { what, state: { ...world, pauser: waiting } };
  if (!rules.pauserEndsLease) return yield { what, state: { ...world, pauser: confirmed(read) } };
  const { put } = writeOf(event, decision.gate, read, nowMs);
  const applied = applyPut(gate, put, rules);
  yield applied === undefined
    ? { what: `${what}, and ends the lease too late`, state: { ...world, pauser: waiting } }
    : { what: `${what}, and ends the lease`, state: { ...world, gate: applied, pauser: confirmed(applied) } };
  if (budget.delays > 0)
    yield {
      what: `${what}, and gives up ending the lease`,
      state: {
        ...world,
        budget: { ...budget, delays: budget.delays - 1 },
        abandoned: [...abandoned, put],
        pauser: waiting,
      },
    };
}

/** Yields what may happen to a write in flight. */
function* writeMoves(
  { gate, budget, abandoned }: World,
  who: string,
  write: Write | undefined,
  rules: Rules,
  worldWith: (write: Write | undefined, change: Partial<World>) => World,
): Generator<Move<World>> {
  if (write === undefined) return;
  if (write.status === 'in flight') {
    const applied = applyPut(gate, write.put, rules);
    if (applied === undefined)
      yield { what: `${who}'s ${write.kind} is rejected`, state: worldWith({ ...write, status: 'stale' }, {}) };
    else
      yield {
        what: `${who}'s ${write.kind} is applied`,
        state: worldWith({ ...write, status: 'applied' }, { gate: applied }),
      };
  }
  if (budget.lostAnswers === 0) return;
  const left = { ...budget, lostAnswers: budget.lostAnswers - 1 };
  const arrivals = budget.arrivals - (write.status === 'applied' ? 1 : 0);
  const remaining = write.status !== 'stale' && arrivals > 0 ? [...abandoned, { ...write.put, arrivals }] : abandoned;
  yield {
    what: `${who} never learns the result of its ${write.kind}`,
    state: worldWith(undefined, { budget: left, abandoned: remaining }),
  };
}

const applyPut = (gate: Gate, put: Put, { isCompareAndSet }: Pick<Rules, 'isCompareAndSet'>): Gate | undefined =>
  isCompareAndSet && gate.leaseNumber !== put.basis ? undefined : put.gate;

const writeOf = ({ kind }: GateEvent, written: Gate, read: Gate, sentMs: number): Write => ({
  kind,
  put: { gate: written, basis: read.leaseNumber, arrivals: 1 },
  sentMs,
  status: 'in flight',
});

/** Updates a keeper with the gate that it has read or written: its watch, its lease, and the order to its line process. */
function observe(worker: Worker, gate: Gate, nowMs: number, rules: Rules): Worker {
  const watch = rules.watchLease(worker.watch, gate, nowMs);
  const leaseUntilMs = gate.holder === worker.holder ? worker.leaseUntilMs : 0;
  const isPaused = gate.state === 'paused' && (rules.newHolderKnowsOfPause || worker.received.untilMs > 0);
  const order: Order = { untilMs: leaseUntilMs, forbids: isPaused || worker.isStopping };
  const isOpen = order.untilMs > 0 && !order.forbids;
  return {
    ...without(worker, 'watch'),
    ...(watch && { watch }),
    leaseUntilMs,
    order,
    allowedUntilMs: isOpen ? Math.max(worker.allowedUntilMs, order.untilMs) : worker.allowedUntilMs,
    isClosed: worker.isClosed && !isOpen,
  };
}

const keeperStateOf = ({ holder, watch, isClosed, isStopping }: Worker): KeeperState => ({
  holder,
  leaseMs,
  watch,
  renewAtMs: Number.NEGATIVE_INFINITY, // a renewal is always due; a keeper that does not read does not renew, which is tried, too
  isLineProcessReady: true,
  isLineProcessClosed: isClosed,
  isLineProcessGivenUp: false,
  wasBusy: false,
  isStopping,
  cooldownMs: 0,
  unwrittenPause: undefined,
});

/** Replaces a killed line process. Its sockets and permit are gone, and the next one may not send yet. */
const withoutLineProcess = (worker: Worker): Worker => ({
  ...without(worker, 'frozen'),
  leaseUntilMs: 0,
  order: none,
  received: none,
  isClosed: true,
  isSending: false,
});

/**
 * Advances the clock by one step. Before, the processes whose time is over have acted, late by the margin at most: the line
 * process closes on its own clock, and the keeper kills.
 */
function tick(world: World, rules: Rules): World {
  const isOver = (untilMs: number): boolean => world.nowMs >= untilMs + leaseMarginMs(leaseMs);
  const [a, b] = world.workers.map((worker): Worker => {
    if (worker.frozen === 'line process')
      return rules.keeperKillsAtLeaseEnd && isOver(worker.allowedUntilMs) && !worker.isClosed
        ? withoutLineProcess(worker)
        : worker;
    const closes = rules.lineProcessClosesAtLeaseEnd && worker.isSending && isOver(worker.received.untilMs);
    return closes ? { ...worker, isSending: false } : worker;
  });
  return { ...world, nowMs: world.nowMs + tickMs, workers: [a, b] as World['workers'] };
}

function without<Whole extends object, Key extends keyof Whole>(whole: Whole, key: Key): Omit<Whole, Key> {
  const { [key]: _, ...rest } = whole;
  return rest;
}

/**
 * Returns a key. Worlds with the same key have the same future. Times are relative to now, and only as far back as any rule
 * looks. A write that was overtaken fails, with any content, and a watch of such a lease restarts. The order of the two
 * workers does not matter.
 */
function keyOf(world: World, rules: Rules): string {
  const { gate, workers, abandoned, pauser, resumer, late, budget, nowMs } = world;
  const { isCompareAndSet, isAbandonedCompared } = rules;
  const isNeverCurrentAgain = isCompareAndSet && isAbandonedCompared && rules.decideGate === decideGate; // an old number
  const ageOf = (number: number, now: number): number | string =>
    number === now ? 0 : isNeverCurrentAgain ? '-' : now - number;
  const age = (leaseNumber: number): number | string => ageOf(leaseNumber, gate.leaseNumber);
  const isOver = (leaseNumber: number): boolean => isNeverCurrentAgain && leaseNumber !== gate.leaseNumber;
  const ticksTo = (ms: number): number => Math.round((ms - nowMs) / tickMs);
  const since = (ms: number): number => Math.min(longestLookBack, -ticksTo(ms));
  /** the end of a lease: `x` without one; -1 once its line process cannot be late any more */
  const end = (ms: number): number | string => (ms === 0 ? 'x' : Math.max(-1, ticksTo(ms)));

  /** the number that a watch is compared with; without a holder, no watch matches */
  const watchedNumber = ({ holder, leaseNumber, renewalNumber }: Gate): number =>
    holder === undefined ? leaseNumber : renewalNumber;
  /** empty without a holder, and if the last write was the renewal */
  const renewalKey = (one: Gate): string => {
    const renewal = ageOf(watchedNumber(one), watchedNumber(gate));
    return one.holder === undefined || renewal === 0 ? '' : `~${renewal}`;
  };
  const endKey = (ms: number): number => Math.max(0, ticksTo(ms));
  const reasonKey = ({ number, by, until }: OpenReason): string =>
    `${by[0]}${number}${until === undefined ? '' : `<${endKey(Date.parse(until))}`}`;
  /** empty unless pauses are timed */
  const reasonsKey = ({ openReasons = [] }: Gate): string =>
    world.endMs === undefined ? '' : openReasons.map(reasonKey).join('');
  const gateKey = (gate: Gate, nameOf: NameOf): string =>
    `${nameOf(gate.holder)}${gate.state[0]}${gate.silent ? 's' : 'n'}${gate.changeNumber}#${age(gate.leaseNumber)}${renewalKey(gate)}${reasonsKey(gate)}`;
  const putKey = ({ gate, basis, arrivals }: Put, nameOf: NameOf): string =>
    isOver(basis) ? '-' : `${gateKey(gate, nameOf)}<${age(basis)}*${arrivals}`;
  const writeKey = (write: Write | undefined, nameOf: NameOf): string => {
    if (write === undefined || write.status === 'stale') return write?.status ?? '';
    const { kind, status, put, sentMs } = write;
    const from = kind === 'take' || kind === 'renew' ? since(sentMs) : '';
    return `${kind}${from}${status[0]}${status === 'applied' ? gateKey(put.gate, nameOf) : putKey(put, nameOf)}`;
  };
  const watchKey = (watch: LeaseWatch | undefined, read: Gate | undefined): string => {
    if (watch === undefined) return '';
    const isOfRead = read !== undefined && watch.renewalNumber === watchedNumber(read);
    if (isNeverCurrentAgain && watch.renewalNumber !== watchedNumber(gate) && !isOfRead) return '';
    return `${ageOf(watch.renewalNumber, watchedNumber(gate))}${isOfRead ? 'r' : ''}@${since(watch.sinceMs)}`;
  };
  const orderKey = ({ untilMs, forbids }: Order): string => `${end(untilMs)}${forbids ? 'f' : ''}`;
  const workerKey = (worker: Worker): string => {
    if (!worker.isUp) return 'down';
    const { holder, reading, isStopping, isClosed, isSending, frozen = '' } = worker;
    const nameOf = namesFrom(holder, workers);
    return [
      `${isStopping ? 1 : 0}${isClosed ? 1 : 0}${isSending ? 1 : 0}${frozen}`,
      watchKey(worker.watch, reading),
      end(worker.leaseUntilMs),
      orderKey(worker.order),
      orderKey(worker.received),
      isClosed ? '' : end(worker.allowedUntilMs),
      writeKey(worker.write, nameOf),
      reading ? gateKey(reading, nameOf) : '',
    ].join();
  };
  /** everything but the workers, as seen by the first of them */
  const restKey = (first: Worker): string => {
    const nameOf = namesFrom(first.holder, workers);
    const { phase, write, watch, reading, change = '' } = pauser;
    const abandonedKeys = abandoned.map((put) => putKey(put, nameOf)).filter((key) => key !== '-');
    return [
      gateKey(gate, nameOf),
      abandonedKeys.sort().join('+'),
      `${phase}${change}`,
      writeKey(write, nameOf),
      watchKey(watch, reading),
      reading ? gateKey(reading, nameOf) : '',
      `${resumer.seen ?? ''},${resumer.lifted ?? ''}${resumer.liftedUnseen ? '!' : ''}`,
      writeKey(resumer.write, nameOf),
      ...(world.endMs === undefined
        ? []
        : [endKey(world.endMs), late && `${late.seen}<${endKey(Date.parse(late.until ?? ''))}`]),
      Object.values(budget).join('.'),
    ].join('|');
  };
  const [one, two] = workers.map((worker) => ({ worker, key: workerKey(worker) })).sort(byKey);
  if (one === undefined || two === undefined) throw new Error('a world has two workers');
  const rests = one.key === two.key ? [restKey(one.worker), restKey(two.worker)].sort() : [restKey(one.worker)];
  return `${one.key}|${two.key}|${rests[0]}`;
}

type NameOf = (holder: string | undefined) => string;
const byKey = (a: { readonly key: string }, b: { readonly key: string }): number => (a.key < b.key ? -1 : 1);

/** Returns a holder's name as one worker sees it: `me`, `other`, or a former worker. */
const namesFrom = (own: string, workers: World['workers']): NameOf => {
  const isThere = (holder: string): boolean => workers.some((worker) => worker.holder === holder);
  return (holder) => {
    if (holder === undefined) return '';
    if (holder === own) return 'me';
    return isThere(holder) ? 'other' : `${holder[0] === own[0] ? 'mine' : 'other'}${holder[1]}`;
  };
};

/** No rule looks further back than a lease with its margin, and one step. */
const longestLookBack = 4;

/** A broken watch that does not notice renewals. */
const watchHolder: Rules['watchLease'] = (watch, gate, nowMs) =>
  watch !== undefined && watch.holder === gate.holder ? watch : watchLease(undefined, gate, nowMs);

type Mutation = { readonly rules: Partial<Rules>; readonly budget?: Partial<Budget> };

/** Each rule broken alone, with the budget that shows it. */
export const brokenRules: Readonly<Record<string, Mutation>> = {
  'a lease is compared without its number': {
    rules: {
      watchLease: watchHolder,
      nextGateEvent: (gate, keeperState, nowMs) => {
        const { watch, holder } = keeperState;
        if (gate.holder === undefined || gate.holder === holder || watch?.holder !== gate.holder)
          return nextGateEvent(gate, keeperState, nowMs);
        const lapsed = { ...watch, renewalNumber: gate.renewalNumber };
        return hasLapsed(lapsed, gate, leaseMs, nowMs) ? { kind: 'take', holder, leaseMs, lapsed } : undefined;
      },
    },
  },
  'a renewal does not change the number': {
    rules: {
      decideGate: (gate, event) => {
        const decision = decideGate(gate, event);
        return decision.kind === 'write' && event.kind === 'renew'
          ? {
              kind: 'write',
              gate: { ...decision.gate, leaseNumber: gate.leaseNumber, renewalNumber: gate.renewalNumber },
            }
          : decision;
      },
    },
  },
  'a lease is taken that was not watched': {
    rules: {
      nextGateEvent: (gate, keeperState, nowMs) =>
        nextGateEvent(gate, keeperState, nowMs) ?? nextGateEvent(gate, keeperState, nowMs + 10 * leaseMs),
    },
  },
  'a lease counts from the answer': { rules: { leaseFrom: 'answer' } },
  'a holder keeps no margin': { rules: { maySendUntilMs: (sentMs, leaseMs) => sentMs + leaseMs } },
  'a watcher keeps no margin': {
    rules: {
      nextGateEvent: (gate, keeperState, nowMs) =>
        nextGateEvent(gate, keeperState, nowMs + leaseMarginMs(keeperState.leaseMs)),
    },
  },
  'a line process does not close at the end of the lease': { rules: { lineProcessClosesAtLeaseEnd: false } },
  'a keeper does not kill a frozen line process': { rules: { keeperKillsAtLeaseEnd: false }, budget: { freezes: 1 } },
  'a write is not compared': { rules: { isCompareAndSet: false } },
  'a write that was given up is not compared': {
    rules: { isAbandonedCompared: false },
    budget: { lostAnswers: 1, arrivals: 2 },
  },
  'a lease is handed back while its line process is not closed': {
    rules: {
      nextGateEvent: (gate, keeperState, nowMs) =>
        nextGateEvent(
          gate,
          { ...keeperState, isLineProcessClosed: keeperState.isLineProcessClosed || keeperState.isStopping },
          nowMs,
        ),
    },
    budget: { stops: 1 },
  },
  'a pause does not wait for silence': { rules: { isSilent: (gate) => gate.state === 'paused' } },
  'a held line counts as silent once it is paused': {
    rules: {
      decideGate: (gate, event) => {
        const decision = decideGate(gate, event);
        return decision.kind === 'write' && event.kind === 'pause'
          ? { kind: 'write', gate: { ...decision.gate, silent: true } }
          : decision;
      },
    },
  },
  'a lease that a pauser has watched is not ended': { rules: { pauserEndsLease: false } },
  'a pauser ends a lease that it has not watched': {
    rules: { hasLapsed: (watch, gate) => watch !== undefined && watch.renewalNumber === gate.renewalNumber },
  },
  'a pauser ends a lease without comparing its number': {
    rules: {
      watchLease: watchHolder,
      hasLapsed: (watch, gate, ownMs, nowMs) =>
        watch !== undefined && hasLapsed({ ...watch, renewalNumber: gate.renewalNumber }, gate, ownMs, nowMs),
      decideGate: (gate, event) =>
        event.kind === 'lapse' && gate.holder !== undefined
          ? decideGate(gate, {
              ...event,
              lapsed: { ...event.lapsed, holder: gate.holder, renewalNumber: gate.renewalNumber },
            })
          : decideGate(gate, event),
    },
  },
  'a holder says silent while its line process is not closed': {
    rules: {
      nextGateEvent: (gate, keeperState, nowMs) =>
        nextGateEvent(gate, { ...keeperState, isLineProcessClosed: true }, nowMs),
    },
  },
  'a new holder of a paused line sends': { rules: { newHolderKnowsOfPause: false } },
  'a resume opens any pause that it finds': {
    rules: {
      decideGate: (gate, event) =>
        decideGate(gate, event.kind === 'resume' ? { ...event, seen: gate.changeNumber } : event),
    },
    budget: { pauses: 2, resumes: 2 },
  },
  'a timer opens the line too early': {
    rules: {
      decideGate: (gate, event) =>
        decideGate(gate, event.kind === 'expire' ? { ...event, at: isoOf(Date.parse(event.at) + tickMs) } : event),
    },
    budget: { ends: 1 },
  },
  'a timer opens the line although a reason is left': {
    rules: {
      decideGate: ({ openReasons = [], ...gate }, event) =>
        decideGate({ ...gate, openReasons: event.kind === 'expire' ? openReasons.slice(0, 1) : openReasons }, event),
    },
    budget: { ends: 1, endless: 1 },
  },
  'a late pause brings back an end that was replaced': {
    rules: {
      decideGate: (gate, event) =>
        decideGate(gate, event.kind === 'pause' ? { ...event, seen: gate.changeNumber } : event),
    },
    budget: { pauses: 2, ends: 1 },
  },
};
