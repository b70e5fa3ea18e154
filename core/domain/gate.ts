/**
 * The gate of one line: who holds it, and whether it is paused (docs/explanation/the-line.md, "The lease"). This is the whole protocol as
 * pure functions; the store applies them, each as a compare-and-set on `leaseNumber`.
 */
export interface Gate {
  readonly insurerId: string;
  /** random ID of the process that holds the lease; absent when nobody does */
  readonly holder?: string;
  /** grows by one with every write, whoever writes; so a late or doubled write can never land */
  readonly leaseNumber: number;
  /**
   * leaseNumber of the last take or renewal, and who wrote it. Watchers compare it, because only these writes prove that the
   * holder is alive. An older build does not write it: see renewalNumberOf.
   */
  readonly renewal?: { readonly holder: string; readonly number: number };
  /** the holder's LEASE_MS: whoever watches waits for the longer one of this and its own */
  readonly leaseMs?: number;
  readonly state: 'open' | 'paused';
  /** the holder's word that nothing is under way and that nothing will be sent until the line is resumed */
  readonly silent: boolean;
  /** of a silent line: since when the gate says so (ISO 8601), by the clock of who wrote it; kept by the store, decides nothing */
  readonly silentSince?: string;
  /**
   * Nothing may be sent for so long, ms (Retry-After), counted from this write. Whoever reads it counts from its own reading, on
   * its own monotonic clock: it waits a little longer, never less, and no wall clock matters (ADR 0016)
   */
  readonly cooldownMs: number;
  /** whether a request was under way at, or shortly before, the last renewal */
  readonly busy: boolean;
  /** who paused or resumed last, when (ISO 8601), and why */
  readonly by?: string;
  readonly since?: string;
  readonly reason?: string;
  /** grows by one with every pause, also of a paused line, and every resume: names the state that somebody has seen */
  readonly changeNumber: number;
  /** changes that `insurerLine` has not been told of yet, oldest first */
  readonly outbox: readonly LineChange[];
}

/** One pause or resume: what became of the line, who wanted it, when (ISO 8601) and why. */
export interface LineChange {
  readonly number: number;
  readonly state: Gate['state'];
  readonly by: string;
  readonly at: string;
  readonly reason: string;
}

/** `by` of a pause that nobody wanted: the insurer did not let us in (401, 403), so the line has closed itself. */
export const lineItself = 'system';

/** So many changes are remembered: those of the gate that nobody took, and those of `insurerLine`. */
export const rememberedChangesMax = 50;

/** Who wants the line paused or resumed, and why. */
export interface LineCommand {
  readonly by: string;
  readonly reason: string;
  /** the changeNumber of the state that they have seen: one that came after it is not theirs to change */
  readonly seen: number;
}

/** `cooldownMs`: what is left of a Retry-After as far as the writer knows; who does not know it (a pauser) leaves it as it is. */
export type GateEvent = { readonly cooldownMs?: number } & (
  | {
      readonly kind: 'take';
      readonly holder: string;
      readonly leaseMs: number;
      /** the lease that the taker itself has watched stand still for long enough (hasLapsed) */
      readonly lapsed?: LeaseWatch;
    }
  | { readonly kind: 'renew'; readonly holder: string; readonly leaseMs: number; readonly busy: boolean }
  | { readonly kind: 'release'; readonly holder: string }
  | { readonly kind: 'say-silent'; readonly holder: string }
  /** from a pauser, who has watched the lease of a paused line stand still for long enough: nobody holds it any more */
  | { readonly kind: 'lapse'; readonly lapsed: LeaseWatch }
  /** from the process that has heard of it, whoever holds the line by now: to hold is always safe. Never makes a hold shorter */
  | { readonly kind: 'cooldown'; readonly cooldownMs: number }
  | (LineCommand & { readonly kind: 'pause' | 'resume'; readonly at: string })
  /** `insurerLine` knows of all changes up to this one */
  | { readonly kind: 'acknowledge'; readonly upTo: number }
);

export type GateDecision =
  | { readonly kind: 'write'; readonly gate: Gate }
  /** what the event wants is so already */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'rejected'; readonly why: GateRejection };
/**
 * `held`: by someone whose lease has not lapsed. `not-holder`: the lease is another's, or nobody's. `not-paused`.
 * `superseded`: the line was paused or resumed since the state that was seen
 */
export type GateRejection = 'held' | 'not-holder' | 'not-paused' | 'superseded';

/** The gate of a line that was never used. @param firstLeaseNumber epoch ms, so that numbers grow even if the table is lost */
export const newGate = (insurerId: string, firstLeaseNumber: number): Gate => ({
  insurerId,
  leaseNumber: firstLeaseNumber,
  state: 'open',
  silent: false,
  cooldownMs: 0,
  busy: false,
  changeNumber: 0,
  outbox: [],
});

