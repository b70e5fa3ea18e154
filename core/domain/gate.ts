/**
 * The gate of one line: who holds it, and whether it is paused (docs/explanation/the-line.md, "The gate"). This file is the
 * whole protocol as pure functions. The store applies each decision as a compare-and-set on `leaseNumber`.
 */
export interface Gate {
  readonly insurerId: string;
  /** random ID of the process that holds the lease; absent without a holder */
  readonly holder?: string;
  /** grows by one with every write of any process, so a late or repeated write always fails */
  readonly leaseNumber: number;
  /**
   * leaseNumber of the last take or renewal; 0 before the first. Watchers compare it, because only these writes prove that
   * the holder is alive.
   */
  readonly renewalNumber: number;
  /** the holder's LEASE_MS; a watcher waits for the longer one of this and its own */
  readonly leaseMs?: number;
  readonly state: 'open' | 'paused';
  /** the holder's statement that no request is in flight and none will be sent before a resume */
  readonly silent: boolean;
  /** of a silent line: when it became silent (ISO 8601, the writer's clock). Set by the store, for people only. */
  readonly silentSince?: string;
  /**
   * Remaining time of a cooldown in ms, at the time of this write. A reader counts it from its own reading, on its own
   * monotonic clock. It may wait longer, never less, and no wall clock matters (ADR 0016).
   */
  readonly cooldownMs: number;
  /** the last cooldown, for people; while cooldownMs is 0 it is over */
  readonly cooldown?: Cooldown;
  /** grows by one when an operator lifts the cooldown; each process forgets cooldowns of a lower number */
  readonly liftNumber?: number;
  /** the pace that an operator has set; without it, `defaultPace` applies */
  readonly pace?: Pace;
  /** the last holder's LINE_REQUESTS_PER_MINUTE, if it has one */
  readonly defaultPace?: number;
  /** whether a request was in flight at, or shortly before, the last renewal */
  readonly busy: boolean;
  /** who paused or resumed last, when (ISO 8601) and why */
  readonly by?: string;
  readonly since?: string;
  readonly reason?: string;
  /** read by openReasonsOf. Absent on an open line, and on a line that version 0.2.0 has paused. */
  readonly openReasons?: readonly OpenReason[];
  readonly droppedReasons?: number;
  /** grows by one with every resume and every pause, also of a paused line; identifies the state that an operator has seen */
  readonly changeNumber: number;
  /** changes that `insurerLine` has not acknowledged, oldest first */
  readonly outbox: readonly LineChange[];
}

/**
 * Why nothing is sent for a while.
 * - `retry-after`: the insurer has named the time
 * - `busy`: the insurer asks for patience, and names no time that can be read
 * - `outage`: forty requests in a row have failed, which is rare even when 80 % fail. Eight failures of each patient count, and
 *   all refused connections (worker/line/backoff.ts)
 */
export type CooldownReason = 'retry-after' | 'busy' | 'outage';

/** A cooldown, as people see it: since and until when (ISO 8601, on the clock of the process that has started it). */
export interface Cooldown {
  readonly reason: CooldownReason;
  readonly since: string;
  readonly until: string;
}

/** The most requests a minute, and the operator who has set it, since when (ISO 8601), and why. */
export interface Pace {
  readonly requestsPerMinute: number;
  readonly by: string;
  readonly since: string;
  readonly reason: string;
}

/** The highest pace that can be set. The line is slower than that by itself. */
export const paceMax = 6_000;

/** Returns the most requests a minute that the line may send; undefined if it has no limit. */
export const requestsPerMinuteOf = ({ pace, defaultPace }: Pick<Gate, 'pace' | 'defaultPace'>): number | undefined =>
  pace?.requestsPerMinute ?? defaultPace;

/** What an operator has changed: the state of the line after it, who changed it, when (ISO 8601) and why. */
export interface LineChange {
  readonly number: number;
  readonly state: Gate['state'];
  /** of a change that is no pause and no resume: a cooldown was lifted, or the pace was set */
  readonly kind?: 'lift' | 'pace';
  /** of `pace`: the new pace; absent if the default applies again */
  readonly requestsPerMinute?: number;
  readonly by: string;
  readonly at: string;
  readonly reason: string;
  /** of a timed pause: its end, as momentOf returns it */
  readonly until?: string;
}

