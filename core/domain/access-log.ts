import type { AccessDraft, AccessEntry } from './access.ts';
import { contentHash } from './content-hash.ts';

/** What of an entry the next one follows; kept beside the entry it is its checkpoint. */
export type Checkpoint = Pick<AccessEntry, 'seq' | 'hash' | 'recorded'>;

/** What a look at a patient's whole log has found. */
export interface Verification {
  readonly valid: boolean;
  /** how many there are, sound or not */
  readonly entries: number;
  /** the first that is not as it was written, or is not there; absent when all are sound */
  readonly firstBrokenSeq?: number;
}

const retentionYears = 3; // § 309 SGB V
const noHash = '0'.repeat(64);

/** Epoch seconds from which on an entry is no longer kept nor shown. @param recorded ISO 8601 */
export function expiresAtSeconds(recorded: string): number {
  const moment = new Date(recorded);
  moment.setUTCFullYear(moment.getUTCFullYear() + retentionYears);
  return Math.ceil(moment.getTime() / 1000);
}

/**
 * Gives an access its place after the entry before it. The hash is SHA-256, in hex, over the UTF-8 text of the entry as
 * JSON without `hash`: fields sorted by name at every depth, no white space, absent fields left out (docs/reference/access-log.md).
 * @param previous absent for a patient's first entry
 */
export function linkEntry(draft: AccessDraft, previous: Checkpoint | undefined): AccessEntry {
  const unhashed = {
    ...asKept(draft),
    seq: (previous?.seq ?? 0) + 1,
    prevHash: previous?.hash ?? noHash,
    ...(previous && { prevRecorded: previous.recorded }),
  };
  return { ...unhashed, hash: contentHash(unhashed) };
}

/** A draft and nothing else, as a table gives it back: half a surrogate pair, which a token's name may hold, would change there. */
function asKept({ id, patientRef, recorded, operation, outcome, agent, source, entity }: AccessDraft): AccessDraft {
  const text = JSON.stringify({ id, patientRef, recorded, operation, outcome, agent, source, entity });
  return JSON.parse(text, (_field, value) => (typeof value === 'string' ? value.toWellFormed() : value));
}

type Sequence<Item> = AsyncIterable<Item> | Iterable<Item>;

/**
 * Holds a patient's entries against each other and against their checkpoints: finds one that was changed, removed, inserted
 * or put elsewhere, the last one too. Entries may be missing only where they have expired: the one after them tells when the
 * last of them was recorded. What it cannot find is said in docs/reference/access-log.md.
 * @param entries those not expired, ordered by seq, as are the checkpoints
 */
export async function verifyChain(
  entries: Sequence<AccessEntry>,
  checkpoints: Sequence<Checkpoint>,
  nowSeconds: number,
): Promise<Verification> {
  let count = 0;
  let firstBrokenSeq: number | undefined;
  let previous: Checkpoint | undefined;
  for await (const pair of bySeq(entries, checkpoints)) {
    if (pair.entry !== undefined) count += 1;
    firstBrokenSeq ??= brokenSeq(previous, pair, nowSeconds);
    previous = pair.entry;
  }
  return {
    valid: firstBrokenSeq === undefined,
    entries: count,
    ...(firstBrokenSeq !== undefined && { firstBrokenSeq }),
  };
}

/** Which seq is broken, if one is, once all before it are sound. A table may hold a seq that none of ours is: 2.5, or 0. */
function brokenSeq(
  previous: Checkpoint | undefined,
  { entry, checkpoint }: Pair,
  nowSeconds: number,
): number | undefined {
  const nextSeq = (previous?.seq ?? 0) + 1;
  const seq = Math.max(nextSeq, Math.ceil((entry ?? checkpoint).seq));
  const isGap = seq > nextSeq;
  if (isGap && !hasExpired(entry?.prevRecorded, nowSeconds)) {
    if (previous !== undefined) return nextSeq;
    return entry === undefined ? seq : seq - 1; // of those before the first one, others may have expired
  }
  const isSound =
    entry?.seq === seq &&
    entry.hash === hashOf(entry) &&
    entry.hash === checkpoint?.hash &&
    entry.recorded === checkpoint.recorded &&
    (isGap || (entry.prevHash === (previous?.hash ?? noHash) && entry.prevRecorded === previous?.recorded));
  return isSound ? undefined : seq;
}

const hasExpired = (recorded: string | undefined, nowSeconds: number): boolean =>
  recorded !== undefined && expiresAtSeconds(recorded) <= nowSeconds;

function hashOf(entry: AccessEntry): string {
  const { hash: _, ...unhashed } = entry;
  return contentHash(unhashed);
}

/** What stands at one seq: at least one of the two. */
type Pair = { entry: AccessEntry; checkpoint: Checkpoint | undefined } | { entry: undefined; checkpoint: Checkpoint };

/** Entries and checkpoints side by side. */
async function* bySeq(entries: Sequence<AccessEntry>, checkpoints: Sequence<Checkpoint>): AsyncGenerator<Pair> {
  const beside = iteratorOf(checkpoints);
  let checkpoint = await beside.next();
  for await (const entry of entries) {
    for (; !checkpoint.done && checkpoint.value.seq < entry.seq; checkpoint = await beside.next())
      yield { entry: undefined, checkpoint: checkpoint.value };
    const isSame = !checkpoint.done && checkpoint.value.seq === entry.seq;
    yield { entry, checkpoint: isSame ? checkpoint.value : undefined };
    if (isSame) checkpoint = await beside.next();
  }
  for (; !checkpoint.done; checkpoint = await beside.next()) yield { entry: undefined, checkpoint: checkpoint.value };
}

async function* iteratorOf<Item>(items: Sequence<Item>): AsyncGenerator<Item, undefined> {
  yield* items;
}
