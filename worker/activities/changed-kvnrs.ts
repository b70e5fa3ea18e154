import type { ListActivities } from '../../core/contract/list-activities.ts';
import {
  type ChangedKvnr,
  changedKvnrReasons,
  changedKvnrs,
  type FormerPatient,
  type PresentPatient,
} from '../../core/domain/changed-kvnr.ts';
import type { Issue } from '../../core/domain/issue.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import type { PatientsStore, RemovedItem, Shard, ShardItem } from '../../core/stores/patients.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import { withHeartbeats } from './heartbeats.ts';
import { kvnrChangeAccess } from './sync-access.ts';

export interface ChangedKvnrsDeps {
  readonly patients: Pick<PatientsStore, 'readSegment' | 'setSuccessor'>;
  readonly syncRuns: Pick<SyncRunsStore, 'addIssues'>;
  readonly accessLog: Pick<AccessLogStore, 'append'>;
  /** maximum number of gone patients in memory; more take several passes over the table */
  readonly formerInMemory?: number;
}

/** Number of segments of the table, which are read at the same time. */
const segments = 8;
/** About 30 MB. */
const formerInMemoryDefault = 100_000;
/** Maximum number of people of one identity on either side. Already two are not certain. */
const candidatesMax = 50;
/** Maximum number of issues recorded per list. Several candidates for many people mean that the data is no identity. */
const issuesMax = 1_000;

export const createChangedKvnrs = ({
  patients,
  syncRuns,
  accessLog,
  formerInMemory = formerInMemoryDefault,
}: ChangedKvnrsDeps): Pick<ListActivities, 'findChangedKvnrs'> => ({
  async findChangedKvnrs({ insurerId, runId, listId }) {
    return await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
      const now = new Date().toISOString();
      const forEachPage = async (work: (page: Shard) => void): Promise<void> =>
        await forEachParallel(Array(segments).keys(), segments, async (segment) => {
          for await (const page of patients.readSegment(segment, segments)) {
            signal.throwIfAborted();
            work(page);
          }
        });

      /** Returns the gone patients by identity, from one identity on: as many of them as memory allows. */
      const readFormer = async (from: string) => {
        const former = new Map<string, FormerPatient[]>();
        let count = 0;
        /** identities from here on are left to the next pass */
        let end: string | undefined;
        const add = (identity: string | undefined, patient: FormerPatient): void => {
          if (identity === undefined || identity < from || (end !== undefined && identity >= end)) return;
          const same = former.get(identity) ?? [];
          if (same.length === candidatesMax) return;
          same.push(patient);
          former.set(identity, same);
          count += 1;
          if (count <= formerInMemory || former.size < 2) return;
          const sorted = [...former.keys()].sort();
          end = sorted[sorted.length >> 1] ?? '';
          for (const dropped of sorted.slice(sorted.length >> 1)) {
            count -= former.get(dropped)?.length ?? 0;
            former.delete(dropped);
          }
        };
        await forEachPage(({ stored, removed }) => {
          for (const patient of stored)
            if (patient.goneIn === listId) add(patient.identity, formerPatient(patient, false, listId));
          for (const patient of removed) add(patient.identity, formerPatient(patient, true, listId));
        });
        return { former, end };
      };

      /** Returns the patients on the list whose identity is the one of a gone patient. */
      const readPresent = async (former: ReadonlyMap<string, unknown>) => {
        const present = new Map<string, PresentPatient[]>();
        if (former.size === 0) return present;
        await forEachPage(({ stored }) => {
          for (const { identity, goneIn, patientRef, imported } of stored) {
            if (identity === undefined || goneIn === listId || !former.has(identity)) continue;
            const patient = { patientRef, ...(imported && { imported }) };
            const same = present.get(identity) ?? [];
            if (same.length < candidatesMax) same.push(patient);
            present.set(identity, same);
          }
        });
        return present;
      };

      /** Keeps that two patients are the same person. Linked logs stay linked, so a repeated attempt appends nothing twice. */
      const link = async ({ previousPatientRef, patientRef }: ChangedKvnr, isRemoved: boolean): Promise<void> => {
        if (isRemoved)
          for (const draft of kvnrChangeAccess(previousPatientRef, patientRef)) {
            writeGuard.check();
            await accessLog.append(draft.patientRef, [draft]);
          }
        await patients.setSuccessor(previousPatientRef, patientRef, { listId, isRemoved }, writeGuard);
      };

      let found = 0;
      for (let from: string | undefined = ''; from !== undefined; ) {
        const { former, end }: Awaited<ReturnType<typeof readFormer>> = await readFormer(from);
        const present = await readPresent(former);
        const issues: Issue[] = [];
        const links: (() => Promise<void>)[] = [];
        for (const [identity, same] of former)
          for (const pair of changedKvnrs(same, present.get(identity) ?? [], now)) {
            found += 1;
            const { previousPatientRef, patientRef, isCertain, isKnown } = pair;
            const reason = changedKvnrReasons[isCertain ? 'certain' : 'uncertain'];
            if (found <= issuesMax) issues.push({ kind: 'kvnr-changed', reason, patientRef, previousPatientRef });
            const previous = same.find((patient) => patient.patientRef === previousPatientRef);
            if (isCertain && !isKnown) links.push(async () => await link(pair, previous?.isRemoved ?? false));
          }
        await syncRuns.addIssues(insurerId, runId, issues); // before a link, after which an attempt may die
        for (const linkPair of links) {
          signal.throwIfAborted();
          await linkPair();
        }
        from = end;
      }
      return { found };
    });
  },
});

const formerPatient = (
  { patientRef, imported, successor, successorIn }: RemovedItem | ShardItem,
  isRemoved: boolean,
  listId: string,
): FormerPatient => ({
  patientRef,
  isRemoved,
  isFoundNow: successorIn === listId,
  ...(imported && { imported }),
  ...(successor !== undefined && { successor }),
});
