import { createSecretKey } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import type { ListActivities } from '../../core/contract/list-activities.ts';
import { nameHashesOf } from '../../core/crypto/name-hashes.ts';
import { identityOf } from '../../core/crypto/pseudonyms.ts';
import { addCounts, diffShard, type ListedEntry, zeroCounts } from '../../core/domain/diff.ts';
import { shards } from '../../core/domain/shard.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import { type ListsStore, ShardPartMissing } from '../../core/stores/lists.ts';
import { forEachParallel, readAhead } from '../../core/stores/parallel.ts';
import type { PatientsStore, Shard } from '../../core/stores/patients.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { type Heartbeats, withHeartbeats } from './heartbeats.ts';
import { fenceList } from './list-fence.ts';
import { type RemovePatientDeps, removePatient } from './remove-patient.ts';
import { syncAccess } from './sync-access.ts';

export interface ApplyListDeps extends RemovePatientDeps {
  readonly lists: ListsStore;
  readonly syncRuns: Pick<SyncRunsStore, 'isApplying'>;
  readonly accessLog: Pick<AccessLogStore, 'append' | 'appendFirst'>;
  readonly patients: RemovePatientDeps['patients'] &
    Pick<PatientsStore, 'readShard' | 'storeNew' | 'storeChanged' | 'setGoneIn' | 'setNameHashes' | 'get'>;
  readonly pseudonymKey: Buffer;
}

/** Number of patients per batch. A cancelled activity ends between two batches. */
const batchSize = 500;
/** Number of shards that are read at the same time: reading one after the other takes most of the time of a short list. */
const parallelReads = 8;
const parallelRemovals = 8;
const parallelMarks = 8;
const parallelAppends = 8;