export function decideGate(gate: Gate, event: GateEvent): GateDecision {
  const write = (change: Partial<Gate>, before: Gate = gate): GateDecision => ({
    kind: 'write',
    gate: { ...before, cooldownMs: event.cooldownMs ?? gate.cooldownMs, ...change, leaseNumber: gate.leaseNumber + 1 },
  });
  const renewedBy = (holder: string): Partial<Gate> => ({ renewal: { holder, number: gate.leaseNumber + 1 } });
  const { holder: _, ...unheld } = gate;
  switch (event.kind) {
    case 'take': {
      const isOthers = gate.holder !== undefined && gate.holder !== event.holder;
      if (isOthers && !isOfLease(event.lapsed, gate)) return reject('held');
      const silent = gate.state === 'paused'; // a new holder has sent nothing yet, and a paused line keeps it so
      return write({ holder: event.holder, leaseMs: event.leaseMs, silent, busy: false, ...renewedBy(event.holder) });
    }
    case 'renew':
      if (gate.holder !== event.holder) return reject('not-holder');
      return write({ leaseMs: event.leaseMs, busy: event.busy && !gate.silent, ...renewedBy(event.holder) });
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
      return write({ cooldownMs: Math.max(event.cooldownMs, gate.cooldownMs) });
    case 'pause':
      // Nothing that people see changes; but a resume that was asked for before, and comes late, is none of this pause.
      if (gate.state === 'paused') return write({ changeNumber: gate.changeNumber + 1 });
      if (gate.changeNumber !== event.seen) return reject('superseded');
      return write({ silent: gate.holder === undefined, ...changed(gate, 'paused', event) });
    case 'resume':
      if (gate.state === 'open') return unchanged;
      if (gate.changeNumber !== event.seen) return reject('superseded');
      return write({ silent: false, ...changed(gate, 'open', event) });
    case 'acknowledge': {
      const outbox = gate.outbox.filter(({ number }) => number > event.upTo);
      return outbox.length === gate.outbox.length ? unchanged : write({ outbox });
    }
  }
}

const unchanged: GateDecision = { kind: 'unchanged' };

function changed(
  gate: Gate,
  state: Gate['state'],
  { by, reason, at }: Omit<LineChange, 'number' | 'state'>,
): Partial<Gate> {
  const number = gate.changeNumber + 1;
  const outbox = [...gate.outbox, { number, state, by, at, reason }].slice(-rememberedChangesMax);
  return { state, by, since: at, reason, changeNumber: number, outbox };
}
const reject = (why: GateRejection): GateDecision => ({ kind: 'rejected', why });

/** A lease as someone else watches it: since when, on the watcher's own monotonic clock (ms), it has stood unchanged. */
export interface LeaseWatch {
  readonly holder: string;
  readonly renewalNumber: number;
  readonly sinceMs: number;
}

/** What changes with each take and renewal. If the holder is an older build, every write counts: it never says which one was its own. */
export const renewalNumberOf = ({ holder, leaseNumber, renewal }: Gate): number =>
  renewal !== undefined && renewal.holder === holder ? renewal.number : leaseNumber;

/** Whether what was watched is the lease as the gate has it, and no earlier or other one. */
const isOfLease = (watch: LeaseWatch | undefined, gate: Gate): watch is LeaseWatch =>
  watch !== undefined && watch.holder === gate.holder && watch.renewalNumber === renewalNumberOf(gate);

/** @param nowMs the watcher's monotonic clock at a moment after the answer with this gate arrived */
export function watchLease(watch: LeaseWatch | undefined, gate: Gate, nowMs: number): LeaseWatch | undefined {
  if (gate.holder === undefined) return undefined;
  if (isOfLease(watch, gate)) return watch;
  return { holder: gate.holder, renewalNumber: renewalNumberOf(gate), sinceMs: nowMs };
}

/**
 * Kept free on both sides of a lease's end: the holder stops that much before, others wait that much longer. It has to
 * cover the drift of two clocks over one lease, a late timer, and the time until the insurer sees a socket closed.
 */
export const leaseMarginMs = (leaseMs: number): number => Math.max(150, leaseMs / 20);

/** The moment from which the watched lease counts as over. Same clock as `sinceMs`. */
export const lapsesAtMs = (watch: LeaseWatch, gate: Gate, leaseMs: number): number => {
  const longestLeaseMs = Math.max(leaseMs, gate.leaseMs ?? 0);
  return watch.sinceMs + longestLeaseMs + leaseMarginMs(longestLeaseMs);
};

export const hasLapsed = (watch: LeaseWatch | undefined, gate: Gate, leaseMs: number, nowMs: number): boolean =>
  isOfLease(watch, gate) && nowMs >= lapsesAtMs(watch, gate, leaseMs);

/** Whether the gate says that nothing is under way, and nothing will be: by its holder's word, or for want of a holder. */
export const isSilent = (gate: Gate): boolean => gate.state === 'paused' && (gate.silent || gate.holder === undefined);
