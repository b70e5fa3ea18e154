import type { FetchCareRecordsResult, LineActivities } from '../../core/contract/line-activities.ts';
import type { ListActivities, ShardRange } from '../../core/contract/list-activities.ts';
import type { SyncActivities } from '../../core/contract/sync-activities.ts';
import type { Command, DailySyncEvent } from '../../core/domain/daily-sync.ts';
import { addCounts, zeroCounts } from '../../core/domain/diff.ts';
import { type Priority, zeroLineUse } from '../../core/domain/line.ts';
import type { SeenPatient } from '../../core/domain/patient.ts';
import { type PatientOutcome, progressOf } from '../../core/domain/run.ts';

export type Activities = LineActivities & ListActivities & SyncActivities;
export type ActivityName = keyof Activities;
export type InputOf<Name extends ActivityName> = Parameters<Activities[Name]>[0];
export type AnswerOf<Name extends ActivityName> = Awaited<ReturnType<Activities[Name]>>;

/** A failure that Temporal does not retry. */
export class FinalFailure extends Error {
  override readonly name = 'FinalFailure';
  readonly type: string;
  readonly seen: SeenPatient | undefined;
  constructor(type: string, seen?: SeenPatient) {
    super(type);
    this.type = type;
    this.seen = seen;
  }
}

/** The workflow was cancelled. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}

/** What is done in parts: other things may happen between two parts. */
export type Work<Answer> = AsyncGenerator<void, Answer>;

/** Runs activities, with all their attempts. */
export interface ActivityRunner {
  readonly insurerId: string;
  readonly shardRanges: readonly ShardRange[];
  /** @throws FinalFailure */
  run<Name extends ActivityName>(name: Name, input: InputOf<Name>): Work<AnswerOf<Name>>;
}

type WithoutTime<Event> = Event extends unknown ? Omit<Event, 'atMs'> : never;
export type NewEvent = WithoutTime<DailySyncEvent>;

const sevenDaysMs = 7 * 24 * 60 * 60_000;
const lineUse = zeroLineUse;
const maxRequests = 3;
/** A small page, so that a run needs several. */
const pendingPageSize = 5;

/** Carries out a command as the workflow does (worker/workflows/daily-sync.ts). Returns the event that ends it. */
export async function* carryOut(
  command: Command,
  runner: ActivityRunner,
  runId: string,
  nowMs: () => number,
): Work<NewEvent> {
  const { insurerId, shardRanges } = runner;
  switch (command.do) {
    case 'fetchList': {
      const { listId, isUnconditional } = command;
      const { applied } = yield* runner.run('readListState', { insurerId });
      const known = applied && !isUnconditional && { knownEtag: applied.etag };
      const fetched = yield* unlessFailed(
        'ListUnusable',
        runner.run('fetchPatientList', { insurerId, listId, ...known }),
      );
      if (fetched === 'failed') return { on: 'listUnusable', isFinal: true };
      return fetched.kind === 'list'
        ? { on: 'listFetched', list: fetched.list, lineUse }
        : { on: 'listUnchanged', lineUse };
    }
    case 'splitList': {
      const split = yield* unlessFailed(
        'ListUnusable',
        runner.run('splitPatientList', { insurerId, runId, list: command.list }),
      );
      return split === 'failed' ? { on: 'listUnusable' } : { on: 'split', split };
    }
    case 'beginList': {
      const { listId } = command;
      for (;;) {
        const { epoch } = yield* runner.run('readListState', { insurerId });
        if ((yield* unlessFailed('ListSuperseded', runner.run('beginList', { insurerId, listId, epoch }))) !== 'failed')
          return { on: 'begun' };
      }
    }
    case 'applyList': {
      const { do: _, ...list } = command;
      const { listId } = list;
      let counts = zeroCounts;
      for (const range of shardRanges)
        counts = addCounts(counts, yield* runner.run('applyList', { insurerId, ...list, ...range }));
      yield* runner.run('endEntries', { insurerId, listId });
      const since = new Date(nowMs() - sevenDaysMs).toISOString();
      const recentRemovals = yield* runner.run('countRecentRemovals', { insurerId, since, exceptRunId: runId });
      return { on: 'applied', counts, recentRemovals, kvnrChanged: 0 }; // nobody in the model changes their KVNR
    }
    case 'removeGone': {
      let removed = 0;
      for (const range of shardRanges)
        removed += (yield* runner.run('removeGone', { insurerId, listId: command.listId, ...range })).removed;
      return { on: 'taskEnded', task: command.do, listId: command.listId, removed };
    }
    case 'completeList': {
      const { listId, etag } = command;
      yield* runner.run('completeList', { insurerId, listId, ...(etag !== undefined && { etag }) });
      return { on: 'taskEnded', task: command.do, listId };
    }
    case 'deleteList':
      yield* runner.run('deleteList', { listId: command.listId });
      return { on: 'taskEnded', task: command.do, listId: command.listId };
    case 'removeHeld':
      yield* runner.run('removeHeld', { heldFor: command.listId });
      return { on: 'taskEnded', task: command.do, listId: command.listId };
    case 'recordIssue':
      return { on: 'taskEnded', task: command.do, listId: command.listId };
    case 'countPatients':
      return { on: 'counted', ...(yield* runner.run('countPatients', undefined as never)) };
    case 'finishRemovals':
      yield* runner.run('finishRemovals', undefined as never);
      return { on: 'removalsFinished' };
    case 'reopenReported':
      yield* runner.run('reopenReported', { nextQuestion: command.nextQuestion });
      return { on: 'reopened' };
    case 'listPending': {
      const { from, pendingShards } = command;
      const input = { ...from, limit: pendingPageSize, ...(pendingShards !== undefined && { pendingShards }) };
      return { on: 'pendingListed', ...(yield* runner.run('listPending', input)) };
    }
    case 'syncPatient': {
      const { patientRef } = command;
      const { outcome, isUnlisted, revision } = yield* syncPatient(runner, patientRef, runId, 'bulk');
      const seen = { patientRef, ...(revision !== undefined && { revision }) };
      if (outcome === 'unknown' || isUnlisted) {
        yield* runner.run('removePatient', { ...seen, ...(outcome === 'unknown' && { unknownIn: runId }) });
        return { on: 'patientEnded', patientRef, outcome: 'gone' };
      }
      if (outcome === 'not-insured') return { on: 'patientNotInsured', ...seen, lineUse };
      return { on: 'patientEnded', patientRef, outcome };
    }
    case 'removePatient': {
      const { do: _, ...seen } = command;
      yield* runner.run('removePatient', seen);
      return { on: 'patientEnded', patientRef: command.patientRef, outcome: 'not-insured' };
    }
    case 'holdPatient': {
      const { do: _, ...held } = command;
      yield* runner.run('holdPatient', held);
      return { on: 'patientEnded', patientRef: command.patientRef, outcome: 'held' };
    }
    case 'save': {
      const { revision, question, line } = command;
      const progress = progressOf(command.run, line, nowMs(), question);
      yield* runner.run('saveProgress', { insurerId, revision, progress });
      return { on: 'saved', revision };
    }
    case 'saveLater':
      return { on: 'saveDue' };
    case 'sweep':
      yield* runner.run('sweepRun', { insurerId, runId, listCount: command.listCount });
      return { on: 'swept' };
    case 'startRefresh':
      return { on: 'refreshStarted' };
  }
}

