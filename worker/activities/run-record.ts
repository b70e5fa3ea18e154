import { setTimeout as sleep } from 'node:timers/promises';
import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import { isOfList } from '../../core/domain/issue.ts';
import type { LineState } from '../../core/domain/line-status.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { addProblems, type ProblemCount } from '../../core/domain/quality.ts';
import { GateError, type GateStore } from '../../core/stores/gate.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { withHeartbeats } from './heartbeats.ts';
import { listSuperseded, listTrustMs } from './list-fence.ts';

export interface RunRecordDeps {
  readonly syncRuns: SyncRunsStore;
  readonly gateOf: (insurerId: string) => Pick<GateStore, 'find'>;
  /** how long `beginList` waits for attempts of older lists, in ms */
  readonly olderListsEndMs?: number;
}

const runsPerPage = 20;
const issuesPerPage = 1_000;

/** Returns the removals that no operator approved. A run of 0.2.0 has kept only its total, which may be higher. */
const unapprovedRemovalsOf = ({ unapprovedRemovals, patients, careRecords }: Progress): number =>
  unapprovedRemovals ?? patients.removed + careRecords.notInsured;

/** Reads the line's state. Returns undefined if the gate cannot be read. */
async function lineStateOf(gate: Pick<GateStore, 'find'>): Promise<LineState | undefined> {
  try {
    const { state, busy } = await gate.find();
    return { state, busy };
  } catch (error) {
    if (!(error instanceof GateError)) throw error;
    // without a gate no worker has used the line yet
    return error.fault === 'unknown-insurer' ? { state: 'open', busy: false } : undefined;
  }
}

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
  | 'carryIssues'
  | 'readListState'
  | 'beginList'
  | 'endEntries'
  | 'completeList'
  | 'countRecentRemovals'
> => ({
  async saveProgress({ insurerId, progress, revision }) {
    const line = await lineStateOf(gateOf(insurerId));
    await syncRuns.saveProgress(insurerId, { ...progress, line: { ...progress.line, ...line } }, revision);
    return line;
  },

  async readLineState({ insurerId }) {
    return await lineStateOf(gateOf(insurerId));
  },

  async recordIssue({ insurerId, runId, issue }) {
    return { isAcknowledged: (await syncRuns.addIssues(insurerId, runId, [issue])).length > 0 };
  },

  async carryIssues({ insurerId, fromRunId, runId }) {
    return await withHeartbeats(undefined, async ({ signal }) => {
      let acknowledged = 0;
      let problems: readonly ProblemCount[] = [];
      let after: string | undefined;
      do {
        signal.throwIfAborted();
        const { entries, lastKey } = await syncRuns.listIssues(insurerId, fromRunId, issuesPerPage, after);
        const issues = entries
          .filter(isOfList)
          .map(({ id: _, firstSeen: _first, lastSeen: _last, runs: _runs, acknowledged: _by, ...issue }) => issue);
        for (const { kind, reason } of issues) if (kind !== 'kvnr-changed') problems = addProblems(problems, reason);
        const known = await syncRuns.addIssues(insurerId, runId, issues);
        acknowledged += known.filter(({ kind }) => kind === 'quarantined').length;
        after = lastKey;
      } while (after !== undefined);
      const patients = (await syncRuns.readProgress(insurerId, fromRunId))?.patients;
      const { listed = 0, quarantined = 0, flagged = 0, kvnrChanged = 0 } = patients ?? {};
      return { listed, quarantined, flagged, kvnrChanged, acknowledged, problems };
    });
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