/**
 * One reason why the line is paused: the number of the change, who gave the reason, since when (ISO 8601), and the reason.
 * A reason with `until` ends at that moment. Every other one lasts until a resume.
 */
export type OpenReason = Pick<LineChange, 'number' | 'by' | 'reason' | 'until'> & { readonly since: string };

/** Why the line is paused. */
export interface OpenReasons {
  /** one for each pause since the line was open, oldest first, at most openReasonsMax; empty while it is open */
  readonly openReasons: readonly OpenReason[];
  /** how many more there were; absent if none. The first one always stays. */
  readonly droppedReasons?: number;
}

/**
 * `by` of what the line did itself: a pause, because the insurer rejected our credentials (401, 403), or a resume at the end
 * of a timed pause.
 */
export const lineItself = 'system';
/** `reason` of a resume at the end of a timed pause. */
const pauseIsOver = 'the timed pause is over';

/** Maximum number of changes in the outbox, and in the memory of `insurerLine`. */
export const rememberedChangesMax = 50;

/** Maximum number of reasons that the gate keeps. Together with a full outbox they must fit into one item (400 KB). */
export const openReasonsMax = 20;

/** A command to pause or resume the line. */
export interface LineCommand {
  readonly by: string;
  readonly reason: string;
  /** changeNumber of the state that the operator has seen. The command does not apply to a later state. */
  readonly seen: number;
  /** of a timed pause: its end, as momentOf returns it; never of a resume */
  readonly until?: string;
}

/** `cooldownMs`: the remaining time of a cooldown, if the writer knows it. Otherwise the gate's value stays. */
export type GateEvent = { readonly cooldownMs?: number } & (
  | {
      readonly kind: 'take';
      readonly holder: string;
      readonly leaseMs: number;
      readonly defaultPace?: number;
      /** the other process's lease, if this process has watched it until it lapsed (hasLapsed) */
      readonly lapsed?: LeaseWatch;
    }
  | {
      readonly kind: 'renew';
      readonly holder: string;
      readonly leaseMs: number;
      readonly defaultPace?: number;
      readonly busy: boolean;
    }
  | { readonly kind: 'release'; readonly holder: string }
  | { readonly kind: 'say-silent'; readonly holder: string }
  /** ends the lease of a paused line, after the writer has watched it until it lapsed */
  | { readonly kind: 'lapse'; readonly lapsed: LeaseWatch }
  /** from the process that has started the cooldown, also if it is no longer the holder; never shortens a cooldown */
  | { readonly kind: 'cooldown'; readonly cooldownMs: number; readonly cooldown: Cooldown }
  | ({ readonly kind: 'lift' } & Change)
  /** without requestsPerMinute, the default applies again */
  | ({ readonly kind: 'pace'; readonly requestsPerMinute?: number } & Change)
  | (LineCommand & { readonly kind: 'pause' | 'resume'; readonly at: string })
  /** from `insurerLine` alone: its timer has reached this moment, so the reasons that end by then have gone */
  | { readonly kind: 'expire'; readonly at: string }
  /** `insurerLine` knows all changes up to this number */
  | { readonly kind: 'acknowledge'; readonly upTo: number }
);

export type GateDecision =
  | { readonly kind: 'write'; readonly gate: Gate }
  /** the gate is in the wanted state already */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'rejected'; readonly why: GateRejection };
/**
 * Why the gate rejects an event.
 * - `held`: another process holds the lease, and it has not lapsed
 * - `not-holder`: the sender does not hold the lease
 * - `not-paused`: the line is open
 * - `superseded`: the line was paused or resumed after the state that the operator has seen
 */
export type GateRejection = 'held' | 'not-holder' | 'not-paused' | 'superseded';

/** Returns the gate of an unused line. @param firstLeaseNumber epoch ms, so that numbers grow even if the table is lost */
export const newGate = (insurerId: string, firstLeaseNumber: number): Gate => ({
  insurerId,
  leaseNumber: firstLeaseNumber,
  renewalNumber: 0,
  state: 'open',
  silent: false,
  cooldownMs: 0,
  busy: false,
  changeNumber: 0,
  outbox: [],
});

