import { setTimeout as sleep } from 'node:timers/promises';
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb';
import type { AccessDraft, AccessEntry } from '../domain/access.ts';
import { type Checkpoint, expiresAtSeconds, linkEntry, type Verification, verifyChain } from '../domain/access-log.ts';
import type { Page } from './page.ts';
import { forEachParallel } from './parallel.ts';

export const accessLogTable = 'AuditLog';

/** `unavailable`: the table failed or did not answer in time. The entries may or may not have been appended. */
export class AccessLogError extends Error {
  override readonly name = 'AccessLogError';
  readonly fault: 'unavailable';
  constructor(fault: AccessLogError['fault'], options?: ErrorOptions) {
    super(`access log ${fault}`, options);
    this.fault = fault;
  }
}

/**
 * The table AuditLog (docs/reference/access-log.md): the access entries of each patient, as an append-only hash chain.
 * Each entry is written in one transaction with its checkpoint, so verification finds one without the other. Expired
 * entries are not returned, even if DynamoDB has not deleted them yet.
 */
export interface AccessLogStore {
  /**
   * Appends entries in order, and resolves once they are durable. An ID is not appended again if it is among the
   * patient's last 100 entries, or among those appended since the draft was recorded. Then the stored entry is
   * returned. Concurrent appends only take longer.
   * @throws AccessLogError `unavailable` if a call is not answered within two seconds, or no append makes progress for
   *   that long
   */
  append(patientRef: string, drafts: readonly AccessDraft[]): Promise<AccessEntry[]>;
  /**
   * Appends the first entries of many patients, one each. A patient with entries costs as much as `append`.
   * @throws AccessLogError `unavailable`
   */
  appendFirst(drafts: readonly AccessDraft[]): Promise<void>;
  /**
   * Reads a page of a patient's entries.
   * @param afterSeq `lastKey` of the page before
   * @param order which entries come first: the same for all pages
   * @throws AccessLogError `unavailable`
   */
  read(
    patientRef: string,
    limit: number,
    afterSeq?: number,
    order?: 'oldest' | 'newest',
  ): Promise<Page<AccessEntry, number>>;
  /**
   * Returns the patients whose logs the entries of this one name: the same person under another KVNR.
   * @throws AccessLogError `unavailable`
   */
  readLinks(patientRef: string): Promise<readonly string[]>;
  /** Verifies a patient's whole chain. @throws AccessLogError `unavailable` */
  verify(patientRef: string): Promise<Verification>;
}

/**
 * How far back a repeated append is recognised: this many entries, and further pages while any entry may be newer than
 * the draft.
 */
const lookBackEntries = 100;
/** Maximum difference between the clocks of recording processes, ms. */
const clockSkewMs = 5_000;
/** DynamoDB allows 100 items in one transaction: 50 entries and their checkpoints. */
const entriesInTransaction = 50;
const transactionsAtOnce = 8;
const patienceMs = 2_000;
/** Bulk appends may take longer, because no person waits for them. */
const bulkPatienceMs = 10_000;
const firstDelayMs = 20;
const maxDelayMs = 400;

const checkpointPartition = (patientRef: string): string => `checkpoint#${patientRef}`;

/** Returns what a transaction writes for one entry: the entry and its checkpoint, if neither exists yet. */
const putsOf = (entry: AccessEntry) => {
  const { patientRef, seq, hash, recorded } = entry;
  const expiresAt = expiresAtSeconds(recorded);
  const checkpoint = { patientRef: checkpointPartition(patientRef), seq, hash, recorded };
  return [entry, checkpoint].map((item) => ({
    Put: {
      TableName: accessLogTable,
      Item: { ...item, expiresAt },
      ConditionExpression: 'attribute_not_exists(seq)',
    },
  }));
};

