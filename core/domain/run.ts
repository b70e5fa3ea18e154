import type { SplitResult } from '../contract/list-activities.ts';
import type { CarriedIssues } from '../contract/sync-activities.ts';
import type { ListCounts } from './diff.ts';
import type { CareRecordsAge } from './freshness.ts';
import { flaggedIssuesMax } from './issue.ts';
import { addLineUse, failuresOf, type LineUse, zeroLineUse } from './line.ts';
import type { LineState } from './line-status.ts';
import { failureRateOf, type Phase, type Progress, type RunFailure, type RunState } from './progress.ts';
import { addProblems, isUnreadable, mergeProblems, type ProblemCount, qualityOf } from './quality.ts';
import { countFinished, etaSeconds, type RecentRate, ratePerMinute, startRate } from './rate.ts';
import { decisionsMax, type MadeDecision, type RemovalQuestion } from './removal-decision.ts';

/** The counts of a run, from which its progress is computed. Times are epoch ms. */
export interface Run {
  readonly runId: string;
  readonly startedAtMs: number;
  readonly state: RunState;
  /** why a failed run has failed */
  readonly failure?: RunFailure;
  readonly phase: Phase;
  readonly finishedAtMs?: number;
  /** decisions of operators about removals, oldest first */
  readonly decisions: readonly MadeDecision[];
  /** set when requested; reported once the run has ended as cancelled */
  readonly cancellation?: NonNullable<Progress['cancellation']>;
  readonly patients: Progress['patients'];
  readonly careRecords: {
    /** patients that were pending at the last count, plus those finished by then */
    readonly total: number;
    readonly done: number;
    /** the insurer answered 410: removed, or held back */
    readonly notInsured: number;
    /** of notInsured: held back until an operator decides */
    readonly held: number;
    /** final: not fetched again until the insurer's entry changes */
    readonly permanentlyFailed: number;
    /** all requests failed: they stay pending for the next list */
    readonly exhausted: number;
    /** answers that break the contract and are stored as they were sent; absent before the first one */
    readonly flagged?: number;
  };
  /** what is wrong with the last list, and with care records; absent before the first problem */
  readonly problems?: { readonly list: readonly ProblemCount[]; readonly careRecords: readonly ProblemCount[] };
  /** of the quarantined entries, and of the patients that have failed: those whose issue is acknowledged */
  readonly acknowledged?: Acknowledged;
  /** removals that no operator approved */
  readonly unapprovedRemovals: number;
  readonly lineUse: LineUse;
  readonly rate: RecentRate;
  /** at the last count */
  readonly careRecordsAge?: CareRecordsAge;
}

export interface Acknowledged {
  readonly quarantined: number;
  readonly permanentlyFailed: number;
  readonly exhausted: number;
}
const noneAcknowledged: Acknowledged = { quarantined: 0, permanentlyFailed: 0, exhausted: 0 };

export const startRun = (runId: string, startedAtMs: number): Run => ({
  runId,
  startedAtMs,
  state: 'running',
  phase: 'list',
  decisions: [],
  patients: { listed: 0, new: 0, changed: 0, removed: 0, unchanged: 0, quarantined: 0, flagged: 0, kvnrChanged: 0 },
  careRecords: { total: 0, done: 0, notInsured: 0, held: 0, permanentlyFailed: 0, exhausted: 0 },
  unapprovedRemovals: 0,
  lineUse: zeroLineUse,
  rate: startRate(startedAtMs),
});

/**
 * Adds the counts of a list. A long run may apply several lists: new and changed patients add up, and the other counts
 * are those of the last list.
 */
export const countList = (
  run: Run,
  counts: Omit<ListCounts, 'gone' | 'stored'>,
  {
    quarantined,
    flagged = 0,
    problems = [],
    acknowledged = 0,
  }: Pick<SplitResult, 'quarantined' | 'flagged' | 'problems' | 'acknowledged'>,
  kvnrChanged: number,
): Run => ({
  ...run,
  patients: {
    listed: counts.listed,
    new: run.patients.new + counts.new,
    changed: run.patients.changed + counts.changed,
    unchanged: counts.unchanged,
    removed: run.patients.removed,
    quarantined,
    flagged,
    kvnrChanged,
    ...(run.patients.provisional !== undefined && { provisional: run.patients.provisional }),
  },
  ...listQuality(run, problems, acknowledged),
});

const listQuality = (run: Run, problems: readonly ProblemCount[], quarantined: number) => ({
  problems: { list: problems, careRecords: run.problems?.careRecords ?? [] },
  acknowledged: { ...noneAcknowledged, ...run.acknowledged, quarantined },
});

