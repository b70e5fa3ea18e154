import type { AccessDraft, AccessEntry } from './access.ts';
import { contentHash } from './content-hash.ts';

/** The fields of an entry that the next entry refers to. Stored separately, as the checkpoint of the entry. */
export type Checkpoint = Pick<AccessEntry, 'seq' | 'hash' | 'recorded'>;

/** The result of verifying a patient's whole log. */
export interface Verification {
  readonly valid: boolean;
  /** number of entries, valid or not */
  readonly entries: number;
  /** the first entry that was changed or is missing; absent if all are valid */
  readonly firstBrokenSeq?: number;
}

/** The result of verifying the logs of one person, who may have had several KVNRs. */
export interface PersonVerification extends Verification {
  /** each log, the one asked for first. Above, `valid` is about all of them, and `entries` is their sum */
  readonly logs: readonly (Verification & { readonly patientRef: string })[];
}

/** Sums up the verifications of the logs of one person. `firstBrokenSeq` is that of the first log that is broken. */
export function verifyPerson(logs: PersonVerification['logs']): PersonVerification {
  const broken = logs.find(({ valid }) => !valid);
  return {
    valid: broken === undefined,
    entries: logs.reduce((sum, { entries }) => sum + entries, 0),
    ...(broken?.firstBrokenSeq !== undefined && { firstBrokenSeq: broken.firstBrokenSeq }),
    logs,
  };
}

const retentionYears = 3; // § 309 SGB V
const noHash = '0'.repeat(64);

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
export function linkEntry(draft: AccessDraft, previous: Checkpoint | undefined): AccessEntry {
  const unhashed = {
    ...asStored(draft),
    seq: (previous?.seq ?? 0) + 1,
    prevHash: previous?.hash ?? noHash,
    ...(previous && { prevRecorded: previous.recorded }),
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

type Sequence<Item> = AsyncIterable<Item> | Iterable<Item>;

/**
 * Verifies a patient's entries against each other and against their checkpoints. Finds an entry that was changed,
 * removed, inserted or moved, even the last one. Entries may be missing only if they have expired: the entry after them
 * holds the time of the last of them. docs/reference/access-log.md lists what verification cannot find.
 * @param entries entries that have not expired, ordered by seq, like `checkpoints`
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

/**
 * Returns the broken seq, if there is one, given that all entries before are valid. A manipulated table may hold a seq
 * such as 2.5 or 0.
 */
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
    return entry === undefined ? seq : seq - 1; // entries before the first one may have expired
  }
  const isValid =
    entry?.seq === seq &&
    entry.hash === hashOf(entry) &&
    entry.hash === checkpoint?.hash &&
    entry.recorded === checkpoint.recorded &&
    (isGap || (entry.prevHash === (previous?.hash ?? noHash) && entry.prevRecorded === previous?.recorded));
  return isValid ? undefined : seq;
}

const hasExpired = (recorded: string | undefined, nowSeconds: number): boolean =>
  recorded !== undefined && expiresAtSeconds(recorded) <= nowSeconds;

function hashOf(entry: AccessEntry): string {
  const { hash: _, ...unhashed } = entry;
  return contentHash(unhashed);
}

/** Entry and checkpoint of one seq. At least one of them exists. */
type Pair = { entry: AccessEntry; checkpoint: Checkpoint | undefined } | { entry: undefined; checkpoint: Checkpoint };

/** Pairs entries and checkpoints by seq. */
async function* bySeq(entries: Sequence<AccessEntry>, checkpoints: Sequence<Checkpoint>): AsyncGenerator<Pair> {
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
