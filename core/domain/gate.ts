/**
 * The gate of one line: who holds it, and whether it is paused (DESIGN, "Who may send"). This is the whole protocol as
 * pure functions; the store applies them, each as a compare-and-set on `leaseNumber`.
 */
export interface Gate {
  readonly insurerId: string;
  /** random ID of the process that holds the lease; absent when nobody does */
  readonly holder?: string;
  /** grows by one with every write, whoever writes; so a late or doubled write can never land */
  readonly leaseNumber: number;
  /** the holder's LEASE_MS: whoever watches waits for the longer one of this and its own */
  readonly leaseMs?: number;
  readonly state: 'open' | 'paused';
  /** the holder's word that nothing is under way and that nothing will be sent until the line is resumed */
  readonly silent: boolean;
  /** epoch ms: nothing may be sent before (Retry-After); 0 when never held */
  readonly notBefore: number;
  /** whether a request was under way at, or shortly before, the last renewal */
  readonly busy: boolean;
  /** who paused or resumed last, when (ISO 8601), and why */
  readonly by?: string;
  readonly since?: string;
  readonly reason?: string;
}

export type GateEvent =
  /** `lapsed`: the lease that the taker itself has watched stand still for long enough (hasLapsed) */
  | { readonly kind: 'take'; readonly holder: string; readonly leaseMs: number; readonly lapsed?: LeaseWatch }
  | { readonly kind: 'renew'; readonly holder: string; readonly leaseMs: number; readonly busy: boolean }
  | { readonly kind: 'release'; readonly holder: string }
  | { readonly kind: 'say-silent'; readonly holder: string }
  /** from anyone: to hold is always safe, and a process that has just lost the lease may still know of a Retry-After */
  | { readonly kind: 'hold-until'; readonly notBefore: number }
  | { readonly kind: 'pause'; readonly by: string; readonly reason: string; readonly at: string }
  /** `pausedSince`: the pause that is meant. A later one, which the resumer has not seen, stays. */
  | {
      readonly kind: 'resume';
      readonly by: string;
      readonly reason: string;
      readonly at: string;
      readonly pausedSince: string | undefined;
    };

export type GateDecision =
  | { readonly kind: 'write'; readonly gate: Gate }
  /** what the event wants is so already */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly why: GateRefusal };
/** `held`: by someone whose lease has not lapsed. `not-holder`: the lease is another's, or nobody's. `not-paused`. */
export type GateRefusal = 'held' | 'not-holder' | 'not-paused';

/** The gate of a line that was never used. @param firstLeaseNumber epoch ms, so that numbers grow even if the table is lost */
export const newGate = (insurerId: string, firstLeaseNumber: number): Gate => ({
  insurerId,
  leaseNumber: firstLeaseNumber,
  state: 'open',
  silent: false,
  notBefore: 0,
  busy: false,
});

export function decideGate(gate: Gate, event: GateEvent): GateDecision {
  switch (event.kind) {
    case 'take': {
      const lapsed = event.lapsed?.holder === gate.holder && event.lapsed?.leaseNumber === gate.leaseNumber;
      if (gate.holder !== undefined && gate.holder !== event.holder && !lapsed) return refuse('held');
      const silent = gate.state === 'paused'; // a new holder has sent nothing yet, and a paused line keeps it so
      return write(gate, { holder: event.holder, leaseMs: event.leaseMs, silent, busy: false });
    }
    case 'renew':
      if (gate.holder !== event.holder) return refuse('not-holder');
      return write(gate, { leaseMs: event.leaseMs, busy: event.busy && !gate.silent });
    case 'release': {
      if (gate.holder !== event.holder) return refuse('not-holder');
      const { holder: _, ...unheld } = gate;
      return write(unheld, { silent: gate.state === 'paused', busy: false });
    }
    case 'say-silent':
      if (gate.holder !== event.holder) return refuse('not-holder');
      if (gate.state !== 'paused') return refuse('not-paused');
      return gate.silent ? { kind: 'unchanged' } : write(gate, { silent: true, busy: false });
    case 'hold-until':
      return event.notBefore <= gate.notBefore ? { kind: 'unchanged' } : write(gate, { notBefore: event.notBefore });
    case 'pause': {
      if (gate.state === 'paused') return { kind: 'unchanged' };
      const silent = gate.holder === undefined;
      return write(gate, { state: 'paused', silent, by: event.by, since: event.at, reason: event.reason });
    }
    case 'resume':
      if (gate.state === 'open' || gate.since !== event.pausedSince) return { kind: 'unchanged' };
      return write(gate, { state: 'open', silent: false, by: event.by, since: event.at, reason: event.reason });
  }
}

const write = (gate: Gate, change: Partial<Gate>): GateDecision => ({
  kind: 'write',
  gate: { ...gate, ...change, leaseNumber: gate.leaseNumber + 1 },
});
const refuse = (why: GateRefusal): GateDecision => ({ kind: 'refused', why });

/** A lease as someone else watches it: since when, on the watcher's own monotonic clock (ms), it has stood unchanged. */
export interface LeaseWatch {
  readonly holder: string;
  readonly leaseNumber: number;
  readonly sinceMs: number;
}

/** @param nowMs the watcher's monotonic clock at a moment after the answer with this gate arrived */
export function watchLease(watch: LeaseWatch | undefined, gate: Gate, nowMs: number): LeaseWatch | undefined {
  if (gate.holder === undefined) return undefined;
  if (watch?.holder === gate.holder && watch.leaseNumber === gate.leaseNumber) return watch;
  return { holder: gate.holder, leaseNumber: gate.leaseNumber, sinceMs: nowMs };
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
  watch !== undefined &&
  watch.holder === gate.holder &&
  watch.leaseNumber === gate.leaseNumber &&
  nowMs >= lapsesAtMs(watch, gate, leaseMs);

/** Whether a paused line is proved silent: by its holder's word, for want of a holder, or because the lease has lapsed. */
export const isSilent = (gate: Gate, watch: LeaseWatch | undefined, leaseMs: number, nowMs: number): boolean =>
  gate.state === 'paused' && (gate.silent || gate.holder === undefined || hasLapsed(watch, gate, leaseMs, nowMs));
