import { setTimeout as sleep } from 'node:timers/promises';
import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { GateError, type GateStore } from '../../core/stores/gate.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { listSuperseded, listTrustMs } from './list-fence.ts';

export interface RunRecordDeps {
  readonly syncRuns: SyncRunsStore;
  readonly gateOf: (insurerId: string) => Pick<GateStore, 'find'>;
  /** how long `beginList` waits for attempts of older lists, in ms */
  readonly olderListsEndMs?: number;
}

const runsPerPage = 20;

/** Returns the removals that no operator approved. A run of 0.2.0 has kept only its total, which may be higher. */
const unapprovedRemovalsOf = ({ unapprovedRemovals, patients, careRecords }: Progress): number =>
  unapprovedRemovals ?? patients.removed + careRecords.notInsured;

/** The activities that read and write the stored state of runs. */
export const createRunRecord = ({
  syncRuns,
  gateOf,
  olderListsEndMs = listTrustMs + 500,
}: RunRecordDeps): Pick<
  SyncActivities,
  | 'saveProgress'
  | 'readLineState'
  | 'recordIssue'
  | 'readListState'
  | 'beginList'
  | 'endEntries'
  | 'completeList'
  | 'countRecentRemovals'
> => ({
  async saveProgress({ insurerId, progress, revision }) {
    await syncRuns.saveProgress(insurerId, progress, revision);
  },

  async readLineState({ insurerId }) {
    try {
      const { state, busy } = await gateOf(insurerId).find();
      return { state, busy };
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      // without a gate no worker has used the line yet
      return error.fault === 'unknown-insurer' ? { state: 'open', busy: false } : undefined;
    }
  },

  async recordIssue({ insurerId, runId, issue }) {
    await syncRuns.addIssues(insurerId, runId, [issue]);
  },

  async readListState({ insurerId }) {
    return await syncRuns.readListState(insurerId);
  },

  async beginList({ insurerId, listId, epoch }) {
    if (!(await syncRuns.beginList(insurerId, listId, epoch))) throw listSuperseded();
    if (epoch > 0) await sleep(olderListsEndMs);
  },

  async endEntries({ insurerId, listId }) {
    await syncRuns.endEntries(insurerId, listId);
  },

  async completeList({ insurerId, listId, etag }) {
    await syncRuns.completeList(insurerId, listId, etag);
  },

  async countRecentRemovals({ insurerId, since, exceptRunId }) {
    let removals = 0;
    let after: string | undefined;
    /** when the run had ended at the latest: a terminated run has no end, but the next run began later */
    let nextStartedAt = new Date().toISOString();
    do {
      const { entries, lastKey } = await syncRuns.listRuns(insurerId, runsPerPage, after);
      for (const run of entries) {
        if ((run.finishedAt ?? nextStartedAt) < since) return removals;
        if (run.runId !== exceptRunId) removals += unapprovedRemovalsOf(run);
        nextStartedAt = run.startedAt;
      }
      after = lastKey;
    } while (after !== undefined);
    return removals;
  },
});
