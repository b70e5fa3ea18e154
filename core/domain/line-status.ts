import type { Gate } from './gate.ts';

/** The state of the line as people see it. `by`, `since` and `reason` are present only while the line is paused. */
export type LineStatus = Pick<Gate, 'state' | 'busy' | 'silentSince' | 'by' | 'since' | 'reason'> & {
  /** of a paused line: whether it is proved that no request is in flight and none will be sent */
  readonly silent?: boolean;
};

/** What a run saves of the line with its progress. */
export type LineState = Pick<LineStatus, 'state' | 'busy'>;

/** Returns the status of a gate, without the fields that people do not need. */
export function lineStatusOf({ state, busy, silent, silentSince, by, since, reason }: LineStatus): LineStatus {
  if (state === 'open') return { state, busy };
  return {
    state,
    busy,
    ...(silent !== undefined && { silent }),
    ...(silentSince !== undefined && { silentSince }),
    ...(by !== undefined && { by }),
    ...(since !== undefined && { since }),
    ...(reason !== undefined && { reason }),
  };
}
