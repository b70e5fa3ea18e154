import {
  decideGate,
  type Gate,
  type GateEvent,
  hasLapsed,
  isSilent,
  type LeaseWatch,
  newGate,
  watchLease,
} from '../../core/domain/gate.ts';
import { maySendUntilMs, nextGateEvent, type Standing } from '../../worker/line/lease.ts';
import { type Exploration, explore, type Move } from './explorer.ts';

/**
 * The gate's protocol in a world of two workers, a pauser and a resumer, driven by the real functions. Writes land late, land twice
 * or are lost, and so are their answers; processes freeze, thaw and die; everyone takes as long as they like. Every order of
 * these is tried. Not both processes of one worker are frozen at once: against that no client can do anything (README, limits).
 */
export interface World {
  readonly nowMs: number;
  readonly gate: Gate;
  readonly workers: readonly [Worker, Worker];
  /** writes that nobody waits for any more, and that may yet land */
  readonly stray: readonly Put[];
  readonly pauser: Pauser;
  readonly resumer: Resumer;
  readonly budget: Budget;
}

/** How often each thing may still happen. */
export interface Budget {
  /** calls to the gate that take their time: everything else can happen meanwhile. All others are done in one step. */
  readonly delays: number;
  readonly freezes: number;
  readonly crashes: number;
  readonly lostAnswers: number;
  /** how often one and the same lost write may land */
  readonly landings: number;
  readonly pauses: number;
  readonly resumes: number;
}

/** A compare-and-set under way: `gate` is written if the item's number still is `basis`. */
interface Put {
  readonly gate: Gate;
  readonly basis: number;
  readonly landings: number;
}

interface Write {
  readonly kind: GateEvent['kind'];
  readonly put: Put;
  readonly sentMs: number;
  readonly fate: 'under way' | 'landed' | 'stale';
}

/** One worker: the keeper, and its child as far as it matters: what it may do, and whether a request is under way. */
interface Worker {
  readonly holder: string;
  readonly isUp: boolean;
  readonly frozen?: 'keeper' | 'child';
  readonly watch?: LeaseWatch;
  /** until when the keeper's lease lets the child send; 0 without a lease */
  readonly leaseUntilMs: number;
  /** what the keeper has told the child last, and what the child has heard */
  readonly order: Order;
  readonly heard: Order;
  /** the latest end of what the keeper has ever allowed this child */
  readonly allowedUntilMs: number;
  /** the keeper knows that nothing is under way, and that nothing can be sent */
  readonly isClosed: boolean;
  readonly write?: Write;
  /** as the insurer sees it: written, and neither answered nor its socket closed */
  readonly isSending: boolean;
}

interface Order {
  readonly untilMs: number;
  readonly isPaused: boolean;
}

interface Pauser {
  readonly phase: 'open' | 'writing' | 'waiting' | 'asked' | 'confirmed';
  readonly write?: Write;
  readonly watch?: LeaseWatch;
  readonly asked?: { readonly gate: Gate; readonly atMs: number };
  /** the pause that was confirmed */
  readonly change?: number;
}

/** Wants the line open that it has seen paused; by the time it acts, another pause may hold. */
interface Resumer {
  readonly seen?: number;
  /** the pause that it has rightly asked to be lifted: from then on nobody promises silence */
  readonly lifted?: number;
  readonly write?: Write;
}

/** What is tried: the real rules, or with one of them broken. */
export interface Rules {
  readonly decideGate: typeof decideGate;
  readonly watchLease: typeof watchLease;
  readonly nextGateEvent: typeof nextGateEvent;
  readonly maySendUntilMs: typeof maySendUntilMs;
  readonly isSilent: typeof isSilent;
  /** the lease counts from the sending of its renewal, not from the answer */
  readonly leaseFrom: 'sending' | 'answer';
  /** what was read counts for the moment before it was asked for */
  readonly silenceJudgedAt: 'asking' | 'answer';
  readonly childClosesAtLeaseEnd: boolean;
  readonly keeperKillsAtLeaseEnd: boolean;
  readonly isCompareAndSet: boolean;
  readonly resumeNames: 'what it has seen' | 'what it finds';
}

