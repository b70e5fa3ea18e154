import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConditionalCheckFailedException,
  TransactionCanceledException,
  TransactionConflictException,
} from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb';
import type { AccessDraft, AccessEntry } from '../domain/access.ts';
import {
  asHashed,
  type Checkpoint,
  linkEntry,
  type StoredEntry,
  type Verification,
  verifyChain,
} from '../domain/access-log.ts';
import type { AccessAnchorsStore } from './access-anchors.ts';
import type { Page } from './page.ts';
import { forEachParallel } from './parallel.ts';
import type { Tables } from './tables.ts';

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
 * The stream of the table leads each entry to its anchor, so verification finds one without the other. Expired entries
 * are not returned, even if DynamoDB has not deleted them yet.
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
  /**
   * Returns all patients with entries in pages, in the order of the table.
   * @param after the last patient of an earlier page
   * @throws AccessLogError `unavailable`
   */
  patientRefs(after?: string): AsyncGenerator<readonly string[]>;
  /**
   * Verifies a patient's whole chain, and compares it with the anchors.
   * @param at the moment of the whole verification; by default now
   * @throws AccessLogError `unavailable`
   */
  verify(patientRef: string, at?: Date): Promise<Verification>;
}

/**
 * How far back a repeated append is recognised: this many entries, and further pages while any entry may be newer than
 * the draft.
 */
const lookBackEntries = 100;
/** Maximum difference between the clocks of recording processes, ms. */
const clockSkewMs = 5_000;
/** DynamoDB allows 100 items in one transaction. A conflict of one entry costs the whole transaction. */
const entriesInTransaction = 50;
const transactionsAtOnce = 8;
const patienceMs = 2_000;
/** Bulk appends may take longer, because no person waits for them. */
const bulkPatienceMs = 10_000;
const firstDelayMs = 20;
const maxDelayMs = 400;

const isPatient = (partition: string): boolean => /^[0-9a-f]{32}$/.test(partition);
const checkpointPartition = (patientRef: string): string => `checkpoint#${patientRef}`;

/** Returns the write of one entry, if its seq is free. */
const putIn = (accessLogTable: string) => (entry: StoredEntry) => ({
  TableName: accessLogTable,
  Item: entry,
  ConditionExpression: 'attribute_not_exists(seq)',
});

