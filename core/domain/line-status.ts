import { type Cooldown, type Gate, type OpenReasons, openReasonsOf, opensAtOf, type Pace } from './gate.ts';
import { quietHoursOf, quietUntilMs } from './quiet-hours.ts';

/**
 * The state of the line as people see it. Only a paused line has `by`, `since` and `reason` of the first pause, and
 * `openReasons` of all pauses. The answer to a resume has the `openReasons` that it has ended.
 */
export type LineStatus = Pick<Gate, 'state' | 'busy' | 'silentSince' | 'by' | 'since' | 'reason'> &
  Partial<OpenReasons> &
  LineLimits & {
    /** of a paused line: whether it is proved that no request is in flight and none will be sent */
    readonly silent?: boolean;
    /** of a paused line: the moment at which it opens by itself; absent if it waits for a resume (ISO 8601) */
    readonly until?: string;
    /** only in quiet hours (LINE_QUIET_HOURS): when they end (ISO 8601) */
    readonly quietHours?: { readonly until: string };
  };

/** What makes the line slower than it could be. */
export interface LineLimits {
  /** absent unless one runs */
  readonly cooldown?: Cooldown;
  /** absent without a limit; only an operator's has `by`, `since` and `reason` */
  readonly pace?: Pick<Pace, 'requestsPerMinute'> & Partial<Pace>;
}

/** Returns the part of the status that comes from the quiet hours. @param text LINE_QUIET_HOURS */
export function quietStatusOf(text: string, nowMs: number): Pick<LineStatus, 'quietHours'> {
  const untilMs = quietUntilMs(quietHoursOf(text), nowMs);
  return untilMs === undefined ? {} : { quietHours: { until: new Date(untilMs).toISOString() } };
}

/** Returns the same for a sync that somebody waits for: nothing unless LINE_QUIET_HOURS_PEOPLE lets people wait. */
export const quietStatusOfPeople = (
  { LINE_QUIET_HOURS, LINE_QUIET_HOURS_PEOPLE }: QuietSettings,
  nowMs: number,
): Pick<LineStatus, 'quietHours'> => (LINE_QUIET_HOURS_PEOPLE === 'wait' ? quietStatusOf(LINE_QUIET_HOURS, nowMs) : {});

interface QuietSettings {
  readonly LINE_QUIET_HOURS: string;
  readonly LINE_QUIET_HOURS_PEOPLE: 'go' | 'wait';
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
  const until = opensAtOf(gate);
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
    ...(until !== undefined && { until }),
  };
}
