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

/** unavailable: the table did not answer in time, or answered with a failure; what was to be appended may be there or not. */
export class AccessLogError extends Error {
  override readonly name = 'AccessLogError';
  readonly fault: 'unavailable';
  constructor(fault: AccessLogError['fault'], options?: ErrorOptions) {
    super(`access log ${fault}`, options);
    this.fault = fault;
  }
}

/**
 * The table AuditLog (docs/reference/access-log.md): each patient's access entries, a hash chain that only grows. Every entry
 * is written in one transaction with its checkpoint, so that one without the other shows. An entry that has expired is not
 * read, whether or not the table has forgotten it yet.
 */
export interface AccessLogStore {
  /**
   * Appends in order, and resolves once durable. An ID that is among the patient's last 100 entries, or among those appended
   * since the draft was recorded, is not appended again: its entry is in the answer as it stands there. Whoever else appends
   * meanwhile costs time, and nothing else.
   * @throws AccessLogError `unavailable` when a call was not answered for two seconds, or nobody got on for so long
   */
  append(patientRef: string, drafts: readonly AccessDraft[]): Promise<AccessEntry[]>;
  /** Appends the first entries of many patients, one each. Who has some already costs as much as with append. @throws AccessLogError `unavailable` */
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
  /** @throws AccessLogError `unavailable` */
  verify(patientRef: string): Promise<Verification>;
}

/** How far back a repeated append is recognised: so many entries, and so many more while any of them may be younger than it. */
const lookBackEntries = 100;
/** The clocks of those who record differ by less, ms. */
const clockSkewMs = 5_000;
/** DynamoDB takes 100 items in one transaction: so many entries with their checkpoints. */
const entriesInTransaction = 50;
const transactionsAtOnce = 8;
const patienceMs = 2_000;
/** Nobody waits for the many, and a hundred items take their time. */
const bulkPatienceMs = 10_000;
const firstDelayMs = 20;
const maxDelayMs = 400;

const checkpointPartition = (patientRef: string): string => `checkpoint#${patientRef}`;

/** What a transaction writes for one entry: neither may be there yet. */
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

/** @param now for tests of what has expired */
export function createAccessLogStore(dynamo: DynamoDBDocumentClient, now = () => new Date()): AccessLogStore {
  const nowSeconds = (): number => now().getTime() / 1000;

  /** A call that hangs is given up when the signal says so. */
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

  /** Those that have not expired. */
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

  /** All that have not expired, up to a seq. */
  async function* readUpTo<Item extends Checkpoint>(partition: string, seq: number): AsyncGenerator<Item> {
    let after: number | undefined;
    do {
      const { items, lastSeq } = await readPage<Item>(partition, after);
      yield* items.filter((item) => item.seq <= seq);
      after = lastSeq;
    } while (after !== undefined && after < seq);
  }

  /** The newest ones after a seq, newest first, expired or not: as long as they lie there, their places are taken. */
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

  /** The newest ones after a seq, newest first, as far back as an append of these drafts may lie. */
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

  /** All or none. Answers which of them somebody else was there before, by their index; none when all are written. */
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
      // The checkpoint before the entries: one whose entry is not there after that has none, and its place is taken all the same.
      const seenSeq = previous?.seq ?? 0;
      const isAfterSeen = { afterSeq: seenSeq, limit: 1 };
      const checkpoints = isInDoubt
        ? await readNewest<Checkpoint>(checkpointPartition(patientRef), isAfterSeen)
        : undefined;
      const newest = await lookBack(patientRef, seenSeq, drafts);
      // Others get on: our turn comes.
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
      isInDoubt = newest.length === 0; // somebody was first, and nothing was to be seen of them
      await sleep(delayMs * Math.random()); // chance alone: those who lost together must not come back together
    }
  };

  const extendByAll = async (patientRef: string, drafts: readonly AccessDraft[]): Promise<AccessEntry[]> => {
    const entries: AccessEntry[] = [];
    for (let start = 0; start < drafts.length; start += entriesInTransaction)
      entries.push(...(await extend(patientRef, drafts.slice(start, start + entriesInTransaction))));
    return entries;
  };

  /** Of one patient only one append of this process is under way; what comes meanwhile goes together after it, and races nobody here. */
  const gathering = new Map<string, { readonly drafts: AccessDraft[]; readonly appended: Promise<AccessEntry[]> }>();
  const lastAppends = new Map<string, Promise<unknown>>();
  const gather = (patientRef: string) => {
    const drafts: AccessDraft[] = [];
    const before = lastAppends.get(patientRef);
    const appended = (async () => {
      await before;
      gathering.delete(patientRef);
      return await extendByAll(patientRef, drafts);
    })();
    const ended = appended.then(
      () => undefined,
      () => undefined, // told to those who wait for it
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
        after = lastSeq; // all of them have expired
      }
    },

    async verify(patientRef) {
      // What is appended meanwhile is left out: between two queries it would look like a checkpoint without its entry.
      const [entry] = (await readNewest<AccessEntry>(patientRef, { limit: 1 })).items;
      const [checkpoint] = (await readNewest<Checkpoint>(checkpointPartition(patientRef), { limit: 1 })).items;
      const lastSeq = Math.max(entry?.seq ?? 0, checkpoint?.seq ?? 0);
      const entries = readUpTo<AccessEntry>(patientRef, lastSeq);
      const checkpoints = readUpTo<Checkpoint>(checkpointPartition(patientRef), lastSeq);
      return await verifyChain(entries, checkpoints, nowSeconds());
    },
  };
}