/** @param now lets tests move past the expiry of entries */
export function createAccessLogStore(
  dynamo: DynamoDBDocumentClient,
  { accessLog: accessLogTable }: Pick<Tables, 'accessLog'>,
  anchors: Pick<AccessAnchorsStore, 'read'>,
  now = () => new Date(),
): AccessLogStore {
  const putOf = putIn(accessLogTable);
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
    return { items: Items as Item[], lastSeq: LastEvaluatedKey?.['seq'] as number | undefined };
  };

  /** Reads a page of items that have not expired. */
  const readPage = async <Item>(
    partition: string,
    after: number | undefined,
    {
      limit,
      order = 'oldest',
      at = nowSeconds(),
    }: { limit?: number; order?: 'oldest' | 'newest' | undefined; at?: number } = {},
  ) =>
    await query<Item>(
      partition,
      {
        FilterExpression: 'expiresAt > :now',
        ScanIndexForward: order === 'oldest',
        ...(limit !== undefined && { Limit: limit }),
        ...(after !== undefined && { ExclusiveStartKey: { patientRef: partition, seq: after } }),
      },
      { ':now': at },
    );

  /** Returns all items that have not expired at a time, up to a seq. */
  async function* readUpTo<Item extends Checkpoint>(partition: string, seq: number, at: number): AsyncGenerator<Item> {
    let after: number | undefined;
    do {
      const { items, lastSeq } = await readPage<Item>(partition, after, { at });
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
      const page = await readNewest<StoredEntry>(patientRef, { afterSeq, limit: lookBackEntries, before });
      entries.push(...page.items.map(asHashed));
      before = page.lastSeq;
      if (before === undefined || page.items.every(({ recorded }) => Date.parse(recorded) < sinceMs)) return entries;
    }
  };

  /** Writes all entries or none. Returns the indexes of entries whose seq is taken; an empty list if all were written. */
  const write = async (entries: readonly StoredEntry[], signal?: AbortSignal): Promise<number[]> =>
    await call(async (options) => {
      const [first, ...others] = entries;
      try {
        // a transaction of one entry would cost twice as much
        if (first !== undefined && others.length === 0) await dynamo.send(new PutCommand(putOf(first)), options);
        else {
          const TransactItems = entries.map((entry) => ({ Put: putOf(entry) }));
          await dynamo.send(new TransactWriteCommand({ TransactItems }), options);
        }
        return [];
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException || error instanceof TransactionConflictException)
          return [0];
        if (!(error instanceof TransactionCanceledException)) throw error;
        const isTaken = (index: number): boolean => (error.CancellationReasons?.[index]?.Code ?? 'None') !== 'None';
        return [...entries.keys()].filter(isTaken);
      }
    }, signal);

  const extend = async (patientRef: string, drafts: readonly AccessDraft[]): Promise<AccessEntry[]> => {
    const known = new Map<string, AccessEntry>();
    let previous: Checkpoint | undefined;
    let progressAtMs = performance.now();
    let isConflict = false;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(maxDelayMs, delayMs * 2)) {
      const newest = await lookBack(patientRef, previous?.seq ?? 0, drafts);
      // Other processes make progress, so this append will succeed later.
      if (newest.length > 0) progressAtMs = performance.now();
      else if (isConflict && performance.now() - progressAtMs > patienceMs) throw new AccessLogError('unavailable');
      for (const entry of newest) known.set(entry.id, entry);
      previous = newest[0] ?? previous;

      const fresh: StoredEntry[] = [];
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
      isConflict = true;
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
        const { items, lastSeq } = await readPage<StoredEntry>(patientRef, after, { limit, order });
        const entries = items.map(asHashed);
        if (lastSeq === undefined) return { entries };
        if (entries.length > 0) return { entries, lastKey: lastSeq };
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

    async *patientRefs(after) {
      let last = after;
      // A scan continues after a key, even if there is no such item: no entry has this seq.
      let place = after === undefined ? undefined : { patientRef: after, seq: Number.MAX_SAFE_INTEGER };
      do {
        const command = new ScanCommand({
          TableName: accessLogTable,
          ProjectionExpression: 'patientRef, seq',
          ...(place && { ExclusiveStartKey: place }),
        });
        const { Items = [], LastEvaluatedKey } = await call((options) => dynamo.send(command, options));
        const page = new Set(Items.map((item) => String(item['patientRef'])));
        for (const partition of page) if (partition === last || !isPatient(partition)) page.delete(partition);
        last = [...page].at(-1) ?? last; // the entries of a patient are next to each other, but may be on two pages
        if (page.size > 0) yield [...page];
        place = LastEvaluatedKey as typeof place;
      } while (place !== undefined);
    },

    async verify(patientRef, at = now()) {
      const atSeconds = at.getTime() / 1000;
      const anchored = await call(
        async (options) => await anchors.read(patientRef, options),
        AbortSignal.timeout(bulkPatienceMs), // 1 000 anchors a call
      );
      // Leaves out what is appended meanwhile, which may have a checkpoint that the second query does not return.
      const [entry] = (await readNewest<StoredEntry>(patientRef, { limit: 1 })).items;
      const [checkpoint] = (await readNewest<Checkpoint>(checkpointPartition(patientRef), { limit: 1 })).items;
      const lastSeq = Math.max(entry?.seq ?? 0, checkpoint?.seq ?? 0);
      const entries = readUpTo<StoredEntry>(patientRef, lastSeq, atSeconds);
      const checkpoints = readUpTo<Checkpoint>(checkpointPartition(patientRef), lastSeq, atSeconds);
      return await verifyChain({ entries, checkpoints, anchors: anchored }, atSeconds);
    },
  };
}