/** Decides what an event does to a gate. */
export function decideGate(gate: Gate, event: GateEvent): GateDecision {
  const write = (change: Partial<Gate>, before: Gate = gate): GateDecision => ({
    kind: 'write',
    gate: { ...before, cooldownMs: event.cooldownMs ?? gate.cooldownMs, ...change, leaseNumber: gate.leaseNumber + 1 },
  });
  const renewalNumber = gate.leaseNumber + 1;
  const { holder: _, ...unheld } = gate;
  switch (event.kind) {
    case 'take': {
      const isOthers = gate.holder !== undefined && gate.holder !== event.holder;
      if (isOthers && !isOfLease(event.lapsed, gate)) return reject('held');
      const silent = gate.state === 'paused'; // a new holder has sent nothing yet, and may not on a paused line
      const { leaseMs } = event;
      return write({ holder: event.holder, leaseMs, silent, busy: false, renewalNumber }, withDefault(gate, event));
    }
    case 'renew':
      if (gate.holder !== event.holder) return reject('not-holder');
      return write(
        { leaseMs: event.leaseMs, busy: event.busy && !gate.silent, renewalNumber },
        withDefault(gate, event),
      );
    case 'release':
      if (gate.holder !== event.holder) return reject('not-holder');
      return write({ silent: gate.state === 'paused', busy: false }, unheld);
    case 'say-silent':
      if (gate.holder !== event.holder) return reject('not-holder');
      if (gate.state !== 'paused') return reject('not-paused');
      return gate.silent ? unchanged : write({ silent: true, busy: false });
    case 'lapse':
      if (gate.state !== 'paused') return reject('not-paused');
      if (!isOfLease(event.lapsed, gate)) return reject('held');
      return write({ silent: true, busy: false }, unheld);
    case 'cooldown':
      return event.cooldownMs > gate.cooldownMs
        ? write({ cooldown: event.cooldown })
        : write({ cooldownMs: gate.cooldownMs });
    case 'lift': {
      const { cooldown: _, ...warm } = gate;
      const liftNumber = (gate.liftNumber ?? 0) + 1;
      const { by, at, reason } = event;
      return write(
        { cooldownMs: 0, liftNumber, ...recorded(gate, gate.state, { kind: 'lift', by, at, reason }) },
        warm,
      );
    }
    case 'pace': {
      const { pace: _, ...unpaced } = gate;
      const { requestsPerMinute, by, at, reason } = event;
      const limit = requestsPerMinute !== undefined && { requestsPerMinute };
      const pace = limit && { pace: { ...limit, by, since: at, reason } };
      return write({ ...pace, ...recorded(gate, gate.state, { kind: 'pace', ...limit, by, at, reason }) }, unpaced);
    }
    case 'pause':
      if (gate.state === 'paused') {
        const again = pausedAgain(gate, event);
        return again === undefined ? reject('superseded') : write(again);
      }
      if (gate.changeNumber !== event.seen) return reject('superseded');
      return write({ silent: gate.holder === undefined, ...changed(gate, 'paused', event) }, withoutReasons(gate));
    case 'resume':
      if (gate.state === 'open') return unchanged;
      if (gate.changeNumber !== event.seen) return reject('superseded');
      return write({ silent: false, ...changed(gate, 'open', event) }, withoutReasons(gate));
    case 'expire': {
      const { at } = event;
      const nextEnd = nextReasonEndOf(gate);
      if (nextEnd === undefined || at < nextEnd) return unchanged;
      const left = openReasonsOf(gate).openReasons.filter(({ until }) => until === undefined || at < until);
      const [first] = left;
      if (first === undefined) {
        const opened = changed(gate, 'open', { by: lineItself, at, reason: pauseIsOver });
        return write({ silent: false, ...opened }, withoutReasons(gate));
      }
      const { by, since, reason } = first;
      return write({ by, since, reason, openReasons: left });
    }
    case 'acknowledge': {
      const outbox = gate.outbox.filter(({ number }) => number > event.upTo);
      return outbox.length === gate.outbox.length ? unchanged : write({ outbox });
    }
  }
}

