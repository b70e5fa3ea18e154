import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import type { ListState } from '../contract/sync-activities.ts';
import { nameHashFormat } from '../crypto/name-hashes.ts';
import type { Acknowledgement, Issue, KnownIssue } from '../domain/issue.ts';
import { issueIdOf } from '../domain/issue-id.ts';
import type { Progress } from '../domain/progress.ts';
import { addSample, type RunSample } from '../domain/run-sample.ts';
import { batchWrite } from './batch-write.ts';
import { isConditionMet } from './condition.ts';
import { createIssueHistory } from './issue-history.ts';
import type { Page } from './page.ts';
import type { Tables } from './tables.ts';

/**
 * The table SyncRuns (docs/explanation/architecture.md, "Tables"). Holds the last progress of each run, its issues, the
 * list that was applied last, and the mark of the pseudonym key. Holds no personal data except pseudonyms.
 */
export interface SyncRunsStore {
  /** Saves the progress of a run and adds a sample of it. Changes nothing if a higher revision is stored. */
  saveProgress(insurerId: string, progress: Progress, revision: number): Promise<void>;
  /**
   * Saves the progress of the refresh that follows a run. Returns false, and changes nothing, if a higher revision of it is
   * stored, or if the run is in progress again.
   */
  saveRefresh(
    insurerId: string,
    runId: string,
    revision: number,
    changes: Required<Pick<Progress, 'refresh' | 'unapprovedRemovals'>>,
  ): Promise<boolean>;
  /** Returns the progress of one run, or of the newest run. */
  readProgress(insurerId: string, runId?: string): Promise<Progress | undefined>;
  /** Returns the samples of the newest run, oldest first. Runs from before there were samples have none. */
  readSamples(insurerId: string): Promise<{ runId: string; samples: readonly RunSample[] } | undefined>;
  /** Lists the runs, newest first. @param after `lastKey` of the page before */
  listRuns(insurerId: string, limit: number, after?: string): Promise<Page<Progress, string>>;
  /**
   * Adds issues to a run. An issue with the same position or patient replaces the stored one.
   * @returns those that an operator has acknowledged, in this run or an earlier one
   */
  addIssues(insurerId: string, runId: string, issues: readonly Issue[]): Promise<readonly Issue[]>;
  /**
   * Lists the issues of a run: quarantined entries by position, then those of the list, then those of patients, then what is
   * flagged.
   * @param after `lastKey` of the page before
   */
  listIssues(insurerId: string, runId: string, limit: number, after?: string): Promise<Page<KnownIssue, string>>;
  /** The same, without their history: half of the reads. */
  readIssues(insurerId: string, runId: string, limit: number, after?: string): Promise<Page<Issue, string>>;
  /** Acknowledges issues in all runs. @returns false, and stores nothing, if one of them was never seen */
  acknowledgeIssues(insurerId: string, issueIds: readonly string[], by: Acknowledgement): Promise<boolean>;
  /**
   * A list counts as applied only if the version that completed it writes the name hashes of this one. Otherwise the next run
   * fetches it again, although the insurer would answer that it has not changed.
   */
  readListState(insurerId: string): Promise<ListState>;
  /**
   * Forgets the applied list, because the writes of another one begin. Idempotent.
   * @param epoch ListState.epoch, as read before
   * @returns false if another list has begun since
   */
  beginList(insurerId: string, listId: string, epoch: number): Promise<boolean>;
  /** Returns whether this list is the last one that has begun, and this part of it is being written. */
  isApplying(insurerId: string, listId: string, part: ListPart): Promise<boolean>;
  /** Goes on from the entries of a list to its removals. Does nothing if another list has begun since. Idempotent. */
  endEntries(insurerId: string, listId: string): Promise<void>;
  /** Ensures that no part of some lists is written any more, because their run ends. Idempotent. */
  abandonLists(insurerId: string, listIds: readonly string[]): Promise<void>;
  /** Stores a list as applied. Does nothing if its removals are not being written. Without an ETag, no list is applied. Idempotent. */
  completeList(insurerId: string, listId: string, etag: string | undefined): Promise<void>;
  /** Makes the next run apply its whole list, even if the list has not changed. */
  forgetAppliedList(insurerId: string): Promise<void>;
  /**
   * Returns whether all stored pseudonyms come from the key with this mark (core/crypto/pseudonyms.ts). Stores the mark
   * of the first call.
   */
  isPseudonymKey(insurerId: string, keyMark: string): Promise<boolean>;
}

/** What is written of a list: first its entries, then its removals, once they need no approval or are approved. */
export type ListPart = 'entries' | 'removals';

interface RunItem {
  readonly insurerId: string;
  readonly runId: string;
  readonly progress: Progress;
  readonly revision: number;
  readonly samples?: readonly RunSample[];
  /** of the last save of its refresh */
  readonly refreshRevision?: number;
}