export const rules: Rules = {
  decideGate,
  watchLease,
  nextGateEvent,
  maySendUntilMs,
  isSilent,
  leaseFrom: 'sending',
  silenceJudgedAt: 'asking',
  childClosesAtLeaseEnd: true,
  keeperKillsAtLeaseEnd: true,
  isCompareAndSet: true,
  resumeNames: 'what it has seen',
};

/** One step of time: the margin of the shortest leases. */
export const tickMs = 150;
/** The holder may send for one step; whoever watches waits for three. */
export const leaseMs = 2 * tickMs;

const none: Order = { untilMs: 0, isPaused: false };
const workerNamed = (holder: string): Worker => ({
  holder,
  isUp: true,
  leaseUntilMs: 0,
  order: none,
  heard: none,
  allowedUntilMs: 0,
  isClosed: true,
  isSending: false,
});

export function exploreGate(budget: Budget, broken: Partial<Rules> = {}, statesMax = 3_000_000): Exploration {
  const start: World = {
    nowMs: 1_000 * tickMs,
    gate: newGate('kk', 1),
    workers: [workerNamed('A0'), workerNamed('B0')],
    stray: [],
    pauser: { phase: 'open' },
    resumer: {},
    budget,
  };
  const chosen = { ...rules, ...broken };
  return explore({
    start,
    movesOf: (world) => settledMovesOf(world, chosen),
    keyOf,
    brokenPromise,
    remarkable,
    statesMax,
  });
}

function brokenPromise({ workers, pauser }: World): string | undefined {
  const sending = workers.filter(({ isSending }) => isSending).length;
  if (sending > 1) return 'two requests are under way at once';
  if (sending > 0 && pauser.phase === 'confirmed') return 'a request is under way on a line that was called silent';
  return undefined;
}

function remarkable({ workers, pauser, gate }: World): string[] {
  return [
    ...(workers.some(({ isSending }) => isSending) ? ['a request is under way'] : []),
    ...(pauser.phase === 'confirmed' ? ['a pause is confirmed'] : []),
    ...(workers.some(({ holder, leaseUntilMs }) => leaseUntilMs > 0 && gate.holder !== holder)
      ? ['the line was taken over']
      : []),
    ...(gate.changeNumber > 1 && gate.state === 'open' ? ['the line was resumed'] : []),
  ];
}

function* settledMovesOf(world: World, rules: Rules): Generator<Move<World>> {
  for (const { what, state } of movesOf(world, rules)) {
    const [a, b] = state.workers.map((worker) => settle(worker, state.nowMs));
    yield { what, state: { ...state, workers: [a, b] as World['workers'] } };
  }
}

/** What the two processes of a worker say to each other arrives at once, unless one of them is frozen: that is how it is late. */
function settle(worker: Worker, nowMs: number): Worker {
  const heard = worker.frozen === 'child' ? worker.heard : worker.order;
  const isClosed = worker.isClosed || (worker.frozen === undefined && !worker.isSending && !maySend({ heard }, nowMs));
  return { ...worker, heard, isClosed };
}

const maySend = ({ heard }: Pick<Worker, 'heard'>, nowMs: number): boolean => heard.untilMs > nowMs && !heard.isPaused;

