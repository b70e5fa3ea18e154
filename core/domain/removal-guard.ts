/** Up to this many removals need no approval, independent of their share (docs/explanation/the-daily-run.md, "Remove, or ask"). */
const removalsWithoutApproval = 20;
/** Up to this many entries without a readable KVNR raise no doubt about a list. */
const unreadableWithoutApproval = 20;

/**
 * Why an operator must approve removals:
 * - nobody-left: nobody would remain
 * - share: too large a share of the patients, together with the last seven days
 * - number: too many patients, together with the last seven days
 * - unreadable-entries: too many entries of the list may be anybody's
 * - not-insured-answers: the insurer answered 410 for too many patients in one run
 */
export const removalReasons = ['nobody-left', 'share', 'number', 'unreadable-entries', 'not-insured-answers'] as const;
export type RemovalReason = (typeof removalReasons)[number];

export interface RemovalLimits {
  /** REMOVAL_LIMIT_PERCENT */
  readonly removalLimitPercent: number;
  /** REMOVAL_LIMIT_PEOPLE */
  readonly removalLimitPeople: number;
}

export interface RemovalFigures {
  /** patients that the list would remove */
  readonly removals: number;
  /** patients that were stored before this list */
  readonly stored: number;
  /** patients removed in the last seven days without an operator's approval */
  readonly recentRemovals: number;
  /** entries of the list, and those of them without a readable KVNR */
  readonly entries: number;
  readonly unreadable: number;
}

/** Returns why an operator must approve the removals of a list; empty if nobody must (docs/adr/0009, docs/adr/0041). */
export function reasonsToAsk(figures: RemovalFigures, limits: RemovalLimits): RemovalReason[] {
  const { removals, stored, recentRemovals, entries, unreadable } = figures;
  if (removals === 0) return [];
  const inSevenDays = removals + recentRemovals;
  const storedBefore = stored + recentRemovals; // so that the limit does not shrink with what it has let through
  const isAbove = (part: number, whole: number): boolean => part * 100 > whole * limits.removalLimitPercent;
  const reasons: RemovalReason[] = [];
  if (removals >= stored) reasons.push('nobody-left');
  if (inSevenDays > removalsWithoutApproval && isAbove(inSevenDays, storedBefore)) reasons.push('share');
  if (inSevenDays > limits.removalLimitPeople) reasons.push('number');
  if (unreadable > unreadableWithoutApproval && isAbove(unreadable, entries)) reasons.push('unreadable-entries');
  return reasons;
}

/** Returns for how many patients of one run a 410 is carried out without an operator's approval. */
export const notInsuredLimit = (stored: number, { removalLimitPercent, removalLimitPeople }: RemovalLimits): number =>
  Math.min(Math.max(removalsWithoutApproval, Math.floor((stored * removalLimitPercent) / 100)), removalLimitPeople);
