import type { ShardRange } from '../../core/contract/list-activities.ts';
import { shardOf, shards } from '../../core/domain/shard.ts';
import { readAhead } from '../../core/stores/parallel.ts';
import type { PatientsStore, Shard } from '../../core/stores/patients.ts';
import type { Heartbeats } from './heartbeats.ts';

export type ReadableShards = Pick<PatientsStore, 'readShard' | 'readSegment'>;

/** Some shards, and their items as of one read. */
interface Group {
  /** names of shards, in order */
  readonly group: readonly string[];
  readonly items: Shard;
}

/** Number of shards that are read at the same time: reading one after the other takes most of the time of a short list. */
const parallelReads = 8;
/** Maximum number of items that are held in memory together, tombstones included: some MB. */
const itemsAtOnceMax = 5_000;

/**
 * Processes the shards that no earlier attempt has finished, in order: one after the other, or all together if the list and the
 * table are small. Each attempt reads again.
 * @param range.isSmall the list is small; the table is read with one scan if it is small, too (docs/explanation/the-daily-run.md, "Diff and store")
 * @param work returns what is done including these shards
 */
export async function forEachRemainingGroup<Done extends { readonly nextShard: number }>(
  heartbeats: Heartbeats<Done>,
  { toShard, isSmall }: ShardRange & { readonly isSmall?: true },
  patients: ReadableShards,
  work: (of: Group) => Promise<Omit<Done, 'nextShard'>>,
): Promise<void> {
  const { signal } = heartbeats;
  const remaining = shards.slice(heartbeats.done.nextShard, toShard);
  if (remaining.length === 0) return;
  const items = isSmall && (await readAtOnce(patients, new Set(remaining), signal));
  const reads = items
    ? [{ group: remaining, items }]
    : readAhead(remaining, parallelReads, async (shard): Promise<Group> => {
        signal.throwIfAborted();
        return { group: [shard], items: await patients.readShard(shard) };
      });
  let { nextShard } = heartbeats.done;
  for await (const read of reads) {
    signal.throwIfAborted();
    const done = await work(read);
    nextShard += read.group.length;
    heartbeats.report({ ...done, nextShard } as Done);
  }
}

/** Reads some shards with one scan of the table; undefined if the table has too many items. */
async function readAtOnce(
  patients: Pick<PatientsStore, 'readSegment'>,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Shard | undefined> {
  const read = { stored: [], unlisted: [], removed: [] } as { [Kind in keyof Shard]: Shard[Kind][number][] };
  let count = 0;
  for await (const { stored, unlisted, removed } of patients.readSegment(0, 1)) {
    signal.throwIfAborted();
    count += stored.length + unlisted.length + removed.length;
    if (count > itemsAtOnceMax) return undefined;
    const isWanted = ({ patientRef }: { readonly patientRef: string }): boolean => wanted.has(shardOf(patientRef));
    read.stored.push(...stored.filter(isWanted));
    read.unlisted.push(...unlisted.filter(isWanted));
    read.removed.push(...removed.filter(isWanted));
  }
  return read;
}
