import type { AccessDraft, AccessEntry } from './access.ts';
import type { Anchor } from './access-anchor.ts';
import { contentHash } from './content-hash.ts';

/** The fields of an entry that the next entry refers to. Entries of 0.2.0 have them stored separately, too. */
export type Checkpoint = Pick<AccessEntry, 'seq' | 'hash' | 'recorded'>;

/** An entry with the expiry of its item. The hash of an entry of 0.2.0 does not cover it. */
export type StoredEntry = AccessEntry & { readonly expiresAt: number };

/**
 * What is wrong with a log. `changed`: an entry is not as it was written; `missing`: an entry was removed before it
 * expired; `differs-from-anchor`: an entry was replaced, or was written again long after `recorded`; `anchored-twice`: two different entries have been written with
 * the same seq.
 */
export const logProblems = ['changed', 'missing', 'differs-from-anchor', 'anchored-twice'] as const;
export type LogProblem = (typeof logProblems)[number];

/** Which entries of a log have an anchor (docs/reference/access-log.md, "Anchors"). */
interface AnchorCounts {
  /** number of entries with an anchor */
  readonly anchored: number;
  /** number of entries without an anchor; entries of 0.2.0 need none */
  readonly unanchored: number;
  /** age of the oldest entry without an anchor; absent if there is none */
  readonly oldestUnanchoredSeconds?: number;
}

/** The result of verifying a patient's whole log. */
export interface Verification extends AnchorCounts {
  readonly valid: boolean;
  /** number of entries, valid or not */
  readonly entries: number;
  /** the first entry that was changed or is missing; absent if all are valid */
  readonly firstBrokenSeq?: number;
  /** what is wrong with that entry */
  readonly problem?: LogProblem;
  /** the first entries without an anchor, at most 100; absent if there are none */
  readonly unanchoredSeqs?: readonly number[];
}

/** The result of verifying the logs of one person, who may have had several KVNRs. */
export interface PersonVerification extends Omit<Verification, 'unanchoredSeqs'> {
  /** each log, the one asked for first. Above, `valid` is about all of them, and the counts are their sums */
  readonly logs: readonly (Verification & { readonly patientRef: string })[];
}

/** Sums up the verifications of the logs of one person. `firstBrokenSeq` is that of the first log that is broken. */
export function verifyPerson(logs: PersonVerification['logs']): PersonVerification {
  const { firstBrokenSeq, problem } = logs.find(({ valid }) => !valid) ?? {};
  const sumOf = (name: 'entries' | 'anchored' | 'unanchored') => logs.reduce((sum, log) => sum + log[name], 0);
  return {
    valid: logs.every(({ valid }) => valid),
    entries: sumOf('entries'),
    ...(firstBrokenSeq !== undefined && { firstBrokenSeq }),
    ...(problem !== undefined && { problem }),
    anchored: sumOf('anchored'),
    unanchored: sumOf('unanchored'),
    ...oldestOf(logs),
    logs,
  };
}

/** Returns the age of the oldest entry without an anchor in several logs. */
export function oldestOf(logs: readonly AnchorCounts[]): Pick<AnchorCounts, 'oldestUnanchoredSeconds'> {
  const ages = logs.flatMap(({ oldestUnanchoredSeconds: age }) => (age === undefined ? [] : [age]));
  return ages.length === 0 ? {} : { oldestUnanchoredSeconds: Math.max(...ages) };
}

const retentionYears = 3; // § 309 SGB V
const noHash = '0'.repeat(64);
/**
 * An entry that expires within this time may be missing: DynamoDB may delete it while the log is verified, whose clock
 * stands still.
 */
const verificationSeconds = 15 * 60;
/**
 * Maximum time from `recorded` to the anchor. The stream forgets an entry after a day, so an entry whose only anchor is
 * later was written again. The rest is for an append that was repeated, and for clocks.
 */
const anchorLagMaxSeconds = 36 * 3_600;
const seqsShown = 100;

/**
 * Returns the epoch second at which an entry expires. From then on it is neither stored nor shown.
 * @param recorded ISO 8601
 */
export function expiresAtSeconds(recorded: string): number {
  const moment = new Date(recorded);
  moment.setUTCFullYear(moment.getUTCFullYear() + retentionYears);
  return Math.ceil(moment.getTime() / 1000);
}