/** The lists of an insurer. An item of 0.2.0 has only `list`. */
interface ListItem {
  /** number of lists whose writes have begun */
  readonly epoch?: number;
  /** the list whose writes have begun last, as `{listId}/{part}`; absent once it is completed or abandoned */
  readonly applying?: string;
  readonly list?: NonNullable<ListState['applied']> & {
    /** of the name hashes of all patients; absent if 0.2.0 has applied the list */
    readonly nameHashFormat?: number;
  };
  /** the list that is being applied must not count as applied: its ETag is not kept */
  readonly refetch?: true;
}

const issuesKey = (insurerId: string, runId: string) => `${insurerId}#${runId}`;
const keyMarkKey = (insurerId: string) => ({ insurerId: `${insurerId}#pseudonyms`, runId: 'key' });
const partOf = (listId: string, part: ListPart): string => `${listId}/${part}`;
const appliedListKey = (insurerId: string) => ({ insurerId: `${insurerId}#list`, runId: 'applied' });

/** Returns the sort key of an issue. Issues that replace each other have the same key. */
function issueKey({ kind, position, patientRef, previousPatientRef, reason }: Issue): string {
  switch (kind) {
    case 'quarantined':
      return `a#${String(position ?? 0).padStart(12, '0')}`;
    case 'flagged': // last: what is stored needs no decision
      return position === undefined ? `e#${patientRef ?? ''}` : `d#${String(position).padStart(12, '0')}`;
    case 'list':
      return `b#list#${reason}`;
    case 'care-records':
      return `c#${patientRef ?? ''}`;
    case 'kvnr-changed':
      return `b#kvnr#${previousPatientRef ?? ''}#${patientRef ?? ''}`;
  }
}

