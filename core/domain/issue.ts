/**
 * Something of a run that a person should look at. Holds no personal data: a pseudonym, a position, fixed words.
 * `quarantined`: an entry of the list that does not fit the contract (position: its place in the list, from 0);
 * `care-records`: a patient whose care records could not be had; `list`: the list itself.
 */
export interface Issue {
  readonly kind: 'quarantined' | 'care-records' | 'list';
  /** fixed words and JSON paths only, never a value of the entry: `kvnr: check digit`, `birthDate: missing` */
  readonly reason: string;
  readonly patientRef?: string;
  readonly position?: number;
}
