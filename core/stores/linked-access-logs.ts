import type { AccessEntry } from '../domain/access.ts';
import type { AccessLogStore } from './access-log.ts';

/** The seq of the last entry that was read from each log. A log that is missing has not been read yet. */
export type LogPositions = Readonly<Record<string, number>>;

/**
 * Returns the patientRefs of one person: the given one first, then all whose logs are linked to it, over any number of
 * changed KVNRs and in both directions.
 * @throws AccessLogError `unavailable`
 */
export async function refsOfPerson(
  accessLog: Pick<AccessLogStore, 'readLinks'>,
  patientRef: string,
): Promise<readonly string[]> {
  const refs = new Set([patientRef]);
  for (const ref of refs) for (const linked of await accessLog.readLinks(ref)) refs.add(linked); // also visits those added here
  return [...refs];
}

/**
 * Reads a page of several logs as one, ordered by time. The entries of each log keep their order, even if clocks differ.
 * @param after `positions` of the page before
 * @returns no positions on the last page
 * @throws AccessLogError `unavailable`
 */
export async function readTogether(
  accessLog: Pick<AccessLogStore, 'read'>,
  patientRefs: readonly string[],
  limit: number,
  after: LogPositions = {},
  order: 'oldest' | 'newest' = 'oldest',
): Promise<{ readonly entries: readonly AccessEntry[]; readonly positions?: LogPositions }> {
  const logs = await Promise.all(
    patientRefs.map(async (ref) => ({ ref, page: await accessLog.read(ref, limit, after[ref], order), next: 0 })),
  );
  const entries: AccessEntry[] = [];
  const positions: Record<string, number> = { ...after };
  const comesBefore = (a: AccessEntry, b: AccessEntry): boolean =>
    order === 'oldest' ? a.recorded < b.recorded : a.recorded > b.recorded;
  while (entries.length < limit) {
    let first: { readonly log: (typeof logs)[number]; readonly entry: AccessEntry } | undefined;
    for (const log of logs) {
      const entry = log.page.entries[log.next];
      if (entry !== undefined && (first === undefined || comesBefore(entry, first.entry))) first = { log, entry };
    }
    if (first === undefined) break;
    first.log.next += 1;
    positions[first.log.ref] = first.entry.seq;
    entries.push(first.entry);
  }
  const isComplete = logs.every(({ page, next }) => page.lastKey === undefined && next === page.entries.length);
  return isComplete ? { entries } : { entries, positions };
}
