import type { Issue } from './issue.ts';
import { lineFaults } from './line.ts';
import type { Progress } from './progress.ts';
import { lastHourMs } from './run-schedule.ts';

/** To which request the insurer has answered. Failed requests are counted together, for the list and for care records. */
export const reportedRequests = ['list', 'care-records', 'any'] as const;

/**
 * What a problem had as its consequence:
 * - request-failed: the request was repeated
 * - list-unusable: the list was not used
 * - not-stored: an entry of the list was not taken
 * - not-fetched: the care records of a patient are missing
 * - stored-as-sent: the data break the contract, and are stored
 */
export const reportedEffects = [
  'request-failed',
  'list-unusable',
  'not-stored',
  'not-fetched',
  'stored-as-sent',
] as const;

/** All equal problems of one run that the insurer can mend. Holds no personal data, except pseudonyms. */
export interface InsurerProblem {
  readonly runId: string;
  /** of the run; ISO 8601 UTC */
  readonly startedAt: string;
  readonly finishedAt?: string;
  readonly request: (typeof reportedRequests)[number];
  readonly effect: (typeof reportedEffects)[number];
  /** what is wrong, in fixed words: `check digit`, `not a date`, a fault of the line */
  readonly problem: string;
  /** JSONPath (RFC 9535) in the insurer's document: `$[*].kvnr`; absent if no document has come */
  readonly where?: string;
  readonly count: number;
  /** of how many requests; only of `request-failed` */
  readonly of?: number;
  /** the first places of such entries in the list, from 0 */
  readonly positions?: readonly number[];
  /** the first patients, by pseudonym */
  readonly patientRefs?: readonly string[];
}

/** The problem of what a run has counted without an issue. */
export const furtherProblems = 'further ones, which are only counted';

/** Maximum number of examples of one problem. */
const examplesMax = 5;

/** Collects the problems of one run. Equal ones are counted, so that memory and report stay small. */
export interface InsurerProblems {
  add(issues: readonly Issue[]): void;
  /** Returns the problems, most frequent first. Those that are counted and have no issue are one problem of their own. */
  list(): readonly InsurerProblem[];
}

/** Reasons that are none of the insurer's, although care records are missing, are not in here. */
const insurersCodes: ReadonlySet<string> = new Set([
  ...lineFaults,
  ...['PatientUnknown', 'AnswerTooLarge', 'RequestsExhausted'],
]);

type Facts = Pick<InsurerProblem, 'request' | 'effect' | 'problem' | 'where'>;

export function collectInsurerProblems({
  runId,
  startedAt,
  finishedAt,
  patients,
  careRecords,
  line,
}: Progress): InsurerProblems {
  const run = { runId, startedAt, ...(finishedAt !== undefined && { finishedAt }) };
  const groups = new Map<string, Facts & { count: number; positions: number[]; patientRefs: string[] }>();
  /** number of issues: of quarantined entries, flagged entries, and flagged care records */
  const seen = { quarantined: 0, flaggedEntries: 0, flaggedRecords: 0 };

  const count = (facts: Facts, { position, patientRef }: Issue): void => {
    const key = JSON.stringify(facts);
    const group = groups.get(key) ?? { ...facts, count: 0, positions: [], patientRefs: [] };
    groups.set(key, group);
    group.count += 1;
    if (position !== undefined && group.positions.length < examplesMax) group.positions.push(position);
    else if (position === undefined && patientRef !== undefined && group.patientRefs.length < examplesMax)
      group.patientRefs.push(patientRef);
  };
  const withoutIssue = (facts: Facts, number: number): InsurerProblem[] =>
    number > 0 ? [{ ...run, ...facts, count: number }] : [];

  return {
    add(issues) {
      for (const issue of issues) {
        const { kind, position, reason } = issue;
        if (kind === 'quarantined') seen.quarantined += 1;
        if (kind === 'flagged') seen[position === undefined ? 'flaggedRecords' : 'flaggedEntries'] += 1;
        const facts = factsOf(issue);
        if (facts === undefined) continue;
        const isOfEntry = position !== undefined;
        for (const problem of problemsIn(reason, isOfEntry)) count({ ...facts, ...problem }, issue);
      }
    },
    list() {
      const counted = [...groups.values()].map(
        ({ positions, patientRefs, ...facts }): InsurerProblem => ({
          ...run,
          ...facts,
          ...(positions.length > 0 && { positions }),
          ...(patientRefs.length > 0 && { patientRefs }),
        }),
      );
      const failed = Object.entries(line.faults).map(
        ([problem, number]): InsurerProblem => ({
          ...run,
          ...{ request: 'any', effect: 'request-failed', problem, count: number, of: line.requests },
        }),
      );
      return [
        ...failed,
        ...counted,
        ...withoutIssue(
          { request: 'list', effect: 'not-stored', problem: furtherProblems, where: '$[*]' },
          patients.quarantined - seen.quarantined,
        ),
        ...withoutIssue(
          { request: 'list', effect: 'stored-as-sent', problem: furtherProblems, where: '$[*]' },
          (patients.flagged ?? 0) - seen.flaggedEntries,
        ),
        ...withoutIssue(
          { request: 'care-records', effect: 'stored-as-sent', problem: furtherProblems, where: '$' },
          (careRecords.flagged ?? 0) - seen.flaggedRecords,
        ),
      ].sort((a, b) => b.count - a.count);
    },
  };
}

/** Returns undefined if the insurer can do nothing about an issue. */
function factsOf({ kind, position, reason }: Issue): Pick<Facts, 'request' | 'effect'> | undefined {
  switch (kind) {
    case 'list':
      return { request: 'list', effect: 'list-unusable' };
    case 'quarantined':
      return { request: 'list', effect: 'not-stored' };
    case 'flagged':
      return { request: position === undefined ? 'care-records' : 'list', effect: 'stored-as-sent' };
    case 'care-records':
      return insurersCodes.has(reason) || reason.includes(': ')
        ? { request: 'care-records', effect: 'not-fetched' }
        : undefined;
    case 'kvnr-changed':
      return undefined;
  }
}

/** Splits a reason, such as `kvnr: check digit; birthDate: missing`, into its problems. Positions in a path become `*`. */
function problemsIn(reason: string, isOfEntry: boolean): Pick<Facts, 'problem' | 'where'>[] {
  const problems = reason.split('; ').filter((text) => !/^and (\d+ )?more$/.test(text));
  return problems.map((text) => {
    const [, path, words] = /^(.*?): (.*)$/.exec(text) ?? [];
    return path === undefined || words === undefined
      ? { problem: text }
      : { problem: words, where: jsonPath(path, isOfEntry) };
  });
}

/** Names of the whole value at the start of a path. */
const wholes: ReadonlySet<string> = new Set(['entry', 'answer', 'list']);

function jsonPath(path: string, isOfEntry: boolean): string {
  const root = isOfEntry ? '$[*]' : '$';
  return wholes.has(path) ? root : `${root}.${path.replace(/\[\d+\]/g, '[*]')}`;
}

const dayMs = 24 * 60 * 60_000;

/** Returns when a calendar day, such as `2026-11-24`, begins and ends in Germany, in epoch ms. */
export function dayInGermany(day: string): { readonly startMs: number; readonly endMs: number } {
  const noonMs = Date.parse(`${day}T12:00:00Z`);
  return { startMs: lastHourMs(0, noonMs), endMs: lastHourMs(0, noonMs + dayMs) };
}
