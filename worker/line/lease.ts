import {
  type Gate,
  type GateEvent,
  hasLapsed,
  type LeaseWatch,
  leaseMarginMs,
  lineItself,
} from '../../core/domain/gate.ts';

/** What a keeper knows in addition to the gate when it decides what to write. Times are monotonic ms. */
export interface KeeperState {
  /** this process's random ID */
  readonly holder: string;
  readonly leaseMs: number;
  readonly watch: LeaseWatch | undefined;
  /** when the next renewal is due; -Infinity: immediately, because the line process has no permit yet */
  readonly renewAtMs: number;
  /** whether a line process runs and has reported ready */
  readonly isLineProcessReady: boolean;
  /** whether the line process has no socket to the insurer and can open none; true without a line process */
  readonly isLineProcessClosed: boolean;
  /** whether the line process is missing for so long that another worker should take the line */
  readonly isLineProcessGivenUp: boolean;
  /** whether a request was in flight since the last renewal */
  readonly wasBusy: boolean;
  readonly isStopping: boolean;
  /** remaining time of a cooldown, as far as this process knows */
  readonly cooldownMs: number;
  /** LINE_REQUESTS_PER_MINUTE */
  readonly defaultPace?: number;
  /** a pause by the line itself that is not in the gate yet */
  readonly unwrittenPause: { readonly reason: string; readonly at: string } | undefined;
}

/** Returns the next event to write into the gate that was just read; undefined if there is none. Each write changes the gate. */
export function nextGateEvent(gate: Gate, state: KeeperState, nowMs: number): GateEvent | undefined {
  const { holder, leaseMs, cooldownMs, defaultPace } = state;
  const ownLease = { holder, leaseMs, cooldownMs, ...(defaultPace !== undefined && { defaultPace }) };
  if (state.unwrittenPause !== undefined)
    return { kind: 'pause', by: lineItself, ...state.unwrittenPause, seen: gate.changeNumber, cooldownMs };
  if (gate.holder === holder) {
    const { isLineProcessClosed } = state;
    if (isLineProcessClosed && (state.isStopping || state.isLineProcessGivenUp))
      return { kind: 'release', holder, cooldownMs };
    if (isLineProcessClosed && gate.state === 'paused' && !gate.silent)
      return { kind: 'say-silent', holder, cooldownMs };
    if (nowMs >= state.renewAtMs) return { kind: 'renew', ...ownLease, busy: state.wasBusy };
    return undefined;
  }
  // A new holder must be silent and able to serve.
  if (state.isStopping || !state.isLineProcessReady || !state.isLineProcessClosed) return undefined;
  if (gate.holder === undefined) return { kind: 'take', ...ownLease };
  const { watch } = state;
  if (watch !== undefined && hasLapsed(watch, gate, leaseMs, nowMs))
    return { kind: 'take', ...ownLease, lapsed: watch };
  return undefined;
}

/** Returns the time at which the holder stops sending. @param sentMs when its last successful renewal was sent, monotonic */
export const maySendUntilMs = (sentMs: number, leaseMs: number): number => sentMs + leaseMs - leaseMarginMs(leaseMs);

/**
 * Returns when a line process is killed unless it has reported closed: half the margin after its send permit ended. Another
 * worker may take the lease one and a half margins later.
 */
export const killAtMs = (sendUntilMs: number, leaseMs: number): number => sendUntilMs + leaseMarginMs(leaseMs) / 2;

/** Returns the interval of renewals: one second, or a quarter of a short lease. */
export const renewEveryMs = (leaseMs: number): number => Math.min(1_000, leaseMs / 4);
