export const issueKinds = ['quarantined', 'flagged', 'care-records', 'kvnr-changed', 'list'] as const;

/**
 * Maximum number of issues of the kind `flagged` that a list has, and that the care records of a run have. More are only
 * counted.
 */
export const flaggedIssuesMax = 1_000;

/**
 * Something about a run that a person should look at. Holds no personal data: only a pseudonym, a position and fixed words.
 * `quarantined`: an entry of the list that breaks the contract (`position`: its position in the list, from 0);
 * `flagged`: an entry (with `position`) or the care records of a patient (without) that break the contract and are stored as
 * they were sent; `care-records`: a patient whose care records could not be fetched; `kvnr-changed`: a new patient
 * (`patientRef`) with the name, birth date and address of one who is gone (`previousPatientRef`); `list`: the list itself,
 * which was unusable three times (`list: not an array`).
 */
export interface Issue {
  readonly kind: (typeof issueKinds)[number];
  /** fixed words and JSON paths only, never a value of the entry: `kvnr: check digit`, `birthDate: missing` */
  readonly reason: string;
  readonly patientRef?: string;
  /** the pseudonym under the KVNR of before */
  readonly previousPatientRef?: string;
  readonly position?: number;
  /** names a quarantined entry without a readable KVNR in all lists: a keyed hash of its text, as 32 hex digits */
  readonly entryRef?: string;
}

/** An operator has taken note of an issue. It counts no more towards UNREADABLE_LIMIT_PERCENT. */
export interface Acknowledgement {
  readonly by: string;
  /** ISO 8601 UTC */
  readonly at: string;
  readonly note: string;
}

/** The history of an issue over all runs. Times are ISO 8601 UTC. */
export interface IssueSeen {
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** number of runs that have had it */
  readonly runs: number;
  readonly acknowledged?: Acknowledgement;
}

/** An issue of a run, with its history. Issues of older versions have none. */
export interface KnownIssue extends Issue, Partial<IssueSeen> {
  /** the same in all runs (core/domain/issue-id.ts) */
  readonly id: string;
}

/** Returns whether an issue is about the list, and so also about a run whose list has not changed. */
export const isOfList = ({ kind, position }: Issue): boolean =>
  kind === 'quarantined' || kind === 'kvnr-changed' || (kind === 'flagged' && position !== undefined);
