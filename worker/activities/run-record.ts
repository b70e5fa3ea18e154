import type { LineSeen, SyncActivities } from '../../core/contract/sync-activities.ts';
import { GateError, type GateStore } from '../../core/stores/gate.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';

export interface RunRecordDeps {
  readonly syncRuns: SyncRunsStore;
  readonly gateOf: (insurerId: string) => Pick<GateStore, 'find'>;
}

/** What is kept of a run for those who look at it later. */
export const createRunRecord = ({
  syncRuns,
  gateOf,
}: RunRecordDeps): Pick<SyncActivities, 'saveProgress' | 'recordIssue' | 'appliedList' | 'setAppliedList'> => {
  /** The line's state now: open and idle before any worker has kept it; the one last seen when the gate cannot be read. */
  const lookAtLine = async (insurerId: string, { state, busy }: LineSeen): Promise<LineSeen> => {
    try {
      const gate = await gateOf(insurerId).find();
      return { state: gate.state, busy: gate.busy };
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      return error.fault === 'unknown-insurer' ? { state: 'open', busy: false } : { state, busy };
    }
  };

  return {
    async saveProgress({ insurerId, progress, revision }) {
      const seen = await lookAtLine(insurerId, progress.line);
      await syncRuns.saveProgress(insurerId, { ...progress, line: { ...progress.line, ...seen } }, revision);
      return seen;
    },

    async recordIssue({ insurerId, runId, issue }) {
      await syncRuns.addIssues(insurerId, runId, [issue]);
    },

    async appliedList({ insurerId }) {
      return await syncRuns.readAppliedList(insurerId);
    },

    async setAppliedList({ insurerId, listId, etag }) {
      await syncRuns.setAppliedList(insurerId, { listId, etag });
    },
  };
};
