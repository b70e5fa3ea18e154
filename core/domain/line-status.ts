import { type Gate, type OpenReasons, openReasonsOf, opensAtOf } from './gate.ts';
import { quietHoursOf, quietUntilMs } from './quiet-hours.ts';

/**
 * The state of the line as people see it. Only a paused line has `by`, `since` and `reason` of the first pause, and
 * `openReasons` of all pauses. The answer to a resume has the `openReasons` that it has ended.
 */
export type LineStatus = Pick<Gate, 'state' | 'busy' | 'silentSince' | 'by' | 'since' | 'reason'> &
  Partial<OpenReasons> & {
    /** of a paused line: whether it is proved that no request is in flight and none will be sent */
    readonly silent?: boolean;
    /** of a paused line: the moment at which it opens by itself; absent if it waits for a resume (ISO 8601) */
    readonly until?: string;
    /** only in quiet hours (LINE_QUIET_HOURS): when they end (ISO 8601) */
    readonly quietHours?: { readonly until: string };
  };

/** Returns the part of the status that comes from the quiet hours. @param text LINE_QUIET_HOURS */
export function quietStatusOf(text: string, nowMs: number): Pick<LineStatus, 'quietHours'> {
  const untilMs = quietUntilMs(quietHoursOf(text), nowMs);
  return untilMs === undefined ? {} : { quietHours: { until: new Date(untilMs).toISOString() } };
}

/** What a run saves of the line with its progress. */
export type LineState = Pick<LineStatus, 'state' | 'busy'>;

/** Returns the status of a gate, without the fields that people do not need. */
export function lineStatusOf(gate: LineStatus & Pick<Gate, 'changeNumber'>): LineStatus {
  const { state, busy, silent, silentSince, by, since, reason } = gate;
  if (state === 'open') return { state, busy };
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
    ...(until !== undefined && { until }),
  };
}
