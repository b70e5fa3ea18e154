import {
  type Gate,
  type GateEvent,
  hasLapsed,
  type LeaseWatch,
  leaseMarginMs,
  lineItself,
} from '../../core/domain/gate.ts';

/** What a keeper knows beside the gate when it decides what to write. Moments are monotonic ms. */
export interface KeeperState {
  /** this process's random ID */
  readonly holder: string;
  readonly leaseMs: number;
  readonly watch: LeaseWatch | undefined;
  /** when the next renewal is due; -Infinity: at once, for want of a lease to grant from */
  readonly renewAtMs: number;
  /** there is a line process that runs and can be granted something */
  readonly lineProcessReady: boolean;
  /** nothing of the line process is under way, and it can send nothing; so too when there is none */
  readonly lineProcessClosed: boolean;
  /** the line process has been missing for so long that another process had better have the line */
  readonly lineProcessGivenUp: boolean;
  readonly busy: boolean;
  readonly stopping: boolean;
  /** what is left of a Retry-After, as far as this process knows, ms */
  readonly cooldownMs: number;
  /** a pause by the line itself that the gate does not have yet */
  readonly unwrittenPause: { readonly reason: string; readonly at: string } | undefined;
}

/** The next thing to write into the gate that was just read, or nothing. One at a time: each changes the gate. */
export function nextGateEvent(gate: Gate, state: KeeperState, nowMs: number): GateEvent | undefined {
  const { holder, leaseMs, cooldownMs } = state;
  if (state.unwrittenPause !== undefined)
    return { kind: 'pause', by: lineItself, ...state.unwrittenPause, seen: gate.changeNumber, cooldownMs };
  if (gate.holder === holder) {
    const { lineProcessClosed } = state;
    if (lineProcessClosed && (state.stopping || state.lineProcessGivenUp))
      return { kind: 'release', holder, cooldownMs };
    if (lineProcessClosed && gate.state === 'paused' && !gate.silent) return { kind: 'say-silent', holder, cooldownMs };
    if (nowMs >= state.renewAtMs) return { kind: 'renew', holder, leaseMs, busy: state.busy, cooldownMs };
    return undefined;
  }
  // To take is also to say that this process is silent, and able to serve.
  if (state.stopping || !state.lineProcessReady || !state.lineProcessClosed) return undefined;
  if (gate.holder === undefined) return { kind: 'take', holder, leaseMs, cooldownMs };
  const { watch } = state;
  if (watch !== undefined && hasLapsed(watch, gate, leaseMs, nowMs))
    return { kind: 'take', holder, leaseMs, lapsed: watch, cooldownMs };
  return undefined;
}

/** The holder's own end of its lease. @param sentMs when its last successful renewal was sent, monotonic */
export const maySendUntilMs = (sentMs: number, leaseMs: number): number => sentMs + leaseMs - leaseMarginMs(leaseMs);

/** When a line process that has not said that its sockets are closed is killed: half way to where another may take over. */
export const killAtMs = (sendUntilMs: number, leaseMs: number): number => sendUntilMs + leaseMarginMs(leaseMs) / 2;

/** Each second; four times a lease when that is short. */
export const renewEveryMs = (leaseMs: number): number => Math.min(1_000, leaseMs / 4);