function* movesOf(world: World, rules: Rules): Generator<Move<World>> {
  const { gate, stray, pauser, resumer, budget, nowMs } = world;
  for (const index of [0, 1] as const) yield* workerMoves(world, index, rules);

  for (const [index, put] of stray.entries()) {
    const others = stray.filter((_, other) => other !== index);
    const again = put.landings > 1 ? [{ ...put, landings: put.landings - 1 }] : [];
    const landed = land(gate, put, rules);
    if (landed !== undefined)
      yield {
        what: 'a write that was given up lands',
        state: { ...world, gate: landed, stray: [...others, ...again] },
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
        if (pauser.write.fate === 'under way') break;
        const phase = pauser.write.fate === 'landed' ? 'waiting' : 'writing'; // stale: looks again
        yield { what: `the pauser hears: ${pauser.write.fate}`, state: { ...world, pauser: { phase } } };
        break;
      }
      if (pauser.phase === 'open' && budget.pauses === 0) break;
      const left = pauser.phase === 'open' ? { ...budget, pauses: budget.pauses - 1 } : budget;
      const later = { ...left, delays: left.delays - 1 };
      const event: GateEvent = { kind: 'pause', by: 'olga', reason: 'call', at: 'now', seen: gate.changeNumber };
      const decision = rules.decideGate(gate, event);
      if (decision.kind === 'write') {
        const write = writeOf(event, decision.gate, gate, nowMs);
        yield {
          what: 'the pauser closes the gate',
          state: { ...world, gate: decision.gate, budget: left, pauser: { phase: 'waiting' } },
        };
        if (left.delays > 0)
          yield { what: 'the pauser writes', state: { ...world, budget: later, pauser: { phase: 'writing', write } } };
      } else if (decision.kind === 'unchanged')
        yield { what: 'the pauser finds it paused', state: { ...world, budget: left, pauser: { phase: 'waiting' } } };
      break;
    }
    case 'waiting':
      yield {
        what: 'the pauser asks how the gate is, and hears',
        state: answered(world, { gate, atMs: nowMs }, rules),
      };
      if (budget.delays > 0)
        yield {
          what: 'the pauser asks how the gate is',
          state: {
            ...world,
            budget: { ...budget, delays: budget.delays - 1 },
            pauser: { ...pauser, phase: 'asked', asked: { gate, atMs: nowMs } },
          },
        };
      break;
    case 'asked':
      if (pauser.asked !== undefined)
        yield { what: 'the pauser hears how the gate was', state: answered(world, pauser.asked, rules) };
      break;
    case 'confirmed':
      if (budget.pauses > 0 && gate.state === 'open')
        yield { what: 'the line is to be paused again', state: { ...world, pauser: { phase: 'open' } } };
  }

  yield* writeMoves(world, 'the resumer', resumer.write, rules, (write, change) => ({
    ...world,
    ...change,
    resumer: { ...without(resumer, 'write'), ...(write && { write }) },
  }));
  if (resumer.write !== undefined) {
    if (resumer.write.fate !== 'under way')
      yield { what: 'the resumer hears', state: { ...world, resumer: without(resumer, 'write') } };
  } else if (resumer.seen === undefined) {
    if (budget.resumes > 0 && gate.state === 'paused')
      yield {
        what: `the resumer sees pause ${gate.changeNumber}`,
        state: { ...world, resumer: { seen: gate.changeNumber } },
      };
  } else if (budget.resumes > 0) {
    const seen = rules.resumeNames === 'what it has seen' ? resumer.seen : gate.changeNumber;
    const event: GateEvent = { kind: 'resume', by: 'otto', reason: 'done', at: 'now', seen };
    const decision = rules.decideGate(gate, event);
    if (decision.kind === 'write') {
      const asked: World = {
        ...world,
        budget: { ...budget, resumes: budget.resumes - 1 },
        pauser: pauser.phase === 'confirmed' && pauser.change === resumer.seen ? { phase: 'open' } : pauser,
        resumer: { ...resumer, lifted: resumer.seen },
      };
      const what = `the resumer of pause ${resumer.seen} opens the gate`;
      yield { what, state: { ...asked, gate: decision.gate } };
      if (budget.delays > 0)
        yield {
          what: `${what}, some time`,
          state: {
            ...asked,
            budget: { ...asked.budget, delays: budget.delays - 1 },
            resumer: { ...asked.resumer, write: writeOf(event, decision.gate, gate, nowMs) },
          },
        };
    }
  }

  yield { what: 'time passes', state: tick(world, rules) };
}

