/** Which list stored a patient as new, and when (ISO 8601 UTC). */
export interface Imported {
  readonly listId: string;
  readonly at: string;
}

/** A patient who is gone: missing on the list that was applied last, or removed in the last seven days. */
export interface FormerPatient {
  readonly patientRef: string;
  readonly isRemoved: boolean;
  /** absent if 0.2.0 has stored the patient */
  readonly imported?: Imported;
  /** the patient who is the same person under another KVNR, if that is known */
  readonly successor?: string;
  /** the successor was found after this list, by this attempt or an earlier one */
  readonly isFoundNow?: boolean;
}

/** A patient who is on the list that was applied last. */
export interface PresentPatient {
  readonly patientRef: string;
  readonly imported?: Imported;
}

/** Two patients with the same name, birth date and address: the first is gone, the second is new. */
export interface ChangedKvnr {
  readonly previousPatientRef: string;
  readonly patientRef: string;
  /** nobody else has this name, birth date and address, so these two are the same person */
  readonly isCertain: boolean;
  /** was found before, and is already linked: the removal still waits, or an earlier attempt has found the pair */
  readonly isKnown: boolean;
}

/** The reasons of the issues: whether the pair is certain. */
export const changedKvnrReasons = { certain: 'SamePerson', uncertain: 'SeveralCandidates' } as const;

/** A patient is new for this long. A removed one leaves a tombstone for the same time. */
export const newForDays = 7;

/**
 * Finds changed KVNRs among all patients of one name, birth date and address. A pair is certain if there is no other choice.
 * With several candidates each pair is returned, and none is certain.
 * @param now ISO 8601 UTC
 */
export function* changedKvnrs(
  former: readonly FormerPatient[],
  present: readonly PresentPatient[],
  now: string,
): Generator<ChangedKvnr> {
  const newSince = new Date(Date.parse(now) - newForDays * 24 * 60 * 60_000).toISOString();
  const open: FormerPatient[] = [];
  const successors = new Set<string>();
  for (const patient of former) {
    const { patientRef: previousPatientRef, successor: patientRef, isRemoved, isFoundNow } = patient;
    if (patientRef === undefined) open.push(patient);
    else successors.add(patientRef);
    if (patientRef !== undefined && (!isRemoved || isFoundNow))
      yield { previousPatientRef, patientRef, isCertain: true, isKnown: true };
  }
  for (const { patientRef, imported } of present) {
    if (imported === undefined || imported.at < newSince) continue;
    const isOnly = open.length === 1 && present.length === 1 && !successors.has(patientRef);
    for (const previous of open)
      if (isImportedBefore(previous.imported, imported))
        yield { previousPatientRef: previous.patientRef, patientRef, isCertain: isOnly, isKnown: false };
  }
}

/** Two patients of one list have both been there from the start: one is the double of the other. */
const isImportedBefore = (earlier: Imported | undefined, later: Imported): boolean =>
  earlier === undefined || (earlier.listId !== later.listId && earlier.at < later.at);
