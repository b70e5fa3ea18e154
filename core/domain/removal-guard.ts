/** So few removals are nothing to ask about, whatever their share (docs/explanation/the-daily-run.md, "Remove, or ask"). */
const maxRemovalsWithoutApproval = 20;

/**
 * Tells whether an operator has to decide about a list's removals: when they are above the limit and above 20 people, and
 * always when nobody would be left (docs/adr/0009).
 * @param stored how many were stored before this list; whoever it brought anew is not among them
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