/** @param now lets tests move past the expiry of entries */
export function createAccessLogStore(dynamo: DynamoDBDocumentClient, now = () => new Date()): AccessLogStore {
  const nowSeconds = (): number => now().getTime() / 1000;

  /** Sends a call, and gives up when the signal aborts. @throws AccessLogError `unavailable` */
  const call = async <Answer>(
    send: (options: { abortSignal: AbortSignal }) => Promise<Answer>,
    abortSignal = AbortSignal.timeout(patienceMs),
  ): Promise<Answer> => {
    try {
      return await send({ abortSignal });
    } catch (cause) {
      throw new AccessLogError('unavailable', { cause });
    }
  };

  const query = async <Item>(
    partition: string,
    input: Partial<QueryCommandInput>,
    values: Record<string, number> = {},
  ) => {
    const command = new QueryCommand({
      TableName: accessLogTable,
      ConsistentRead: true,
      KeyConditionExpression: 'patientRef = :partition',
      ...input,
      ExpressionAttributeValues: { ':partition': partition, ...values },
    });
    const { Items = [], LastEvaluatedKey } = await call((options) => dynamo.send(command, options));
    const items = Items.map(({ expiresAt: _, ...item }) => item as Item);
    return { items, lastSeq: LastEvaluatedKey?.['seq'] as number | undefined };
  };

  /** Reads a page of items that have not expired. */
  const readPage = async <Item>(
    partition: string,
    after: number | undefined,
    limit?: number,
    order: 'oldest' | 'newest' = 'oldest',
  ) =>
    await query<Item>(
      partition,
      {
        FilterExpression: 'expiresAt > :now',
        ScanIndexForward: order === 'oldest',
        ...(limit !== undefined && { Limit: limit }),
        ...(after !== undefined && { ExclusiveStartKey: { patientRef: partition, seq: after } }),
      },
      { ':now': nowSeconds() },
    );

  /** Returns all items that have not expired, up to a seq. */
  async function* readUpTo<Item extends Checkpoint>(partition: string, seq: number): AsyncGenerator<Item> {
    let after: number | undefined;
    do {
      const { items, lastSeq } = await readPage<Item>(partition, after);
      yield* items.filter((item) => item.seq <= seq);
      after = lastSeq;
    } while (after !== undefined && after < seq);
  }

  /**
   * Returns the newest items after a seq, newest first. Includes expired items, because their seq is taken until
   * DynamoDB deletes them.
   */
  const readNewest = async <Item extends Checkpoint>(
    partition: string,
    { afterSeq = 0, limit, before }: { afterSeq?: number; limit: number; before?: number | undefined },
  ) => {
    const newest = {
      KeyConditionExpression: 'patientRef = :partition AND seq > :after',
      ScanIndexForward: false,
      Limit: limit,
      ...(before !== undefined && { ExclusiveStartKey: { patientRef: partition, seq: before } }),
    };
    return await query<Item>(partition, newest, { ':after': afterSeq });
  };

  /** Returns the newest entries after a seq, newest first, as far back as an earlier append of these drafts may be. */
  const lookBack = async (
    patientRef: string,
    afterSeq: number,
    drafts: readonly AccessDraft[],
  ): Promise<AccessEntry[]> => {
    const sinceMs = Math.min(...drafts.map(({ recorded }) => Date.parse(recorded))) - clockSkewMs;
    const entries: AccessEntry[] = [];
    for (let before: number | undefined; ; ) {
      const page = await readNewest<AccessEntry>(patientRef, { afterSeq, limit: lookBackEntries, before });
      entries.push(...page.items);
      before = page.lastSeq;
      if (before === undefined || page.items.every(({ recorded }) => Date.parse(recorded) < sinceMs)) return entries;
    }
  };

  /** Writes all entries or none. Returns the indexes of entries whose seq is taken; an empty list if all were written. */
  const write = async (entries: readonly AccessEntry[], signal?: AbortSignal): Promise<number[]> => {
    const command = new TransactWriteCommand({ TransactItems: entries.flatMap(putsOf) });
    return await call(async (options) => {
      try {
        await dynamo.send(command, options);
        return [];
      } catch (error) {
        if (!(error instanceof TransactionCanceledException)) throw error;
        const isTaken = (item: number): boolean => (error.CancellationReasons?.[item]?.Code ?? 'None') !== 'None';
        return [...entries.keys()].filter((index) => isTaken(2 * index) || isTaken(2 * index + 1));
      }
    }, signal);
  };

  const extend = async (patientRef: string, drafts: readonly AccessDraft[]): Promise<AccessEntry[]> => {
    const known = new Map<string, AccessEntry>();
    let previous: Checkpoint | undefined;
    let progressAtMs = performance.now();
    let isInDoubt = false;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(maxDelayMs, delayMs * 2)) {
      // Reads the checkpoint before the entries. If its entry is still missing then, it has none, but its seq is taken all the same.
      const seenSeq = previous?.seq ?? 0;
      const isAfterSeen = { afterSeq: seenSeq, limit: 1 };
      const checkpoints = isInDoubt
        ? await readNewest<Checkpoint>(checkpointPartition(patientRef), isAfterSeen)
        : undefined;
      const newest = await lookBack(patientRef, seenSeq, drafts);
      // Other processes make progress, so this append will succeed later.
      if (newest.length > 0) progressAtMs = performance.now();
      else if (isInDoubt && performance.now() - progressAtMs > patienceMs) throw new AccessLogError('unavailable');
      for (const entry of newest) known.set(entry.id, entry);
      for (const last of [newest[0], checkpoints?.items[0]])
        if (last && last.seq > (previous?.seq ?? 0)) previous = last;

      const fresh: AccessEntry[] = [];
      const linked = new Map<string, AccessEntry>();
      const answer = drafts.map((draft) => {
        const there = known.get(draft.id) ?? linked.get(draft.id);
        if (there !== undefined) return there;
        const entry = linkEntry(draft, fresh.at(-1) ?? previous);
        linked.set(draft.id, entry);
        fresh.push(entry);
        return entry;
      });
      if (fresh.length === 0 || (await write(fresh)).length === 0) return answer;
      isInDoubt = newest.length === 0; // the seq was taken, but no entry was visible
      await sleep(delayMs * Math.random()); // fully random, so that processes that conflicted do not retry together
    }
  };

  const extendInTransactions = async (patientRef: string, drafts: readonly AccessDraft[]): Promise<AccessEntry[]> => {
    const entries: AccessEntry[] = [];
    for (let start = 0; start < drafts.length; start += entriesInTransaction)
      entries.push(...(await extend(patientRef, drafts.slice(start, start + entriesInTransaction))));
    return entries;
  };

  /**
   * For each patient, this process runs one append at a time. Drafts that arrive meanwhile are appended together after
   * it.
   */
  const gathering = new Map<string, { readonly drafts: AccessDraft[]; readonly appended: Promise<AccessEntry[]> }>();
  const lastAppends = new Map<string, Promise<unknown>>();
  const gather = (patientRef: string) => {
    const drafts: AccessDraft[] = [];
    const before = lastAppends.get(patientRef);
    const appended = (async () => {
      await before;
      gathering.delete(patientRef);
      return await extendInTransactions(patientRef, drafts);
    })();
    const ended = appended.then(
      () => undefined,
      () => undefined, // the callers get the error
    );
    lastAppends.set(patientRef, ended);
    void ended.then(() => lastAppends.get(patientRef) === ended && lastAppends.delete(patientRef));
    const gathered = { drafts, appended };
    gathering.set(patientRef, gathered);
    return gathered;
  };

  const append: AccessLogStore['append'] = async (patientRef, drafts) => {
    const gathered = gathering.get(patientRef) ?? gather(patientRef);
    const start = gathered.drafts.length;
    gathered.drafts.push(...drafts);
    return (await gathered.appended).slice(start, start + drafts.length);
  };

  return {
    append,

    async appendFirst(drafts) {
      const batches = Array.from({ length: Math.ceil(drafts.length / entriesInTransaction) }, (_, index) =>
        drafts.slice(index * entriesInTransaction, (index + 1) * entriesInTransaction),
      );
      await forEachParallel(batches, transactionsAtOnce, async (batch) => {
        for (let left = batch; left.length > 0; ) {
          const entries = left.map((draft) => linkEntry(draft, undefined));
          const taken = new Set(await write(entries, AbortSignal.timeout(bulkPatienceMs)));
          if (taken.size === 0) return;
          for (const draft of left.filter((_, index) => taken.has(index))) await append(draft.patientRef, [draft]);
          left = left.filter((_, index) => !taken.has(index));
        }
      });
    },

    async read(patientRef, limit, afterSeq, order) {
      for (let after = afterSeq; ; ) {
        const { items, lastSeq } = await readPage<AccessEntry>(patientRef, after, limit, order);
        if (lastSeq === undefined) return { entries: items };
        if (items.length > 0) return { entries: items, lastKey: lastSeq };
        after = lastSeq; // all items of this page have expired
      }
    },

    async readLinks(patientRef) {
      const linked = new Set<string>();
      let after: number | undefined;
      do {
        const { items, lastSeq } = await query<Pick<AccessEntry, 'previousPatientRef' | 'nextPatientRef'>>(
          patientRef,
          {
            FilterExpression:
              'expiresAt > :now AND (attribute_exists(previousPatientRef) OR attribute_exists(nextPatientRef))',
            ProjectionExpression: 'previousPatientRef, nextPatientRef',
            ...(after !== undefined && { ExclusiveStartKey: { patientRef, seq: after } }),
          },
          { ':now': nowSeconds() },
        );
        for (const { previousPatientRef, nextPatientRef } of items)
          for (const ref of [previousPatientRef, nextPatientRef]) if (ref !== undefined) linked.add(ref);
        after = lastSeq;
      } while (after !== undefined);
      return [...linked];
    },

    async verify(patientRef) {
      // Leaves out what is appended meanwhile. Between two queries it would look like a checkpoint without its entry.
      const [entry] = (await readNewest<AccessEntry>(patientRef, { limit: 1 })).items;
      const [checkpoint] = (await readNewest<Checkpoint>(checkpointPartition(patientRef), { limit: 1 })).items;
      const lastSeq = Math.max(entry?.seq ?? 0, checkpoint?.seq ?? 0);
      const entries = readUpTo<AccessEntry>(patientRef, lastSeq);
      const checkpoints = readUpTo<Checkpoint>(checkpointPartition(patientRef), lastSeq);
      return await verifyChain(entries, checkpoints, nowSeconds());
    },
  };
}