const unchanged: GateDecision = { kind: 'unchanged' };

type Change = Pick<LineChange, 'by' | 'at' | 'reason' | 'until'>;

function withDefault({ defaultPace: _, ...gate }: Gate, { defaultPace }: Pick<Gate, 'defaultPace'>): Gate {
  return { ...gate, ...(defaultPace !== undefined && { defaultPace }) };
}

function changed(gate: Gate, state: Gate['state'], change: Change): Partial<Gate> {
  const { by, at: since, reason, until } = change;
  const { changeNumber, outbox } = recorded(gate, state, endingAt({ by, at: since, reason }, until));
  const reasons = state === 'paused' && { openReasons: [endingAt({ number: changeNumber, by, since, reason }, until)] };
  return { state, by, since, reason, changeNumber, outbox, ...reasons };
}

/** Gives a change or a reason its end, if there is one. */
const endingAt = <Ending extends object>(
  ending: Ending,
  until: string | undefined,
): Ending & Pick<LineChange, 'until'> => (until === undefined ? ending : { ...ending, until });

/**
 * Adds the reason of a pause of a paused line. The same reason of the same operator is a repeated command, so it is added
 * once; with another end, it replaces the end. In every case, the new number makes a late resume fail that was requested
 * before this pause.
 * @returns undefined for a command whose operator has given it up: they had not seen the state that this pause began from,
 *   or the end that it would replace
 */
function pausedAgain(gate: Gate, command: LineCommand & Change): Partial<Gate> | undefined {
  const { openReasons, droppedReasons = 0 } = openReasonsOf(gate);
  const { by, at: since, reason, seen, until } = command;
  const same = openReasons.find((open) => open.by === by && open.reason === reason);
  if (same !== undefined) {
    if (same.until === until) return { changeNumber: gate.changeNumber + 1 };
    if (seen !== gate.changeNumber) return undefined;
    const { until: _, ...endless } = same;
    const withNewEnd = openReasons.map((open) => (open === same ? endingAt(endless, until) : open));
    return { ...recorded(gate, 'paused', endingAt({ by, at: since, reason }, until)), openReasons: withNewEnd };
  }
  const [first] = openReasons;
  if (first !== undefined && seen < first.number - 1) return undefined;
  const { changeNumber, outbox } = recorded(gate, 'paused', endingAt({ by, at: since, reason }, until));
  const added = [...openReasons, endingAt({ number: changeNumber, by, since, reason }, until)];
  if (added.length <= openReasonsMax) return { changeNumber, outbox, openReasons: added };
  return { changeNumber, outbox, openReasons: added.toSpliced(1, 1), droppedReasons: droppedReasons + 1 };
}

/** Gives a change its number, and adds it to the outbox. */
function recorded(
  gate: Gate,
  state: Gate['state'],
  change: Omit<LineChange, 'number' | 'state'>,
): Pick<Gate, 'changeNumber' | 'outbox'> {
  const changeNumber = gate.changeNumber + 1;
  const outbox = [...gate.outbox, { number: changeNumber, state, ...change }].slice(-rememberedChangesMax);
  return { changeNumber, outbox };
}

const withoutReasons = ({ openReasons: _, droppedReasons: __, ...gate }: Gate): Gate => gate;

/**
 * Returns why the line is paused. Version 0.2.0 keeps reasons that it does not know when it writes. So a list counts only if
 * it begins with the first pause; otherwise the first pause is the only reason.
 */
export function openReasonsOf({
  state,
  changeNumber,
  by,
  since,
  reason,
  openReasons = [],
  droppedReasons,
}: Pick<Gate, 'state' | 'changeNumber' | 'by' | 'since' | 'reason' | 'openReasons' | 'droppedReasons'>): OpenReasons {
  if (state === 'open' || by === undefined || since === undefined || reason === undefined) return { openReasons: [] };
  const [first] = openReasons;
  if (first?.by !== by || first.since !== since) return { openReasons: [{ number: changeNumber, by, since, reason }] };
  return { openReasons, ...(droppedReasons !== undefined && { droppedReasons }) };
}

