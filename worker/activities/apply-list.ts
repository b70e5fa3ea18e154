import { createSecretKey } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/activity';
import type { ListActivities } from '../../core/contract/list-activities.ts';
import { nameHashesOf } from '../../core/crypto/name-hashes.ts';
import { identityOf } from '../../core/crypto/pseudonyms.ts';
import { addCounts, diffShard, type ListedEntry, type ShardLine, zeroCounts } from '../../core/domain/diff.ts';
import { shards } from '../../core/domain/shard.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import { type ListsStore, ShardPartMissing } from '../../core/stores/lists.ts';
import { forEachParallel, readAhead } from '../../core/stores/parallel.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { withHeartbeats } from './heartbeats.ts';
import { fenceList } from './list-fence.ts';
import { forEachRemainingGroup, type ReadableShards } from './remaining-shards.ts';
import { type RemovePatientDeps, removePatient } from './remove-patient.ts';
import { syncAccess } from './sync-access.ts';

export interface ApplyListDeps extends RemovePatientDeps {
  readonly lists: ListsStore;
  readonly syncRuns: Pick<SyncRunsStore, 'isApplying'>;
  readonly accessLog: Pick<AccessLogStore, 'append' | 'appendFirst'>;
  readonly patients: RemovePatientDeps['patients'] &
    ReadableShards &
    Pick<PatientsStore, 'storeNew' | 'storeChanged' | 'setGoneIn' | 'setNameHashes' | 'get'>;
  readonly pseudonymKey: Buffer;
}

/** Number of patients per batch. A cancelled activity ends between two batches. */
const batchSize = 500;
/** Number of shards of a small list that are read at the same time. */
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
  async applyList({ insurerId, listId, fetchOrder, shardParts, ...range }) {
    const key = createSecretKey(pseudonymKey);
    const withHashes = (entry: ListedEntry) => ({
      ...entry,
      identity: identityOf(entry.body, key),
      nameHashes: nameHashesOf(entry, key),
    });
    const readLines = (shard: string): AsyncGenerator<ShardLine> =>
      lists.readShard(listId, shard, shardParts[shards.indexOf(shard)] ?? 0);
    return await withHeartbeats({ nextShard: range.fromShard, counts: zeroCounts }, async (heartbeats) => {
      const writeGuard = fenceList(heartbeats.writeGuard, () => syncRuns.isApplying(insurerId, listId, 'entries'));
      await forEachRemainingGroup(heartbeats, range, patients, async ({ group, items }) => {
        const { stored, unlisted, removed } = items;
        const seen = new Map([...stored, ...unlisted, ...removed].map((item) => [item.patientRef, item]));
        const lines = linesOf(group, readLines);
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

  async removeGone({ insurerId, listId, ...range }) {
    return await withHeartbeats({ nextShard: range.fromShard, removed: 0 }, async (heartbeats) => {
      const writeGuard = fenceList(heartbeats.writeGuard, () => syncRuns.isApplying(insurerId, listId, 'removals'));
      await forEachRemainingGroup(heartbeats, range, patients, async ({ items }) => {
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

/** Returns the lines of a group of shards. A single shard is not held in memory: it can belong to a list of any size. */
async function* linesOf(
  group: readonly string[],
  readLines: (shard: string) => AsyncGenerator<ShardLine>,
): AsyncGenerator<ShardLine> {
  const [first, ...others] = group;
  if (first !== undefined && others.length === 0) yield* readLines(first);
  else
    for await (const lines of readAhead(group, parallelReads, async (shard) => await Array.fromAsync(readLines(shard))))
      yield* lines;
}

function* batchesOf(entries: readonly ListedEntry[]): Generator<readonly ListedEntry[]> {
  for (let start = 0; start < entries.length; start += batchSize) yield entries.slice(start, start + batchSize);
}