function* workerMoves(world: World, index: 0 | 1, rules: Rules): Generator<Move<World>> {
  const { gate, budget, nowMs, stray } = world;
  const worker = world.workers[index];
  const name = worker.holder;
  const become = (changed: Worker, change: Partial<World> = {}): World => ({
    ...world,
    ...change,
    workers: index === 0 ? [changed, world.workers[1]] : [world.workers[0], changed],
  });
  if (!worker.isUp) {
    yield { what: `another worker comes for ${name}`, state: become(workerNamed(`${name[0]}${Number(name[1]) + 1}`)) };
    return;
  }
  if (budget.crashes > 0) {
    const left = worker.write?.fate === 'under way' ? [...stray, { ...worker.write.put, landings: 1 }] : stray;
    yield {
      what: `${name} is killed`,
      state: become(
        { ...workerNamed(name), isUp: false },
        { stray: left, budget: { ...budget, crashes: budget.crashes - 1 } },
      ),
    };
  }
  if (worker.frozen !== undefined)
    yield { what: `${name}'s ${worker.frozen} thaws`, state: become(without(worker, 'frozen')) };
  else if (budget.freezes > 0)
    for (const frozen of ['keeper', 'child'] as const)
      yield {
        what: `${name}'s ${frozen} freezes`,
        state: become({ ...worker, frozen }, { budget: { ...budget, freezes: budget.freezes - 1 } }),
      };

  const { write } = worker;
  if (worker.frozen !== 'child') {
    if (worker.isSending) yield { what: `${name}'s request ends`, state: become({ ...worker, isSending: false }) };
    else if (maySend(worker, nowMs)) yield { what: `${name} sends`, state: become({ ...worker, isSending: true }) };
  }

  yield* writeMoves(world, name, write, rules, (changed, change) =>
    become({ ...without(worker, 'write'), ...(changed && { write: changed }) }, change),
  );
  if (worker.frozen === 'keeper') return;
  if (write === undefined) {
    const looked = observe(worker, gate, nowMs, rules);
    const event = rules.nextGateEvent(gate, standingOf(looked), nowMs);
    const decision = event && rules.decideGate(gate, event);
    if (event !== undefined && decision?.kind === 'write') {
      const write = writeOf(event, decision.gate, gate, nowMs);
      const what = `${name} looks, and writes: ${event.kind}`;
      yield { what, state: become(hear(looked, write, nowMs, rules), { gate: decision.gate }) };
      if (budget.delays > 0)
        yield {
          what: `${what}, some time`,
          state: become({ ...looked, write }, { budget: { ...budget, delays: budget.delays - 1 } }),
        };
    } else yield { what: `${name} looks`, state: become(looked) };
  } else if (write.fate === 'stale') {
    yield { what: `${name} hears: stale`, state: become(without(worker, 'write')) };
  } else if (write.fate === 'landed') {
    yield { what: `${name} hears: ${write.kind} is written`, state: become(hear(worker, write, nowMs, rules)) };
  }
}

/** A keeper's write has landed, and it knows. */
function hear(worker: Worker, { kind, put, sentMs }: Write, nowMs: number, rules: Rules): Worker {
  const isLease = kind === 'take' || kind === 'renew';
  const fromMs = rules.leaseFrom === 'sending' ? sentMs : nowMs;
  const leased = isLease ? { ...worker, leaseUntilMs: rules.maySendUntilMs(fromMs, leaseMs) } : worker;
  return observe(without(leased, 'write'), put.gate, nowMs, rules);
}

/** What the pauser makes of an answer. */
function answered(world: World, { gate, atMs }: NonNullable<Pauser['asked']>, rules: Rules): World {
  const { nowMs, pauser, resumer } = world;
  if (gate.state === 'open') return { ...world, pauser: { phase: 'open' } };
  const watch = rules.watchLease(pauser.watch, gate, nowMs);
  const isProved = rules.isSilent(gate, watch, rules.silenceJudgedAt === 'asking' ? atMs : nowMs);
  const isConfirmed = isProved && gate.changeNumber !== resumer.lifted;
  return {
    ...world,
    pauser: isConfirmed
      ? { phase: 'confirmed', change: gate.changeNumber }
      : { phase: 'waiting', ...(watch && { watch }) },
  };
}

/** What may become of anybody's write while it waits. */
function* writeMoves(
  { gate, budget, stray }: World,
  who: string,
  write: Write | undefined,
  rules: Rules,
  become: (write: Write | undefined, change: Partial<World>) => World,
): Generator<Move<World>> {
  if (write === undefined) return;
  if (write.fate === 'under way') {
    const landed = land(gate, write.put, rules);
    if (landed === undefined)
      yield { what: `${who}'s ${write.kind} is refused`, state: become({ ...write, fate: 'stale' }, {}) };
    else yield { what: `${who}'s ${write.kind} lands`, state: become({ ...write, fate: 'landed' }, { gate: landed }) };
  }
  if (budget.lostAnswers === 0) return;
  const left = { ...budget, lostAnswers: budget.lostAnswers - 1 };
  const landings = budget.landings - (write.fate === 'landed' ? 1 : 0);
  const afloat = write.fate !== 'stale' && landings > 0 ? [...stray, { ...write.put, landings }] : stray;
  yield { what: `${who} never hears of its ${write.kind}`, state: become(undefined, { budget: left, stray: afloat }) };
}