export const createApplyList = ({
  lists,
  syncRuns,
  patients,
  careRecords,
  accessLog,
  pseudonymKey,
}: ApplyListDeps): Pick<ListActivities, 'applyList' | 'removeGone' | 'deleteList'> => ({
  async applyList({ insurerId, listId, fetchOrder, shardParts, fromShard, toShard }) {
    const key = createSecretKey(pseudonymKey);
    const withHashes = (entry: ListedEntry) => ({
      ...entry,
      identity: identityOf(entry.body, key),
      nameHashes: nameHashesOf(entry, key),
    });
    return await withHeartbeats({ nextShard: fromShard, counts: zeroCounts }, async (heartbeats) => {
      const writeGuard = fenceList(heartbeats.writeGuard, () => syncRuns.isApplying(insurerId, listId, 'entries'));
      await forEachRemainingShard(heartbeats, toShard, patients, async ({ shard, index, items }) => {
        const { stored, unlisted, removed } = items;
        const seen = new Map([...stored, ...unlisted, ...removed].map((item) => [item.patientRef, item]));
        const lines = lists.readShard(listId, shard, shardParts[index] ?? 0);
        const diff = await diffShard(lines, { stored, unlisted }, { listId, fetchOrder }).catch(asFinal);
        // The access entry comes first, so that no data is stored without one. A repeated attempt does not append it again.
        const accessOf = (operation: 'import' | 'change', { patientRef }: ListedEntry) =>
          syncAccess(operation, patientRef, `${operation}:${listId}`, { kind: 'list', id: listId });
        for (const batch of batchesOf(diff.new)) {
          heartbeats.signal.throwIfAborted();
          await writeGuard.confirm(); // an attempt that may not write must not claim a write in the access log
          writeGuard.check();
          await accessLog.appendFirst(batch.map((entry) => accessOf('import', entry)));
          await patients.storeNew(batch.map(withHashes), listId, seen, writeGuard);
        }
        for (const batch of batchesOf(diff.changed)) {
          heartbeats.signal.throwIfAborted();
          await forEachParallel(batch, parallelAppends, async (entry) => {
            await writeGuard.confirm();
            writeGuard.check();
            await accessLog.append(entry.patientRef, [accessOf('change', entry)]);
          });
          await patients.storeChanged(batch.map(withHashes), listId, seen, writeGuard);
        }
        const gone = new Set([...diff.gone, ...diff.goneProvisional].map(({ patientRef }) => patientRef));
        // these writes clear their mark
        const written = new Set([...diff.new, ...diff.changed].map(({ patientRef }) => patientRef));
        const toMark = [...stored, ...unlisted].filter(({ patientRef, goneIn }) =>
          gone.has(patientRef) ? goneIn !== listId : goneIn !== undefined && !written.has(patientRef),
        );
        await forEachParallel(toMark, parallelMarks, async (patient) => {
          heartbeats.signal.throwIfAborted();
          const isGone = gone.has(patient.patientRef);
          const lacksIdentity = isGone && !('standing' in patient) && patient.identity === undefined; // 0.2.0 has stored none
          const body = lacksIdentity ? (await patients.get(patient.patientRef))?.body : undefined;
          const identity = body === undefined ? undefined : identityOf(body, key);
          const marked = identity === undefined ? patient : { ...patient, identity };
          await patients.setGoneIn(marked, isGone ? listId : undefined, writeGuard);
        });
        // Once for each patient after an upgrade. Those who are gone leave soon.
        const unsearchable = stored.filter(
          ({ patientRef, isUnsearchable }) => isUnsearchable && !written.has(patientRef) && !gone.has(patientRef),
        );
        await forEachParallel(unsearchable, parallelMarks, async (patient) => {
          heartbeats.signal.throwIfAborted();
          const read = await patients.get(patient.patientRef); // the end of a mark has given it a new revision
          if (read?.body === undefined) return;
          const entry = { body: read.body, contentHash: read.contentHash };
          await patients.setNameHashes(read, nameHashesOf(entry, key), writeGuard);
        });
        return { counts: addCounts(heartbeats.done.counts, diff.counts) };
      });
      return heartbeats.done.counts;
    });
  },

  async removeGone({ insurerId, listId, fromShard, toShard }) {
    return await withHeartbeats({ nextShard: fromShard, removed: 0 }, async (heartbeats) => {
      const writeGuard = fenceList(heartbeats.writeGuard, () => syncRuns.isApplying(insurerId, listId, 'removals'));
      await forEachRemainingShard(heartbeats, toShard, patients, async ({ items }) => {
        const { removed } = heartbeats.done;
        const isGone = ({ goneIn }: { readonly goneIn?: string }): boolean => goneIn === listId;
        const removing = items.removed.filter((item) => isGone(item) && !item.isTombstone); // an attempt died half way
        const gone = [...[...items.stored, ...items.unlisted].filter(isGone), ...removing];
        await forEachParallel(gone, parallelRemovals, async ({ patientRef, revision }) => {
          heartbeats.signal.throwIfAborted();
          await removePatient({ patients, careRecords, accessLog }, patientRef, revision, writeGuard);
        });
        // A repeated attempt counts the tombstones of earlier ones, too.
        const tombstones = items.removed.filter((item) => isGone(item) && item.isTombstone);
        return { removed: removed + gone.length + tombstones.length };
      });
      return { removed: heartbeats.done.removed };
    });
  },

  async deleteList({ listId }) {
    await withHeartbeats(undefined, async () => await lists.deleteList(listId));
  },
});

/** Maps a missing part of a shard, which no retry brings back, to a failure that ends the run. Throws any other error. */
function asFinal(error: unknown): never {
  if (!(error instanceof ShardPartMissing)) throw error;
  throw ApplicationFailure.nonRetryable(error.message, error.name);
}

/**
 * Processes the shards that no earlier attempt has finished, in order.
 * @param work processes one shard, with its items as of one read; returns what is done including that shard
 */
async function forEachRemainingShard<Done extends { readonly nextShard: number }>(
  heartbeats: Heartbeats<Done>,
  toShard: number,
  patients: Pick<PatientsStore, 'readShard'>,
  work: (of: {
    readonly shard: string;
    readonly index: number;
    readonly items: Shard;
  }) => Promise<Omit<Done, 'nextShard'>>,
): Promise<void> {
  const remaining = [...shards.entries()].slice(heartbeats.done.nextShard, toShard);
  const reads = readAhead(remaining, parallelReads, async ([index, shard]) => {
    heartbeats.signal.throwIfAborted();
    return { shard, index, items: await patients.readShard(shard) };
  });
  for await (const read of reads) {
    heartbeats.signal.throwIfAborted();
    const done = await work(read);
    heartbeats.report({ ...done, nextShard: read.index + 1 } as Done);
  }
}

function* batchesOf(entries: readonly ListedEntry[]): Generator<readonly ListedEntry[]> {
  for (let start = 0; start < entries.length; start += batchSize) yield entries.slice(start, start + batchSize);
}