/**
 * Turns a draft into the entry after `previous`. The hash is SHA-256, in hex, over the UTF-8 text of the entry as JSON
 * without `hash`. Fields are sorted by name at every depth. White space and absent fields are left out
 * (docs/reference/access-log.md).
 * @param previous undefined for a patient's first entry
 */
export function linkEntry(draft: AccessDraft, previous: Checkpoint | undefined): StoredEntry {
  const unhashed = {
    ...asStored(draft),
    format: 2 as const,
    seq: (previous?.seq ?? 0) + 1,
    prevHash: previous?.hash ?? noHash,
    ...(previous && { prevRecorded: previous.recorded }),
    expiresAt: expiresAtSeconds(draft.recorded),
  };
  return { ...unhashed, hash: contentHash(unhashed) };
}

/**
 * Returns the fields of a draft, as DynamoDB returns them. It replaces lone surrogates, which a name in a token may
 * contain.
 */
function asStored(draft: AccessDraft): AccessDraft {
  const { id, patientRef, recorded, operation, outcome, agent, source, entity } = draft;
  const { previousPatientRef, nextPatientRef } = draft;
  const links = { previousPatientRef, nextPatientRef };
  const text = JSON.stringify({ id, patientRef, recorded, operation, outcome, agent, source, entity, ...links });
  return JSON.parse(text, (_field, value) => (typeof value === 'string' ? value.toWellFormed() : value));
}

/** Returns an entry with the fields that its hash covers, and its hash. */
export function asHashed(stored: StoredEntry): AccessEntry {
  if (stored.format !== undefined) return stored;
  const { expiresAt: _, ...entry } = stored;
  return entry;
}

type Sequence<Item> = AsyncIterable<Item> | Iterable<Item>;

/** What is stored of a patient's log. */
export interface StoredLog {
  /** entries that have not expired, ordered by seq */
  readonly entries: Sequence<StoredEntry>;
  /** of entries of 0.2.0, ordered by seq */
  readonly checkpoints: Sequence<Checkpoint>;
  /** read before the entries, so that an entry without an anchor is only late */
  readonly anchors: readonly Anchor[];
}

/**
 * Verifies a patient's entries against each other, and against their anchors or checkpoints. Finds an entry that was
 * changed, removed, inserted or moved, even the last one, and even if the whole log was written again. Entries may be
 * missing only if they have expired. docs/reference/access-log.md lists what verification cannot find.
 * @param nowSeconds one moment for the whole verification
 */
export async function verifyChain(log: StoredLog, nowSeconds: number): Promise<Verification> {
  const anchors = new Map<number, { readonly hashes: Hashes; expiresAt: number }>();
  for (const { seq, hash, expiresAt, writtenAt = 0 } of log.anchors) {
    if (expiresAt <= nowSeconds) continue; // a log whose entries have all expired starts again
    const known = anchors.get(seq) ?? { hashes: new Map<string, number>(), expiresAt };
    // a delete marker lets the same anchor be written again, as a second version
    known.hashes.set(hash, Math.min(writtenAt, known.hashes.get(hash) ?? writtenAt));
    known.expiresAt = Math.max(known.expiresAt, expiresAt);
    anchors.set(seq, known);
  }
  let count = 0;
  let anchored = 0;
  let unanchored = 0;
  const unanchoredSeqs: number[] = [];
  let oldest: string | undefined;
  let broken: Broken | undefined;
  let previous: Checkpoint | undefined;
  for await (const pair of bySeq(log.entries, log.checkpoints)) {
    const { entry } = pair;
    const hashes = anchors.get((entry ?? pair.checkpoint).seq)?.hashes;
    broken ??= brokenOf(previous, pair, hashes, nowSeconds);
    previous = entry;
    if (entry === undefined) continue;
    count += 1;
    anchors.delete(entry.seq);
    if (hashes !== undefined) anchored += 1;
    else if (entry.format !== undefined) {
      unanchored += 1;
      if (unanchoredSeqs.length < seqsShown) unanchoredSeqs.push(entry.seq);
      if (oldest === undefined || entry.recorded < oldest) oldest = entry.recorded;
    }
  }
  for (const [seq, { expiresAt }] of anchors) // what is left has no entry
    if (expiresAt > nowSeconds + verificationSeconds && seq < (broken?.seq ?? Number.POSITIVE_INFINITY))
      broken = { seq, problem: 'missing' };
  return {
    valid: broken === undefined,
    entries: count,
    ...(broken && { firstBrokenSeq: broken.seq, problem: broken.problem }),
    anchored,
    unanchored,
    ...(unanchoredSeqs.length > 0 && { unanchoredSeqs }),
    ...(oldest !== undefined && { oldestUnanchoredSeconds: Math.max(0, nowSeconds - Date.parse(oldest) / 1000) }),
  };
}

