import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { GateError, type GateStore } from '../../core/stores/gate.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';

export interface RunRecordDeps {
  readonly syncRuns: SyncRunsStore;
  readonly gateOf: (insurerId: string) => Pick<GateStore, 'find'>;
}

/** The activities that read and write the stored state of runs. */
export const createRunRecord = ({
  syncRuns,
  gateOf,
}: RunRecordDeps): Pick<
  SyncActivities,
  'saveProgress' | 'readLineState' | 'recordIssue' | 'readAppliedList' | 'setAppliedList' | 'forgetAppliedList'
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

  async readAppliedList({ insurerId }) {
    return await syncRuns.readAppliedList(insurerId);
  },

  async setAppliedList({ insurerId, listId, etag }) {
    await syncRuns.setAppliedList(insurerId, { listId, etag });
  },

  async forgetAppliedList({ insurerId }) {
    await syncRuns.forgetAppliedList(insurerId);
  },
});
