import type { AccessEntry } from '../domain/access.ts';
import type { AccessLogStore } from './access-log.ts';

/** The seq of the last entry that was read from each log. A log that is missing has not been read yet. */
export type LogPositions = Readonly<Record<string, number>>;

/** The end is not in the period. Infinite if it is open. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * How long after its recording an entry may be appended: when workers were away, an activity repeats the append for 30 days at
 * most.
 */
const appendedLaterMaxMs = 30 * 24 * 3_600_000;
const entriesPerRead = 1_000;
/** The first ones may have expired. */
const entriesPerProbe = 20;

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
 * Reads a page of several logs as one, ordered by time, and by patientRef at the same time. The entries of each log keep their
 * order, even if clocks differ.
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
  const sorted = patientRefs.toSorted();
  const logs = await Promise.all(
    (order === 'oldest' ? sorted : sorted.reverse()).map(async (ref) => ({
      ref,
      page: await accessLog.read(ref, limit, after[ref], order),
      next: 0,
    })),
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

/**
 * Reads the entries of a period from several logs as one, ordered by time, in pages. Of the other entries it reads those that
 * were recorded within 30 days of the period, and some dozens to find them.
 * @throws AccessLogError `unavailable`
 */
export async function* readPeriod(
  accessLog: Pick<AccessLogStore, 'read'>,
  patientRefs: readonly string[],
  { fromMs, toMs }: Period,
): AsyncGenerator<readonly AccessEntry[]> {
  const placesAt = async (atMs: number): Promise<LogPositions> =>
    Object.fromEntries(
      await Promise.all(patientRefs.map(async (ref) => [ref, await seqBefore(accessLog, ref, atMs)] as const)),
    );
  const [begin, end] = await Promise.all([placesAt(fromMs - appendedLaterMaxMs), placesAt(toMs + appendedLaterMaxMs)]);
  const isBeforeEnd = (reached: LogPositions): boolean =>
    patientRefs.some((ref) => (reached[ref] ?? 0) < (end[ref] ?? 0));
  let position: LogPositions | undefined = begin;
  while (position !== undefined && isBeforeEnd(position)) {
    const page: Awaited<ReturnType<typeof readTogether>> = await readTogether(
      accessLog,
      patientRefs,
      entriesPerRead,
      position,
    );
    yield page.entries.filter(({ recorded }) => {
      const atMs = Date.parse(recorded);
      return fromMs <= atMs && atMs < toMs;
    });
    position = page.positions;
  }
}

/**
 * Finds a place in a log by bisection, with one read for each halving.
 * @returns the seq of an entry that was recorded before a time and is followed by one that was not; 0 if there is none
 */
async function seqBefore(accessLog: Pick<AccessLogStore, 'read'>, patientRef: string, atMs: number): Promise<number> {
  if (atMs === Number.NEGATIVE_INFINITY) return 0;
  if (atMs === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const [newest] = (await accessLog.read(patientRef, 1, undefined, 'newest')).entries;
  let low = 0;
  let high = (newest?.seq ?? 0) + 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = (await accessLog.read(patientRef, entriesPerProbe, middle - 1)).entries; // from `middle` on
    if (entry === undefined || entry.seq >= high || Date.parse(entry.recorded) >= atMs) high = middle;
    else low = entry.seq;
  }
  return low;
}