const land = (gate: Gate, put: Put, { isCompareAndSet }: Rules): Gate | undefined =>
  isCompareAndSet && gate.leaseNumber !== put.basis ? undefined : put.gate;

const writeOf = ({ kind }: GateEvent, written: Gate, read: Gate, sentMs: number): Write => ({
  kind,
  put: { gate: written, basis: read.leaseNumber, landings: 1 },
  sentMs,
  fate: 'under way',
});

/** What a keeper makes of the gate that it has read or written: its watch, its lease, and the order to its child. */
function observe(worker: Worker, gate: Gate, nowMs: number, rules: Rules): Worker {
  const watch = rules.watchLease(worker.watch, gate, nowMs);
  const leaseUntilMs = gate.holder === worker.holder ? worker.leaseUntilMs : 0;
  const order: Order = { untilMs: leaseUntilMs, isPaused: gate.state === 'paused' };
  const isOpen = order.untilMs > 0 && !order.isPaused;
  return {
    ...without(worker, 'watch'),
    ...(watch && { watch }),
    leaseUntilMs,
    order,
    allowedUntilMs: isOpen ? Math.max(worker.allowedUntilMs, order.untilMs) : worker.allowedUntilMs,
    isClosed: worker.isClosed && !isOpen,
  };
}

const standingOf = ({ holder, watch, isClosed }: Worker): Standing => ({
  holder,
  leaseMs,
  watch,
  renewAtMs: Number.NEGATIVE_INFINITY, // whoever does not look does not renew: that is tried too
  childReady: true,
  childClosed: isClosed,
  childGivenUp: false,
  busy: false,
  stopping: false,
  holdMs: 0,
  hasUnwrittenHold: false,
  unwrittenPause: undefined,
});

/** Before the clock moves on, whoever's time is over by now has acted: the child on its own clock, the keeper with its knife. */
function tick(world: World, rules: Rules): World {
  const [a, b] = world.workers.map((worker): Worker => {
    if (!worker.isUp) return worker;
    if (worker.frozen === 'child')
      return rules.keeperKillsAtLeaseEnd && world.nowMs >= worker.allowedUntilMs && !worker.isClosed
        ? { ...without(worker, 'frozen'), isSending: false, heard: none, order: none, isClosed: true }
        : worker;
    const isOver = rules.childClosesAtLeaseEnd && world.nowMs >= worker.heard.untilMs;
    return isOver && worker.isSending ? { ...worker, isSending: false } : worker;
  });
  return { ...world, nowMs: world.nowMs + tickMs, workers: [a, b] as World['workers'] };
}

function without<Whole extends object, Key extends keyof Whole>(whole: Whole, key: Key): Omit<Whole, Key> {
  const { [key]: _, ...rest } = whole;
  return rest;
}

/**
 * Two worlds with the same key go the same ways: time counts from now, lease numbers only by their order, and what is longer past than
 * anybody looks back is past. Which of the two workers is which does not matter.
 */
function keyOf(world: World): string {
  const numbers = numbersIn(world);
  const straight = keyIn(world, numbers);
  const swapped = keyIn({ ...world, workers: [world.workers[1], world.workers[0]] }, numbers).replaceAll(
    /[AB](?=\d)/g,
    (letter) => (letter === 'A' ? 'B' : 'A'),
  );
  return [straight, swapped].sort()[0] ?? straight;
}

/** rank of each lease number that is still spoken of, newest first */
function numbersIn({ gate, workers, stray, pauser, resumer }: World): ReadonlyMap<number, number> {
  const writes = [...workers.map(({ write }) => write), pauser.write, resumer.write].map((write) => write?.put);
  const spoken = [
    gate.leaseNumber,
    ...workers.map(({ watch }) => watch?.leaseNumber),
    pauser.watch?.leaseNumber,
    pauser.asked?.gate.leaseNumber,
    ...[...writes, ...stray].flatMap((put) => (put ? [put.basis, put.gate.leaseNumber] : [])),
  ].filter((number) => number !== undefined);
  return new Map([...new Set(spoken)].sort((a, b) => b - a).map((number, rank) => [number, rank]));
}

