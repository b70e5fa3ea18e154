import type { Kvnr } from './kvnr.ts';

/** A valid entry of the list. */
export interface ListedEntry {
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  readonly body: string;
  readonly contentHash: string;
}

/** One line of a shard of the list: a valid entry, or the trace of somebody whom a quarantined entry may be about. */
export type ShardLine = ListedEntry | { readonly patientRef: string; readonly quarantined: true };

/** The facts about a stored patient that the diff needs. */
export interface StoredEntry {
  readonly patientRef: string;
  readonly contentHash: string;
  /** the list that stored or changed it last */
  readonly listed: { readonly listId: string; readonly as: 'new' | 'changed' };
}

/** The result of comparing a list, or a part of it, with the stored patients. */
export interface ListCounts {
  /** people with a valid entry, each counted once: new + changed + unchanged */
  readonly listed: number;
  readonly new: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly gone: number;
  /** patients that were stored before this list */
  readonly stored: number;
  /** provisional patients that the list lacks: in none of the other counts. Absent if 0.2.0 has counted */
  readonly goneProvisional?: number;
}

export const zeroCounts: ListCounts = { listed: 0, new: 0, changed: 0, unchanged: 0, gone: 0, stored: 0 };

export const addCounts = (a: ListCounts, b: ListCounts): ListCounts => ({
  listed: a.listed + b.listed,
  new: a.new + b.new,
  changed: a.changed + b.changed,
  unchanged: a.unchanged + b.unchanged,
  gone: a.gone + b.gone,
  stored: a.stored + b.stored,
  goneProvisional: (a.goneProvisional ?? 0) + (b.goneProvisional ?? 0),
});

/** The facts about a provisional patient, or an inquiry, that the diff needs. */
export interface UnlistedEntry {
  readonly patientRef: string;
  /** of a provisional patient: orders the fetch of the records among all requests on the line */
  readonly careVersion?: string;
}

/** The list that is compared with the stored patients. */
export interface DiffedList {
  readonly listId: string;
  /** orders the request for the list among all requests on the line; absent: nobody knows */
  readonly fetchOrder?: string | undefined;
}

export interface ShardDiff<Stored extends StoredEntry, Unlisted extends UnlistedEntry> {
  /** entries to be stored; entries that an earlier attempt has stored are only counted */
  readonly new: readonly ListedEntry[];
  readonly changed: readonly ListedEntry[];
  readonly gone: readonly Stored[];
  /** provisional patients who are gone, too */
  readonly goneProvisional: readonly Unlisted[];
  /** duplicates: valid entries of people who have another valid entry */
  readonly counts: ListCounts & { readonly duplicates: number };
}

/**
 * Compares one shard of a list with its stored patients. The order of lines does not matter. If a person has different
 * entries, the stored one wins, otherwise the one with the smallest hash. A person with only a quarantined entry is
 * neither gone nor changed. Keeps one entry for each person in memory. Entries that an earlier attempt for this list
 * has stored count as they did then.
 *
 * People who are not listed yet count only in `goneProvisional`. Those on the list are new. A provisional patient is gone if
 * the list lacks them, and was requested after their care records: an older list could not know them.
 */
export async function diffShard<Stored extends StoredEntry, Unlisted extends UnlistedEntry>(
  lines: AsyncIterable<ShardLine> | Iterable<ShardLine>,
  { stored: storedEntries, unlisted }: { readonly stored: Iterable<Stored>; readonly unlisted: readonly Unlisted[] },
  { listId, fetchOrder = '' }: DiffedList,
): Promise<ShardDiff<Stored, Unlisted>> {
  const stored = new Map(Array.from(storedEntries, (entry) => [entry.patientRef, entry]));
  const listed = new Map<string, ListedEntry>();
  const present = new Set<string>();
  let duplicates = 0;
  for await (const line of lines) {
    present.add(line.patientRef);
    if ('quarantined' in line) continue;
    const other = listed.get(line.patientRef);
    if (other !== undefined) duplicates += 1;
    if (other === undefined || winsOver(line, other, stored.get(line.patientRef)?.contentHash))
      listed.set(line.patientRef, line);
  }

  const fresh: ListedEntry[] = [];
  const changed: ListedEntry[] = [];
  const before = { new: 0, changed: 0, unchanged: 0 };
  for (const entry of listed.values()) {
    const known = stored.get(entry.patientRef);
    if (known === undefined) fresh.push(entry);
    else if (known.contentHash !== entry.contentHash) changed.push(entry);
    else before[known.listed.listId === listId ? known.listed.as : 'unchanged'] += 1;
  }
  const gone = Array.from(stored.values()).filter(({ patientRef }) => !present.has(patientRef));
  const goneProvisional = unlisted.filter(
    ({ patientRef, careVersion }) => !present.has(patientRef) && careVersion !== undefined && careVersion < fetchOrder,
  );
  return {
    new: fresh,
    changed,
    gone,
    goneProvisional,
    counts: {
      listed: listed.size,
      new: fresh.length + before.new,
      changed: changed.length + before.changed,
      unchanged: before.unchanged,
      gone: gone.length,
      stored: stored.size - before.new,
      goneProvisional: goneProvisional.length,
      duplicates,
    },
  };
}

function winsOver(entry: ListedEntry, other: ListedEntry, storedHash: string | undefined): boolean {
  if (other.contentHash === storedHash) return false;
  return entry.contentHash === storedHash || entry.contentHash < other.contentHash;
}