export function createSyncRunsStore(
  dynamo: DynamoDBDocumentClient,
  { syncRuns: syncRunsTable }: Pick<Tables, 'syncRuns'>,
): SyncRunsStore {
  const history = createIssueHistory(dynamo, syncRunsTable);
  /** Reads a page of one partition. */
  const readPage = async (partition: string, newestFirst: boolean, limit: number, after: string | undefined) => {
    const command = new QueryCommand({
      TableName: syncRunsTable,
      ConsistentRead: true,
      KeyConditionExpression: 'insurerId = :partition',
      ExpressionAttributeValues: { ':partition': partition },
      ScanIndexForward: !newestFirst,
      Limit: limit,
      ...(after !== undefined && { ExclusiveStartKey: { insurerId: partition, runId: after } }),
    });
    const { Items = [], LastEvaluatedKey } = await dynamo.send(command);
    return {
      items: Items,
      ...(LastEvaluatedKey && { lastKey: String(LastEvaluatedKey['runId']) }),
    };
  };

  const readIssues: SyncRunsStore['readIssues'] = async (insurerId, runId, limit, after) => {
    const { items, ...rest } = await readPage(issuesKey(insurerId, runId), false, limit, after);
    return { entries: (items as { issue: Issue }[]).map(({ issue }) => issue), ...rest };
  };

  const readItem = async (insurerId: string, runId: string): Promise<RunItem | undefined> => {
    const command = new GetCommand({ TableName: syncRunsTable, Key: { insurerId, runId }, ConsistentRead: true });
    return (await dynamo.send(command)).Item as RunItem | undefined;
  };

  const readListItem = async (insurerId: string): Promise<ListItem> => {
    const command = new GetCommand({ TableName: syncRunsTable, Key: appliedListKey(insurerId), ConsistentRead: true });
    return ((await dynamo.send(command)).Item ?? {}) as ListItem;
  };
  /** Returns false if the condition does not hold. */
  const updateList = async (
    insurerId: string,
    update: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
  ): Promise<boolean> => {
    const command = new UpdateCommand({ TableName: syncRunsTable, Key: appliedListKey(insurerId), ...update });
    return await isConditionMet(dynamo.send(command));
  };

  return {
    async saveProgress(insurerId, progress, revision) {
      const { runId, finishedAt, careRecords } = progress;
      const before = (await readItem(insurerId, runId))?.samples ?? [];
      const { done, failed } = careRecords;
      const samples = addSample(before, { at: finishedAt ?? new Date().toISOString(), done, failed });
      const Item: RunItem = { insurerId, runId, progress, revision, samples };
      const command = new PutCommand({
        TableName: syncRunsTable,
        Item,
        ConditionExpression: 'attribute_not_exists(runId) OR revision <= :revision',
        ExpressionAttributeValues: { ':revision': revision },
      });
      await isConditionMet(dynamo.send(command)); // otherwise a later save is there
    },

    async saveRefresh(insurerId, runId, revision, { refresh, unapprovedRemovals }) {
      const command = new UpdateCommand({
        TableName: syncRunsTable,
        Key: { insurerId, runId },
        UpdateExpression:
          'SET progress.#refresh = :refresh, progress.unapprovedRemovals = :removals, refreshRevision = :revision',
        ConditionExpression: `progress.#state <> :running
          AND (attribute_not_exists(refreshRevision) OR refreshRevision <= :revision)`,
        ExpressionAttributeNames: { '#refresh': 'refresh', '#state': 'state' },
        ExpressionAttributeValues: {
          ':refresh': refresh,
          ':removals': unapprovedRemovals,
          ':revision': revision,
          ':running': 'running',
        },
      });
      return await isConditionMet(dynamo.send(command));
    },

    async readProgress(insurerId, runId) {
      if (runId === undefined) return (await this.listRuns(insurerId, 1)).entries[0];
      return (await readItem(insurerId, runId))?.progress;
    },

    async readSamples(insurerId) {
      const { items } = await readPage(insurerId, true, 1, undefined);
      const [newest] = items as RunItem[];
      return newest && { runId: newest.runId, samples: newest.samples ?? [] };
    },

    async listRuns(insurerId, limit, after) {
      const { items, ...rest } = await readPage(insurerId, true, limit, after);
      return { entries: (items as RunItem[]).map(({ progress }) => progress), ...rest };
    },

    async addIssues(insurerId, runId, issues) {
      const partition = issuesKey(insurerId, runId);
      const items = new Map(issues.map((issue) => [issueKey(issue), issue]));
      const requests = [...items].map(([key, issue]) => ({
        PutRequest: { Item: { insurerId: partition, runId: key, issue } },
      }));
      await batchWrite(dynamo, syncRunsTable, requests);
      const ids = new Map(issues.map((issue) => [issue, issueIdOf(issue)]));
      const acknowledged = await history.note(insurerId, runId, [...ids.values()]);
      return issues.filter((issue) => acknowledged.has(ids.get(issue) ?? ''));
    },

    readIssues,

    async listIssues(insurerId, runId, limit, after) {
      const { entries, ...rest } = await readIssues(insurerId, runId, limit, after);
      const issues = entries.map((issue) => ({ ...issue, id: issueIdOf(issue) }));
      const known = await history.read(
        insurerId,
        issues.map(({ id }) => id),
      );
      return { entries: issues.map((issue) => ({ ...issue, ...known.get(issue.id) })), ...rest };
    },

    async acknowledgeIssues(insurerId, issueIds, by) {
      return await history.acknowledge(insurerId, issueIds, by);
    },

    async readListState(insurerId) {
      const { epoch = 0, list } = await readListItem(insurerId);
      if (list?.nameHashFormat !== nameHashFormat) return { epoch };
      const { nameHashFormat: _, ...applied } = list;
      return { epoch, applied };
    },

    async beginList(insurerId, listId, epoch) {
      const hasBegun = await updateList(insurerId, {
        UpdateExpression: 'SET applying = :entries, epoch = :next REMOVE #list, refetch',
        ConditionExpression: epoch === 0 ? 'attribute_not_exists(epoch)' : 'epoch = :epoch',
        ExpressionAttributeNames: { '#list': 'list' },
        ExpressionAttributeValues: {
          ':entries': partOf(listId, 'entries'),
          ':next': epoch + 1,
          ...(epoch > 0 && { ':epoch': epoch }),
        },
      });
      return hasBegun || (await this.isApplying(insurerId, listId, 'entries'));
    },

    async isApplying(insurerId, listId, part) {
      return (await readListItem(insurerId)).applying === partOf(listId, part);
    },

    async endEntries(insurerId, listId) {
      await updateList(insurerId, {
        UpdateExpression: 'SET applying = :removals',
        ConditionExpression: 'applying = :entries',
        ExpressionAttributeValues: {
          ':entries': partOf(listId, 'entries'),
          ':removals': partOf(listId, 'removals'),
        },
      });
    },

    async abandonLists(insurerId, listIds) {
      const { applying } = await readListItem(insurerId);
      if (!listIds.some((listId) => applying === partOf(listId, 'entries') || applying === partOf(listId, 'removals')))
        return;
      await updateList(insurerId, {
        UpdateExpression: 'REMOVE applying',
        ConditionExpression: 'applying = :applying',
        ExpressionAttributeValues: { ':applying': applying },
      });
    },

    async completeList(insurerId, listId, etag) {
      await updateList(insurerId, {
        UpdateExpression: etag === undefined ? 'REMOVE applying' : 'SET #list = :list REMOVE applying',
        ConditionExpression: 'applying = :removals AND attribute_not_exists(refetch)',
        ...(etag !== undefined && { ExpressionAttributeNames: { '#list': 'list' } }),
        ExpressionAttributeValues: {
          ':removals': partOf(listId, 'removals'),
          ...(etag !== undefined && { ':list': { listId, etag, nameHashFormat } }),
        },
      });
    },

    async forgetAppliedList(insurerId) {
      await updateList(insurerId, {
        UpdateExpression: 'SET refetch = :yes REMOVE #list',
        ExpressionAttributeNames: { '#list': 'list' },
        ExpressionAttributeValues: { ':yes': true },
      });
    },

    async isPseudonymKey(insurerId, keyMark) {
      const command = new PutCommand({
        TableName: syncRunsTable,
        Item: { ...keyMarkKey(insurerId), keyMark },
        ConditionExpression: 'attribute_not_exists(runId) OR keyMark = :keyMark',
        ExpressionAttributeValues: { ':keyMark': keyMark },
      });
      return await isConditionMet(dynamo.send(command));
    },
  };
}
