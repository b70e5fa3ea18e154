import { type LogProblem, oldestOf, type Verification } from './access-log.ts';

/** The check of all access logs, while it runs and afterwards. */
export interface AccessLogCheck {
  readonly state: 'running' | 'completed';
  /** ISO 8601 UTC */
  readonly startedAt: string;
  readonly finishedAt?: string;
  /** number of logs verified so far, and of their entries */
  readonly logs: number;
  readonly entries: number;
  /** number of entries without an anchor */
  readonly unanchored: number;
  readonly oldestUnanchoredSeconds?: number;
  readonly brokenLogs: number;
  /** the first broken logs, at most 100 */
  readonly broken: readonly BrokenLog[];
}

export interface BrokenLog {
  readonly patientRef: string;
  readonly firstBrokenSeq: number;
  readonly problem: LogProblem;
}

const brokenShown = 100;

export const beginCheck = (startedAt: string): AccessLogCheck => ({
  ...{ state: 'running', startedAt, logs: 0, entries: 0, unanchored: 0, brokenLogs: 0, broken: [] },
});

/** Adds the result of one log. A log without entries counts only if it is broken: otherwise it has expired. */
export function addVerification(check: AccessLogCheck, patientRef: string, found: Verification): AccessLogCheck {
  const { valid, entries, unanchored, firstBrokenSeq = 0, problem = 'changed' } = found;
  if (valid && entries === 0) return check;
  const more: readonly BrokenLog[] = valid ? [] : [{ patientRef, firstBrokenSeq, problem }];
  return {
    ...check,
    logs: check.logs + 1,
    entries: check.entries + entries,
    unanchored: check.unanchored + unanchored,
    ...oldestOf([{ ...check, anchored: 0 }, found]),
    brokenLogs: check.brokenLogs + more.length,
    broken: [...check.broken, ...more].slice(0, brokenShown),
  };
}
