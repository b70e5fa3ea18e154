import type { RefreshActivities, RefreshPlan, StalePosition } from '../../core/contract/care-refresh.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface RefreshDeps {
  readonly patients: Pick<PatientsStore, 'scan'>;
  readonly payloads: Pick<PayloadsStore, 'put' | 'get'>;
  readonly syncRuns: Pick<SyncRunsStore, 'saveRefresh' | 'readProgress'>;
}

/** Number of segments of the table. They are read one after the other, because nobody waits for a refresh. */
const segments = 8;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const inOrder = (a: StalePosition, b: StalePosition): number =>
  compare(a.asOf, b.asOf) || compare(a.patientRef, b.patientRef);

export const createRefreshActivities = ({ patients, payloads, syncRuns }: RefreshDeps): RefreshActivities => ({
  async planRefresh({ runId, before, after, limit }) {
    return await withHeartbeats(undefined, async ({ signal }): Promise<RefreshPlan | undefined> => {
      let stalest: StalePosition[] = [];
      let stale = 0;
      const keepStalest = (): void => {
        stalest = stalest.sort(inOrder).slice(0, limit);
      };
      for (let segment = 0; segment < segments; segment += 1)
        for await (const patient of patients.scan(segment, segments)) {
          signal.throwIfAborted();
          const { patientRef, careState, careRecordsAsOf, isBeingRemoved, isProvisional, goneIn } = patient;
          if (careState !== 'current' || careRecordsAsOf === undefined) continue;
          if (isBeingRemoved || isProvisional || goneIn !== undefined) continue;
          const position = { asOf: careRecordsAsOf === 'unknown' ? '' : careRecordsAsOf, patientRef };
          if (position.asOf >= before || (after !== undefined && inOrder(position, after) <= 0)) continue;
          stale += 1;
          stalest.push(position);
          if (stalest.length >= 2 * limit) keepStalest(); // a million patients do not stay in memory
        }
      keepStalest();
      const last = stalest.at(-1);
      if (last === undefined) return undefined;
      const text = stalest.map(({ patientRef }) => patientRef).join('\n');
      const reference = await payloads.put({ syncId: runId, patientRef: 'stale' }, Buffer.from(text));
      return { patients: reference, size: stalest.length, stale, ...(stale > stalest.length && { last }) };
    });
  },

  async readStale({ plan, from, limit }) {
    try {
      const text = (await payloads.get(plan.patients)).toString();
      return text.split('\n').slice(from, from + limit);
    } catch (error) {
      if (error instanceof PayloadError) return undefined;
      throw error;
    }
  },

  async saveRefresh({ insurerId, runId, revision, refresh, unapprovedRemovals }) {
    const newest = await syncRuns.readProgress(insurerId);
    const isSaved = await syncRuns.saveRefresh(insurerId, runId, revision, { refresh, unapprovedRemovals });
    return isSaved && newest?.runId === runId;
  },
});
