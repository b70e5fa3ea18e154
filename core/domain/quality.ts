/** A problem in what the insurer has sent. */
export interface ProblemCount {
  /** where: a JSON path in which `[]` stands for any position (`careRecords[].start`); `answer` for all of an answer */
  readonly path: string;
  /** what is wrong, in fixed words or as a code: `not a date`, `AnswerTooLarge`; never a value */
  readonly kind: string;
  /** entries of the list and answers with care records that have it; each is counted once */
  readonly count: number;
}

/** The quality of what came in a run (docs/adr/0056). Percentages have one decimal. */
export interface Quality {
  /**
   * the larger one of `quarantinedPercent` and `failedPercent`, both without acknowledged issues; the run has problems from
   * UNREADABLE_LIMIT_PERCENT on
   */
  readonly unreadablePercent: number;
  /** entries that cannot be stored, of all entries of the list */
  readonly quarantinedPercent: number;
  /** patients without usable care records, of those whose sync has ended */
  readonly failedPercent: number;
  /** entries and care records that are stored although they break the contract, of those stored */
  readonly flaggedPercent: number;
  /** the most frequent problems first, at most `reportedProblemsMax` */
  readonly byProblem: readonly ProblemCount[];
}

export interface QualityCounts {
  readonly patients: { readonly listed: number; readonly quarantined: number; readonly flagged?: number };
  readonly careRecords: {
    readonly done: number;
    readonly failed: number;
    readonly notInsured: number;
    readonly flagged?: number;
  };
  /** of the quarantined entries, and of the failed patients: those whose issue is acknowledged */
  readonly acknowledged: { readonly quarantined: number; readonly failed: number };
}

export const reportedProblemsMax = 20;
/** Maximum number of different problems that are counted. Later ones are dropped: the counts travel through Temporal. */
const countedProblemsMax = 60;

/**
 * Counts the problems that the reason of an issue names.
 * @param reason a code, or paths with fixed words: `kvnr: check digit; birthDate: missing`
 */
export function addProblems(counts: readonly ProblemCount[], reason: string): readonly ProblemCount[] {
  return mergeProblems(counts, problemsIn(reason));
}

/** Adds up two counts. */
export function mergeProblems(a: readonly ProblemCount[], b: readonly ProblemCount[]): readonly ProblemCount[] {
  const merged = [...a];
  for (const { path, kind, count } of b) {
    const at = merged.findIndex((known) => known.path === path && known.kind === kind);
    const known = merged[at];
    if (known !== undefined) merged[at] = { ...known, count: known.count + count };
    else if (merged.length < countedProblemsMax) merged.push({ path, kind, count });
  }
  return merged;
}

/** Returns each problem of a reason once, without positions. `and 3 more` is none. */
export function problemsIn(reason: string): ProblemCount[] {
  const texts = reason.split('; ').filter((text) => !/^and (?:\d+ )?more$/.test(text));
  return [...new Set(texts.map((text) => text.replace(/\[\d+\]/g, '[]')))].map((text) => {
    const colon = text.indexOf(': ');
    return colon < 0
      ? { path: 'answer', kind: text, count: 1 }
      : { path: text.slice(0, colon), kind: text.slice(colon + 2), count: 1 };
  });
}

/** Returns the quality of what came. @param problems in any order */
export function qualityOf(counts: QualityCounts, problems: readonly ProblemCount[]): Quality {
  const { patients, careRecords } = counts;
  const flagged = (patients.flagged ?? 0) + (careRecords.flagged ?? 0);
  const all = sharesIn(counts);
  return {
    unreadablePercent: Math.max(...Object.values(unreadableIn(counts)).map(percentOf)),
    quarantinedPercent: percentOf(all.quarantined),
    failedPercent: percentOf(all.failed),
    flaggedPercent: percentOf({ part: flagged, whole: patients.listed + careRecords.done }),
    byProblem: problems.toSorted((a, b) => b.count - a.count).slice(0, reportedProblemsMax),
  };
}

/** Returns whether the share that is unreadable has reached the limit. What is complete never has. */
export const isUnreadable = (counts: QualityCounts, limitPercent: number): boolean =>
  Object.values(unreadableIn(counts)).some(({ part, whole }) => part > 0 && part * 100 >= whole * limitPercent);

interface Share {
  readonly part: number;
  readonly whole: number;
}

/** The list and the care records have a share each: a million good entries must not hide that all care records fail. */
const sharesIn = ({ patients, careRecords }: QualityCounts) => ({
  quarantined: { part: patients.quarantined, whole: patients.listed + patients.quarantined },
  failed: { part: careRecords.failed, whole: careRecords.done + careRecords.notInsured + careRecords.failed },
});

/** Returns the shares without acknowledged issues. */
function unreadableIn(counts: QualityCounts): Readonly<Record<'quarantined' | 'failed', Share>> {
  const { quarantined, failed } = sharesIn(counts);
  const { acknowledged } = counts;
  return {
    quarantined: { ...quarantined, part: quarantined.part - acknowledged.quarantined },
    failed: { ...failed, part: failed.part - acknowledged.failed },
  };
}

const percentOf = ({ part, whole }: Share): number => (whole === 0 ? 0 : Math.round((part * 1_000) / whole) / 10);