/** Counts what is wrong with a list that has not changed since an earlier run has applied it. */
export const countCarried = (
  run: Run,
  { listed = 0, quarantined, flagged, kvnrChanged, acknowledged, problems }: CarriedIssues,
): Run => ({
  ...run,
  patients: { ...run.patients, listed, quarantined, flagged, kvnrChanged },
  ...listQuality(run, problems, acknowledged),
});

/**
 * Counts a list that has not changed, as this run or the one that has applied it has counted it.
 * @param stored who counts if nobody has counted the list
 */
export const countUnchangedList = (run: Run, stored: number): Run => {
  const listed = run.patients.listed || stored;
  return { ...run, patients: { ...run.patients, listed, unchanged: Math.min(listed, stored) } };
};

/** Counts removals that begin without an operator's approval. A run that is cancelled meanwhile counts all of them. */
export const countUnapproved = (run: Run, removals: number): Run => ({
  ...run,
  unapprovedRemovals: run.unapprovedRemovals + removals,
});

/** Counts patients that were removed because they are not on the list. */
export const countRemoved = (run: Run, removed: number): Run => ({
  ...run,
  patients: { ...run.patients, removed: run.patients.removed + removed },
});

/** Counts held patients that an operator's approval has removed. */
export const countHeldRemoved = (run: Run, removed: number): Run => ({
  ...run,
  careRecords: { ...run.careRecords, held: Math.max(0, run.careRecords.held - removed) },
});

/** Counts that all held patients are pending again. */
export const countReopened = (run: Run): Run => {
  const { notInsured, held, ...rest } = run.careRecords;
  return { ...run, careRecords: { ...rest, notInsured: notInsured - held, held: 0 } };
};

/** Adds a decision, and drops the oldest one if there are too many. */
export const addDecision = (run: Run, decision: MadeDecision): Run => ({
  ...run,
  decisions: [...run.decisions, decision].slice(-decisionsMax),
});

/** Sets the number of provisional patients in the table. */
export const countProvisional = (run: Run, provisional: number): Run => ({
  ...run,
  patients: { ...run.patients, provisional },
});

/** Notes how old the stored care records are. */
export const countAge = (run: Run, careRecordsAge: CareRecordsAge | undefined): Run =>
  careRecordsAge === undefined ? run : { ...run, careRecordsAge };

/** Restarts the counts of care records with the patients that are pending in the table, including exhausted ones. */
export const countPending = (run: Run, pending: number): Run => {
  const { done, notInsured, permanentlyFailed } = run.careRecords;
  return {
    ...run,
    careRecords: {
      ...run.careRecords,
      exhausted: 0,
      total: done + notInsured + permanentlyFailed + pending,
    },
    acknowledged: { ...noneAcknowledged, ...run.acknowledged, exhausted: 0 },
  };
};

/** Returns a run as it ends. `list-unusable` and `internal` are failures. */
export const endRun = (run: Run, as: 'completed' | 'completed-with-problems' | 'cancelled' | RunFailure): Run => {
  switch (as) {
    case 'completed':
    case 'completed-with-problems':
      return { ...run, phase: 'done', state: as };
    case 'cancelled':
      return { ...run, state: as };
    case 'list-unusable':
      return { ...run, phase: 'done', state: 'failed', failure: as };
    case 'internal':
      return { ...run, state: 'failed', failure: as };
  }
};

/**
 * Returns as what a run ends that was carried out.
 * @param unreadableLimitPercent absent if an older version has begun the run: it has no problems
 */
export const completionOf = (
  run: Run,
  unreadableLimitPercent: number | undefined,
): 'completed' | 'completed-with-problems' =>
  unreadableLimitPercent !== undefined && isUnreadable(qualityCounts(run), unreadableLimitPercent)
    ? 'completed-with-problems'
    : 'completed';

const qualityCounts = ({ patients, careRecords, acknowledged = noneAcknowledged }: Run) => ({
  patients,
  careRecords: { ...careRecords, failed: careRecords.permanentlyFailed + careRecords.exhausted },
  acknowledged: {
    quarantined: acknowledged.quarantined,
    failed: acknowledged.permanentlyFailed + acknowledged.exhausted,
  },
});

export type PatientOutcome = 'done' | 'not-insured' | 'held' | 'permanently-failed' | 'exhausted' | 'gone';

/** The issue of a patient whose sync has ended. */
export interface PatientIssue {
  /** what is wrong with the answer, or why there is none */
  readonly reason: string;
  readonly isAcknowledged: boolean;
}

