import type { WrittenAt } from './event.ts';

/**
 * `imported`: a reader finds the patient from now on; `changed`: the list entry is another one, or a provisional patient
 * has one now; `removed`: no reader finds the patient any more; `care-records-updated`: a new version of the care records
 * is the current one.
 */
export const patientChangeKinds = ['imported', 'changed', 'removed', 'care-records-updated'] as const;
export type PatientChangeKind = (typeof patientChangeKinds)[number];

/** What has become different for a reader of a patient. Names nobody: the patient is a pseudonym. */
export interface PatientChange {
  readonly patientRef: string;
  readonly what: PatientChangeKind;
  /** when it was written, ISO 8601 UTC, to the second */
  readonly at: string;
  /** the version of the care records that a reader finds afterwards; absent if there are none, or the patient is removed */
  readonly careVersion?: string;
}

/** An item of Patients as the stream of the table has it: each attribute by name, a text as `{S}` (core/stores/patients.ts). */
export type PatientImage = Readonly<Record<string, { readonly S?: string | undefined }>>;

/** Returns whether `GET /patients` finds it: no tombstone, no inquiry, and not being removed. */
const isSeen = (item: PatientImage | undefined): item is PatientImage =>
  item?.['kvnr'] !== undefined && item['expiresAt'] === undefined && item['removing'] === undefined;

/**
 * Returns what a write of an item of Patients means to others, in order. Most writes mean nothing: marks of a list, syncs,
 * failed fetches, questions to an operator, and an answer of the insurer that care records have not changed.
 * @param before the item before the write; undefined if there was none
 * @param after the item after it; undefined if it is deleted
 * @param at when it was written, ISO 8601 UTC
 */
export function patientChangesOf(
  before: PatientImage | undefined,
  after: PatientImage | undefined,
  at: string,
): readonly PatientChange[] {
  const patientRef = (after ?? before)?.['patientRef']?.S;
  if (patientRef === undefined) return [];
  const seenBefore = isSeen(before) ? before : undefined;
  if (!isSeen(after)) return seenBefore ? [{ patientRef, what: 'removed', at }] : [];
  const valueBefore = (name: string): string | undefined => seenBefore?.[name]?.S;
  const careVersion = after['careVersion']?.S;
  const whats: PatientChangeKind[] = [];
  if (seenBefore === undefined) whats.push('imported');
  else if (after['contentHash']?.S !== valueBefore('contentHash')) whats.push('changed');
  if (careVersion !== undefined && careVersion !== valueBefore('careVersion')) whats.push('care-records-updated');
  return whats.map((what) => ({ patientRef, what, at, ...(careVersion !== undefined && { careVersion }) }));
}

/** A change with an ID, by which a reader finds that it comes twice. */
export interface RecordedChange extends PatientChange {
  readonly id: string;
}

/** Returns what a write of an item of Patients means to others, with IDs. A repeated call returns the same. */
export const recordedChangesOf = (
  before: PatientImage | undefined,
  after: PatientImage | undefined,
  { recordId, at }: Pick<WrittenAt, 'recordId' | 'at'>,
): readonly RecordedChange[] =>
  patientChangesOf(before, after, at).map((change) => ({ id: `${recordId}-${change.what}`, ...change }));