/** The hashes of the anchors of one seq, each with the epoch second at which its first anchor was written. */
type Hashes = Map<string, number>;

interface Broken {
  readonly seq: number;
  readonly problem: LogProblem;
}

/**
 * Returns what is broken, if anything, given that all entries before are valid. A manipulated table may hold a seq
 * such as 2.5 or 0.
 * @param anchored the anchors with the seq of the pair
 */
function brokenOf(
  previous: Checkpoint | undefined,
  { entry, checkpoint }: Pair,
  anchored: Hashes | undefined,
  nowSeconds: number,
): Broken | undefined {
  const nextSeq = (previous?.seq ?? 0) + 1;
  const seq = Math.max(nextSeq, Math.ceil((entry ?? checkpoint).seq));
  const isGap = seq > nextSeq;
  if (isGap && !mayBeMissing(entry?.prevRecorded, nowSeconds)) {
    const isFirst = previous === undefined; // entries before the first one may have expired
    return { seq: isFirst ? seq - (entry === undefined ? 0 : 1) : nextSeq, problem: 'missing' };
  }
  if (entry === undefined) return { seq, problem: 'missing' };
  if (anchored !== undefined && anchored.size > 1) return { seq, problem: 'anchored-twice' };
  const anchoredAt = anchored?.get(entry.hash);
  const latestAt = Date.parse(entry.recorded) / 1000 + anchorLagMaxSeconds;
  if (anchored !== undefined && (anchoredAt === undefined || anchoredAt > latestAt))
    return { seq, problem: 'differs-from-anchor' };
  const isValid =
    entry.seq === seq &&
    entry.hash === hashOf(entry) &&
    entry.expiresAt === expiresAtSeconds(entry.recorded) &&
    (checkpoint === undefined
      ? entry.format !== undefined
      : entry.hash === checkpoint.hash && entry.recorded === checkpoint.recorded) &&
    (isGap || (entry.prevHash === (previous?.hash ?? noHash) && entry.prevRecorded === previous?.recorded));
  return isValid ? undefined : { seq, problem: 'changed' };
}

const mayBeMissing = (recorded: string | undefined, nowSeconds: number): boolean =>
  recorded !== undefined && expiresAtSeconds(recorded) <= nowSeconds + verificationSeconds;

function hashOf(entry: StoredEntry): string {
  const { hash: _, ...unhashed } = asHashed(entry);
  return contentHash(unhashed);
}

/** Entry and checkpoint of one seq. At least one of them exists. */
type Pair = { entry: StoredEntry; checkpoint: Checkpoint | undefined } | { entry: undefined; checkpoint: Checkpoint };

/** Pairs entries and checkpoints by seq. */
async function* bySeq(entries: Sequence<StoredEntry>, checkpoints: Sequence<Checkpoint>): AsyncGenerator<Pair> {
  const remaining = iteratorOf(checkpoints);
  let checkpoint = await remaining.next();
  for await (const entry of entries) {
    for (; !checkpoint.done && checkpoint.value.seq < entry.seq; checkpoint = await remaining.next())
      yield { entry: undefined, checkpoint: checkpoint.value };
    const isSame = !checkpoint.done && checkpoint.value.seq === entry.seq;
    yield { entry, checkpoint: isSame ? checkpoint.value : undefined };
    if (isSame) checkpoint = await remaining.next();
  }
  for (; !checkpoint.done; checkpoint = await remaining.next())
    yield { entry: undefined, checkpoint: checkpoint.value };
}

async function* iteratorOf<Item>(items: Sequence<Item>): AsyncGenerator<Item, undefined> {
  yield* items;
}