/**
 * Counts the end of one patient's sync. A patient that has been removed (`gone`) leaves the total. `not-insured`: removed
 * after a 410; `held`: kept after a 410 until an operator decides.
 * @param isFlagged the stored care records break the contract
 */
export function countPatient(
  run: Run,
  outcome: PatientOutcome,
  lineUse: LineUse,
  nowMs: number,
  isFlagged = false,
  issue?: PatientIssue,
): Run {
  const { total, done, notInsured, held, permanentlyFailed, exhausted, flagged = 0 } = run.careRecords;
  return {
    ...run,
    careRecords: {
      total: total - (outcome === 'gone' ? 1 : 0),
      done: done + (outcome === 'done' ? 1 : 0),
      notInsured: notInsured + (outcome === 'not-insured' || outcome === 'held' ? 1 : 0),
      held: held + (outcome === 'held' ? 1 : 0),
      permanentlyFailed: permanentlyFailed + (outcome === 'permanently-failed' ? 1 : 0),
      exhausted: exhausted + (outcome === 'exhausted' ? 1 : 0),
      flagged: flagged + (isFlagged ? 1 : 0),
    },
    unapprovedRemovals: run.unapprovedRemovals + (outcome === 'not-insured' ? 1 : 0),
    lineUse: addLineUse(run.lineUse, lineUse),
    rate: countFinished(run.rate, nowMs),
    ...(issue !== undefined && countIssue(run, outcome, issue)),
  };
}

function countIssue(
  { problems, acknowledged = noneAcknowledged }: Run,
  outcome: PatientOutcome,
  { reason, isAcknowledged }: PatientIssue,
): Pick<Run, 'problems' | 'acknowledged'> {
  const { permanentlyFailed, exhausted } = acknowledged;
  return {
    problems: { list: problems?.list ?? [], careRecords: addProblems(problems?.careRecords ?? [], reason) },
    acknowledged: {
      ...acknowledged,
      permanentlyFailed: permanentlyFailed + (isAcknowledged && outcome === 'permanently-failed' ? 1 : 0),
      exhausted: exhausted + (isAcknowledged && outcome === 'exhausted' ? 1 : 0),
    },
  };
}

/** Returns whether flagged care records still become issues of the run. More of them are only counted. */
export const isFlaggedRecorded = ({ careRecords: { flagged = 0 } }: Run): boolean => flagged < flaggedIssuesMax;

/**
 * Returns the answer of a run to `progress` (docs/explanation/the-daily-run.md, "Progress").
 * @param line last known state of the line
 * @param question the question that an operator can answer now
 */
export function progressOf(run: Run, line: LineState, nowMs: number, question?: RemovalQuestion): Progress {
  const { total, done, notInsured, held, permanentlyFailed, exhausted, flagged = 0 } = run.careRecords;
  const pending = Math.max(0, total - done - notInsured - permanentlyFailed - exhausted);
  const rate = ratePerMinute(run.rate, run.finishedAtMs ?? nowMs);
  const eta = run.state === 'running' ? etaSeconds(pending, rate) : undefined;
  return {
    runId: run.runId,
    state: run.state,
    phase: run.phase,
    awaitingDecision: question !== undefined,
    ...(question && { decision: question }),
    decisions: run.decisions,
    startedAt: new Date(run.startedAtMs).toISOString(),
    ...(run.finishedAtMs !== undefined && { finishedAt: new Date(run.finishedAtMs).toISOString() }),
    ...(run.failure !== undefined && { failure: run.failure }),
    ...(run.state === 'cancelled' && run.cancellation && { cancellation: run.cancellation }),
    stale: false,
    patients: run.patients,
    careRecords: {
      total,
      done,
      pending,
      failed: permanentlyFailed + exhausted,
      notInsured,
      ...(held > 0 && { held }),
      ...(flagged > 0 && { flagged }),
    },
    ...(run.careRecordsAge && { careRecordsAge: run.careRecordsAge }),
    quality: qualityOf(qualityCounts(run), mergeProblems(run.problems?.list ?? [], run.problems?.careRecords ?? [])),
    unapprovedRemovals: run.unapprovedRemovals,
    line: {
      ...line,
      requests: run.lineUse.requests,
      failures: failuresOf(run.lineUse),
      failureRate: failureRateOf(run.lineUse),
      faults: run.lineUse.faults,
    },
    ratePerMinute: rate,
    ...(eta !== undefined && run.phase === 'care-records' && { etaSeconds: eta }),
  };
}
