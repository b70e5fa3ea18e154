/** Up to this many removals need no approval, independent of their share (docs/explanation/the-daily-run.md, "Remove, or ask"). */
const maxRemovalsWithoutApproval = 20;

/**
 * Returns whether an operator must approve the removals of a list: if they exceed the limit and 20 patients, or if no
 * patient would be left (docs/adr/0009).
 * @param stored number of patients that were stored before this list
 */
export function needsApproval({ removals, stored, limitPercent }: RemovalFigures): boolean {
  if (removals === 0) return false;
  if (removals >= stored) return true;
  return removals > maxRemovalsWithoutApproval && removals * 100 > stored * limitPercent;
}

export interface RemovalFigures {
  readonly removals: number;
  readonly stored: number;
  /** REMOVAL_LIMIT_PERCENT */
  readonly limitPercent: number;
}