function keyIn(world: World, numbers: ReadonlyMap<number, number>): string {
  const { nowMs, budget } = world;
  const sinceNow = (ms: number, furthest: number): number => Math.max(-furthest, Math.round((ms - nowMs) / tickMs));
  const number = (n: number): number => numbers.get(n) ?? -1;
  const gateKey = (gate: Gate): string =>
    `${gate.holder}${number(gate.leaseNumber)}${gate.state[0]}${gate.silent ? 's' : 'n'}${gate.changeNumber}`;
  const watchKey = (watch: LeaseWatch | undefined): string =>
    watch ? `${watch.holder}${number(watch.leaseNumber)}@${sinceNow(watch.sinceMs, 4)}` : '';
  const putKey = (put: Put): string => `${gateKey(put.gate)}<${number(put.basis)}*${put.landings}`;
  const writeKey = (write: Write | undefined): string =>
    write ? `${write.kind}${write.fate[0]}${sinceNow(write.sentMs, 2)}${putKey(write.put)}` : '';
  const orderKey = ({ untilMs, isPaused }: Order): string =>
    `${untilMs === 0 ? 'x' : sinceNow(untilMs, 1)}${isPaused ? 'p' : ''}`;
  const workerKey = (worker: Worker): string =>
    [
      worker.holder,
      worker.isUp ? 1 : 0,
      worker.frozen ?? '',
      watchKey(worker.watch),
      orderKey({ untilMs: worker.leaseUntilMs, isPaused: false }),
      orderKey(worker.order),
      orderKey(worker.heard),
      sinceNow(worker.allowedUntilMs, 1),
      worker.isClosed ? 1 : 0,
      worker.isSending ? 1 : 0,
      writeKey(worker.write),
    ].join();
  const { phase, asked, watch, change, write } = world.pauser;
  return [
    gateKey(world.gate),
    ...world.workers.map(workerKey),
    world.stray.map(putKey).sort().join('+'),
    phase,
    writeKey(write),
    watchKey(watch),
    asked
      ? `${gateKey(asked.gate)}${Math.min(4, Math.round((asked.atMs - (watch?.sinceMs ?? asked.atMs)) / tickMs))}`
      : '',
    change ?? '',
    world.resumer.seen ?? '',
    world.resumer.lifted ?? '',
    writeKey(world.resumer.write),
    Object.values(budget).join('.'),
  ].join('|');
}

/** Broken rules: what each of them is for, and how it is told from the real one. */
export const brokenRules: Readonly<
  Record<string, { readonly rules: Partial<Rules>; readonly budget?: Partial<Budget> }>
> = {
  'a lease is compared without its number': {
    rules: {
      watchLease: (watch, gate, nowMs) =>
        watch !== undefined && watch.holder === gate.holder ? watch : watchLease(undefined, gate, nowMs),
      nextGateEvent: (gate, standing, nowMs) => {
        const { watch, holder } = standing;
        if (gate.holder === undefined || gate.holder === holder || watch?.holder !== gate.holder)
          return nextGateEvent(gate, standing, nowMs);
        const lapsed = { ...watch, leaseNumber: gate.leaseNumber };
        return hasLapsed(lapsed, gate, leaseMs, nowMs) ? { kind: 'take', holder, leaseMs, lapsed } : undefined;
      },
    },
  },
  'a pause does not wait for silence': { rules: { isSilent: (gate) => gate.state === 'paused' } },
  'silence is judged by the clock after the answer': { rules: { silenceJudgedAt: 'answer' } },
  'a holder says silent while its child is not closed': {
    rules: {
      nextGateEvent: (gate, standing, nowMs) => nextGateEvent(gate, { ...standing, childClosed: true }, nowMs),
    },
  },
  'a lease counts from the answer': { rules: { leaseFrom: 'answer' } },
  'a lease has no margin': { rules: { maySendUntilMs: (sentMs, leaseMs) => sentMs + leaseMs + tickMs } },
  'a child does not close at the end of the lease': { rules: { childClosesAtLeaseEnd: false } },
  'a keeper does not kill a frozen child': { rules: { keeperKillsAtLeaseEnd: false } },
  'a write is not compared': { rules: { isCompareAndSet: false } },
  'a resume opens whatever pause it finds': {
    rules: { resumeNames: 'what it finds' },
    budget: { pauses: 2, resumes: 2, freezes: 0 },
  },
};