/** Returns the ends of all reasons. Once there were more than the gate keeps, none ends: the others are not known. */
const reasonEndsOf = (line: Parameters<typeof openReasonsOf>[0]): readonly (string | undefined)[] => {
  const { openReasons, droppedReasons } = openReasonsOf(line);
  return droppedReasons === undefined ? openReasons.map(({ until }) => until) : [];
};

/** Returns the moment at which the next reason of a pause ends; undefined if none does. */
export const nextReasonEndOf = (line: Parameters<typeof openReasonsOf>[0]): string | undefined =>
  reasonEndsOf(line)
    .filter((until) => until !== undefined)
    .sort()[0];

/** Returns the moment at which a paused line opens by itself: the last end, if every reason has one. Otherwise undefined. */
export function opensAtOf(line: Parameters<typeof openReasonsOf>[0]): string | undefined {
  const ends = reasonEndsOf(line);
  return ends.includes(undefined) ? undefined : [...ends].sort().at(-1);
}

const reject = (why: GateRejection): GateDecision => ({ kind: 'rejected', why });

/** A lease that another process watches. `sinceMs`: since when it is unchanged, on the watcher's monotonic clock. */
export interface LeaseWatch {
  readonly holder: string;
  readonly renewalNumber: number;
  readonly sinceMs: number;
}

/** Returns whether the watch is about the gate's current lease and its last renewal. */
const isOfLease = (watch: LeaseWatch | undefined, gate: Gate): watch is LeaseWatch =>
  watch !== undefined && watch.holder === gate.holder && watch.renewalNumber === gate.renewalNumber;

/** Continues or restarts a watch with a gate that was read. @param nowMs the watcher's monotonic clock, after the read */
export function watchLease(watch: LeaseWatch | undefined, gate: Gate, nowMs: number): LeaseWatch | undefined {
  if (gate.holder === undefined) return undefined;
  if (isOfLease(watch, gate)) return watch;
  return { holder: gate.holder, renewalNumber: gate.renewalNumber, sinceMs: nowMs };
}

/**
 * Returns the margin on both sides of a lease's end: the holder stops earlier by it, others wait longer by it. It covers the
 * drift of two clocks over one lease, a late timer, and the time until the insurer sees that a socket is closed.
 */
export const leaseMarginMs = (leaseMs: number): number => Math.max(150, leaseMs / 20);

/** Returns the time at which the watched lease lapses, on the clock of `sinceMs`. */
export const lapsesAtMs = (watch: LeaseWatch, gate: Gate, leaseMs: number): number => {
  const longestLeaseMs = Math.max(leaseMs, gate.leaseMs ?? 0);
  return watch.sinceMs + longestLeaseMs + leaseMarginMs(longestLeaseMs);
};

export const hasLapsed = (watch: LeaseWatch | undefined, gate: Gate, leaseMs: number, nowMs: number): boolean =>
  isOfLease(watch, gate) && nowMs >= lapsesAtMs(watch, gate, leaseMs);

/** What the lease of the line says about the workers, from one reading of the gate to the next. */
export interface WorkersWatch {
  readonly lease?: LeaseWatch | undefined;
  /** undefined if that is not known yet */
  readonly isThere?: boolean | undefined;
}

/**
 * Continues a watch with a gate that was read: the lease is renewed each second while a worker is there.
 * @param nowMs the watcher's monotonic clock, after the read
 */
export function watchWorkers({ lease: before, isThere }: WorkersWatch, gate: Gate, nowMs: number): WorkersWatch {
  const lease = watchLease(before, gate, nowMs);
  if (lease === undefined || hasLapsed(lease, gate, 0, nowMs)) return { lease, isThere: false };
  if (before === undefined) return { lease };
  return { lease, isThere: lease === before ? isThere : true };
}

/** Returns whether the gate proves silence: the line is paused, and its holder has said so or there is no holder. */
export const isSilent = (gate: Gate): boolean => gate.state === 'paused' && (gate.silent || gate.holder === undefined);
