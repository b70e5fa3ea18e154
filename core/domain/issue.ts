export const issueKinds = ['quarantined', 'flagged', 'care-records', 'list'] as const;

/**
 * Something about a run that a person should look at. Holds no personal data: only a pseudonym, a position and fixed words.
 * `quarantined`: an entry of the list that breaks the contract (`position`: its position in the list, from 0);
 * `flagged`: an entry (with `position`) or the care records of a patient (without) that break the contract and are stored as
 * they were sent; `care-records`: a patient whose care records could not be fetched; `list`: the list itself, which was unusable three times (`list: not an array`).
 */
export interface Issue {
  readonly kind: (typeof issueKinds)[number];
  /** fixed words and JSON paths only, never a value of the entry: `kvnr: check digit`, `birthDate: missing` */
  readonly reason: string;
  readonly patientRef?: string;
  readonly position?: number;
}
