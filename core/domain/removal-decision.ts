import type { RemovalReason } from './removal-guard.ts';

/** Removals that wait for an operator: those of a list, or patients for whom the insurer has answered 410. */
export interface RemovalQuestion {
  /** names the question: the ID of the list, or `{runId}-not-insured-{n}` */
  readonly listId: string;
  readonly kind: 'list' | 'not-insured';
  /** number of patients that an approval removes */
  readonly removals: number;
  /** number of patients that were stored before */
  readonly stored: number;
  /** ISO 8601 UTC: when the list came, or the first answer that was held back */
  readonly receivedAt: string;
  /** ISO 8601 UTC: since when the question waits */
  readonly waitingSince: string;
  readonly reasons: readonly RemovalReason[];
}

/** What an operator decided about a question. */
export interface MadeDecision
  extends Pick<RemovalQuestion, 'listId' | 'kind' | 'removals' | 'stored' | 'waitingSince'> {
  readonly decision: 'approve' | 'reject';
  /** the operator */
  readonly by: string;
  /** ISO 8601 UTC */
  readonly decidedAt: string;
}

/** Number of decisions that a run keeps, newest last. */
export const decisionsMax = 50;

/**
 * Why a decision is rejected:
 * - invalid: neither approve nor reject
 * - made: an operator has decided it before
 * - outdated: a newer list has come, or is on its way
 * - not-awaited: no question is open
 * - unknown: no question had this name
 */
export type DecisionFault = 'invalid' | 'made' | 'outdated' | 'not-awaited' | 'unknown';