export interface PatientSynced {
  readonly outcome: Exclude<PatientOutcome, 'held'> | 'unknown';
  readonly isUnlisted?: true;
  readonly revision?: number;
}

/** Syncs a patient as the workflows do (worker/workflows/sync-patient.ts). */
export async function* syncPatient(
  runner: ActivityRunner,
  patientRef: string,
  syncId: string,
  priority: Priority,
): Work<PatientSynced> {
  const { insurerId } = runner;
  let fetched: FetchCareRecordsResult | undefined;
  try {
    for (let lost = 0; lost < 3; lost++) {
      const answer = yield* runner.run('fetchCareRecords', { insurerId, patientRef, syncId, priority, maxRequests });
      if ('isUnchanged' in answer) return { outcome: 'done' };
      fetched = answer;
      const { payload, fetchOrder } = fetched;
      const { outcome } = yield* runner.run('storeCareRecords', { patientRef, syncId, payload, fetchOrder });
      if (outcome !== 'payload-lost') return { outcome: outcome === 'gone' ? 'gone' : 'done' };
    }
    return { outcome: 'exhausted' };
  } catch (error) {
    const staged = { patientRef, syncId, ...(fetched && { fetchOrder: fetched.fetchOrder }) };
    if (!(error instanceof FinalFailure || error instanceof Cancelled)) throw error;
    yield* runner.run('discardStaged', staged);
    if (error instanceof Cancelled) throw error;
    const seen = error.seen ?? fetched?.seen;
    switch (error.type) {
      case 'PatientNotInsured':
        return { outcome: 'not-insured', ...(seen && { revision: seen.revision }) };
      case 'PersonNotInsured':
        return { outcome: 'not-insured', isUnlisted: true, ...(seen && { revision: seen.revision }) };
      case 'PersonUnknown':
        return { outcome: 'unknown', ...(seen && { revision: seen.revision }) };
      case 'PatientGone':
        return { outcome: 'gone' };
      case 'PatientUnknown':
        yield* runner.run('markCareFailed', { patientRef, ...(seen && { seen }) });
        return { outcome: 'permanently-failed' };
      default:
        return { outcome: 'exhausted' };
    }
  }
}

/** Returns `failed` instead of a failure of this type. */
async function* unlessFailed<Answer>(type: string, work: Work<Answer>): Work<Answer | 'failed'> {
  try {
    return yield* work;
  } catch (error) {
    if (error instanceof FinalFailure && error.type === type) return 'failed';
    throw error;
  }
}
