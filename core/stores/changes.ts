import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  QueryCommand,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb';
import type { RecordedChange } from '../domain/patient-change.ts';
import type { Tables } from './tables.ts';

/** How long a change can be read, in days: the 30 days that are promised, and one more. */
const keptDays = 31;
/** How many of the newest batches are searched for changes that a repeated call brings again. */
const recentBatches = 5;
/** Upper limit of the wait before a call writes again because another one was faster. */
const conflictWaitMaxMs = 100;

/** Where a reader goes on: the next batch, and how many of its changes are read. */
export interface ChangesPosition {
  /** ID of the feed; empty if nothing was ever recorded */
  readonly feed: string;
  readonly seq: number;
  readonly offset: number;
}

export interface ChangesPage {
  readonly changes: readonly RecordedChange[];
  readonly next: ChangesPosition;
  /** whether there was more to read */
  readonly hasMore: boolean;
}

/** Changes after this position are not kept any more. */
export class ChangesGone extends Error {
  override readonly name = 'ChangesGone';
  constructor() {
    super('changes after this position are not kept any more');
  }
}

/**
 * The table Changes: what has happened to patients, in batches that are numbered without a gap (docs/adr/0073). One
 * item holds a batch, and one, the head, the number of the last batch. Both are written in one transaction, so a reader
 * who has seen a batch can never find an earlier one later.
 */
export interface ChangesStore {
  /**
   * Records changes as one batch, in this order. Repeated after a crash, records only those that are not in the newest
   * batches: so a change is recorded at least once, and rarely twice.
   * @param changes at most 1 000, because an item of DynamoDB holds 400 KB
   */
  append(changes: readonly RecordedChange[]): Promise<void>;
  /**
   * Reads the changes from a position on, strongly consistent.
   * @param from default: the oldest change that is kept
   * @param limit of changes
   * @throws ChangesGone
   */
  read(from: ChangesPosition | undefined, limit: number): Promise<ChangesPage>;
  /** Returns the position after the last change. */
  end(): Promise<ChangesPosition>;
}

interface Head {
  readonly id: string;
  /** number of the last batch */
  readonly last: number;
}

interface Batch {
  readonly seq: number;
  readonly changes: readonly RecordedChange[];
}

const headKey = { feed: 'head', seq: 0 };

export function createChangesStore(
  dynamo: DynamoDBDocumentClient,
  { changes: changesTable }: Pick<Tables, 'changes'>,
): ChangesStore {
  const readHead = async (): Promise<Head | undefined> => {
    const command = new GetCommand({ TableName: changesTable, Key: headKey, ConsistentRead: true });
    return (await dynamo.send(command)).Item as Head | undefined;
  };

  const readRecentIds = async (feed: string): Promise<ReadonlySet<string>> => {
    const command = new QueryCommand({
      TableName: changesTable,
      ConsistentRead: true,
      KeyConditionExpression: 'feed = :feed',
      ExpressionAttributeValues: { ':feed': feed },
      ScanIndexForward: false,
      Limit: recentBatches,
    });
    const batches = ((await dynamo.send(command)).Items ?? []) as Batch[];
    return new Set(batches.flatMap(({ changes }) => changes.map(({ id }) => id)));
  };

  /** Writes the batch after `head`. Returns false if another call has written one meanwhile. */
  const write = async (head: Head | undefined, changes: readonly RecordedChange[]): Promise<boolean> => {
    const { id, last } = head ?? { id: randomUUID(), last: 0 };
    const seq = last + 1;
    const expiresAt = Math.floor(Date.now() / 1000) + keptDays * 24 * 60 * 60;
    const command = new TransactWriteCommand({
      TransactItems: [
        {
          Put: {
            TableName: changesTable,
            Item: { ...headKey, id, last: seq },
            ConditionExpression: head ? 'id = :id AND #last = :last' : 'attribute_not_exists(feed)',
            ...(head && {
              ExpressionAttributeNames: { '#last': 'last' }, // a reserved word
              ExpressionAttributeValues: { ':id': id, ':last': last },
            }),
          },
        },
        { Put: { TableName: changesTable, Item: { feed: id, seq, changes, expiresAt } } },
      ],
    });
    try {
      await dynamo.send(command);
      return true;
    } catch (error) {
      const codes = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
      if (codes.some(({ Code }) => Code === 'ConditionalCheckFailed' || Code === 'TransactionConflict')) return false;
      throw error;
    }
  };

  /** Yields the batches from one on that have not expired, in order. */
  async function* batchesFrom(feed: string, seq: number): AsyncGenerator<Batch> {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName: changesTable,
        ConsistentRead: true,
        KeyConditionExpression: 'feed = :feed AND seq >= :seq',
        FilterExpression: 'expiresAt > :now', // DynamoDB deletes some days after that, in any order
        ExpressionAttributeValues: { ':feed': feed, ':seq': seq, ':now': Math.floor(Date.now() / 1000) },
      },
    );
    for await (const { Items } of pages) yield* (Items ?? []) as Batch[];
  }

  return {
    async append(changes) {
      for (;;) {
        const head = await readHead();
        const recent = head === undefined ? new Set() : await readRecentIds(head.id);
        const fresh = changes.filter(({ id }) => !recent.has(id));
        if (fresh.length === 0 || (await write(head, fresh))) return;
        await setTimeout(Math.random() * conflictWaitMaxMs);
      }
    },

    async read(from, limit) {
      const head = await readHead();
      const { id: feed, last } = head ?? { id: '', last: 0 };
      const isOther = from !== undefined && from.feed !== '' && from.feed !== feed;
      if (isOther || (from?.seq ?? 0) > last + 1) throw new ChangesGone();
      let expected = from?.seq;
      let offset = from?.offset ?? 0;
      const changes: RecordedChange[] = [];
      if (feed !== '')
        for await (const batch of batchesFrom(feed, from?.seq ?? 1)) {
          if (expected !== undefined && batch.seq !== expected) {
            if (changes.length === 0) throw new ChangesGone();
            break; // the next page says so
          }
          const taken = batch.changes.slice(offset, offset + limit - changes.length);
          changes.push(...taken);
          const isWhole = offset + taken.length === batch.changes.length;
          offset = isWhole ? 0 : offset + taken.length;
          expected = isWhole ? batch.seq + 1 : batch.seq;
          if (changes.length === limit) break;
        }
      const isExpired = changes.length === 0 && from !== undefined && from.seq <= last;
      if (isExpired) throw new ChangesGone();
      const next = { feed, seq: expected ?? last + 1, offset };
      return { changes, next, hasMore: next.seq <= last };
    },

    async end() {
      const { id: feed, last } = (await readHead()) ?? { id: '', last: 0 };
      return { feed, seq: last + 1, offset: 0 };
    },
  };
}
