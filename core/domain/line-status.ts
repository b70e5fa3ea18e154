import { type Cooldown, type Gate, type OpenReasons, openReasonsOf, type Pace } from './gate.ts';

/**
 * The state of the line as people see it. Only a paused line has `by`, `since` and `reason` of the first pause, and
 * `openReasons` of all pauses. The answer to a resume has the `openReasons` that it has ended.
 */
export type LineStatus = Pick<Gate, 'state' | 'busy' | 'silentSince' | 'by' | 'since' | 'reason'> &
  Partial<OpenReasons> &
  LineLimits & {
    /** of a paused line: whether it is proved that no request is in flight and none will be sent */
    readonly silent?: boolean;
  };

/** What makes the line slower than it could be. */
export interface LineLimits {
  /** absent unless one runs */
  readonly cooldown?: Cooldown;
  /** absent without a limit; only an operator's has `by`, `since` and `reason` */
  readonly pace?: Pick<Pace, 'requestsPerMinute'> & Partial<Pace>;
}

/** What a run saves of the line with its progress. */
export type LineState = Pick<LineStatus, 'state' | 'busy'>;

/** Returns what limits the line of a gate. */
export function lineLimitsOf({
  cooldownMs,
  cooldown,
  defaultPace,
  pace = defaultPace === undefined ? undefined : { requestsPerMinute: defaultPace },
}: Pick<Gate, 'cooldown' | 'defaultPace'> & LineLimits & Partial<Pick<Gate, 'cooldownMs'>>): LineLimits {
  return { ...(cooldownMs !== 0 && cooldown && { cooldown }), ...(pace && { pace }) };
}

/** Returns the status of a gate, without the fields that people do not need. */
export function lineStatusOf(
  gate: LineStatus & Pick<Gate, 'changeNumber' | 'defaultPace'> & Partial<Pick<Gate, 'cooldownMs'>>,
): LineStatus {
  const { state, busy, silent, silentSince, by, since, reason } = gate;
  const limits = lineLimitsOf(gate);
  if (state === 'open') return { state, busy, ...limits };
  return {
    state,
    busy,
    ...(silent !== undefined && { silent }),
    ...(silentSince !== undefined && { silentSince }),
    ...(by !== undefined && { by }),
    ...(since !== undefined && { since }),
    ...(reason !== undefined && { reason }),
    ...openReasonsOf(gate),
    ...limits,
  };
}
