import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  ServiceError,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ClientConfig } from '../config.ts';
import {
  type CancelRequest,
  cancelRequestedSignal,
  type DailySyncInput,
  dailySyncWorkflow,
  decideRemovalsUpdate,
  decisionFailures,
  progressQuery,
  type RemovalDecision,
  stoppingMemo,
  type TriggerRequest,
  triggerSignal,
} from '../contract/daily-sync.ts';
import { careRefreshId, dailySyncId, syncTaskQueue } from '../contract/names.ts';
import { type Gate, type WorkersWatch, watchWorkers } from '../domain/gate.ts';
import { type LineStatus, lineStatusOf } from '../domain/line-status.ts';
import {
  type AnsweredProgress,
  answeredProgress,
  askMs,
  chooseProgress,
  freshProgress,
  type KnownProgress,
} from '../domain/live-progress.ts';
import type { Progress } from '../domain/progress.ts';
import type { MadeDecision } from '../domain/removal-decision.ts';
import { newRunId } from '../domain/run-id.ts';
import { type TransferNow, withTransfers } from '../domain/transfer.ts';
import { GateError } from '../stores/gate.ts';
import type { Stores } from '../stores/open-stores.ts';

export type DailySyncFault =
  | 'no-run'
  | 'run-stopping'
  | 'no-decision-awaited'
  | 'decision-invalid'
  | 'decision-made'
  | 'decision-outdated'
  | 'decision-unknown'
  | 'no-worker'
  | 'temporal-unavailable';

export class DailySyncError extends Error {
  override readonly name = 'DailySyncError';
  readonly fault: DailySyncFault;
  /** with `decision-made`: the decision that was made before */
  readonly made?: MadeDecision;
  constructor(fault: DailySyncFault, { made, ...options }: ErrorOptions & { made?: MadeDecision | undefined } = {}) {
    super(`daily sync: ${fault}`, options);
    this.fault = fault;
    if (made !== undefined) this.made = made;
  }
}

/**
 * The progress of a run, with the line's current state from the gate, and the transfers that take long. For a paused line: by
 * whom, since when and why.
 */
export interface ProgressNow extends Progress {
  readonly line: Progress['line'] & Omit<LineStatus, 'state' | 'busy'>;
  /** absent if there are none */
  readonly transfers?: readonly TransferNow[];
}

/** Controls the daily sync of one insurer. */
export interface DailySyncClient {
  /**
   * Starts a run, or makes the current run fetch the new list. Stops a refresh in progress. If the current run is being stopped, waits for its end.
   * @throws DailySyncError `run-stopping` if that takes longer than ten seconds; `temporal-unavailable`, also if a foreign
   *   workflow has the ID of the run
   */
  start(): Promise<{ readonly runId: string; readonly joined: boolean }>;
  /**
   * Returns the progress that the worker has written into the table within the last seconds. If it is older, or somebody has
   * started, cancelled or decided something since, one reader asks the run, and the answer serves all for 90 s (ADR 0065).
   * After a command, the other readers wait for that answer.
   * If Temporal and a worker do not answer within two seconds, returns the last known progress with `stale: true`. After the end of a run,
   * returns the stored progress. The line's state always comes from the gate.
   * @returns undefined before the first run
   */
  readProgress(): Promise<ProgressNow | undefined>;
  /**
   * Cancels the run, or the refresh that follows it. It undoes the work in progress and records who cancelled it and why.
   * @throws DailySyncError `no-run`, `temporal-unavailable`
   */
  cancel(request: CancelRequest): Promise<void>;
  /**
   * Approves or rejects the removals of a question; without `listId`, those of the list that wait. If the run continues as new meanwhile, asks its next execution.
   * @throws DailySyncError `no-run`; `no-decision-awaited`, `decision-made`, `decision-outdated`, `decision-unknown`;
   *   `no-worker` after ten seconds; `temporal-unavailable`
   */
  decideRemovals(decision: RemovalDecision): Promise<Progress>;
}

type DailySyncConfig = Pick<
  ClientConfig,
  | 'INSURER_ID'
  | 'SYNC_WINDOW'
  | 'CARE_MAX_ATTEMPTS'
  | 'CARE_REFRESH_AFTER_DAYS'
  | 'REMOVAL_LIMIT_PERCENT'
  | 'REMOVAL_LIMIT_PEOPLE'
  | 'UNREADABLE_LIMIT_PERCENT'
>;

/** Timeouts in milliseconds: for answers of the server itself, and for an update, which needs a worker. */
const serverTimeoutMs = 5_000;
const updateTimeoutMs = 10_000;
/** How long a start waits for a run that is being stopped: activities learn of a cancellation within seconds. */
const stoppingMaxMs = 10_000;
/** Milliseconds between two looks at a run that ends, or continues as new, and at an answer that somebody else asks for. */
const pollMs = 200;
/** Milliseconds between two questions of this process while it cannot claim any, because the table is away. */
const unclaimedEveryMs = 5_000;

export function createDailySyncClient(
  client: Client,
  { syncRuns, transfers, liveProgress, gateOf }: Pick<Stores, 'syncRuns' | 'transfers' | 'liveProgress' | 'gateOf'>,
  config: DailySyncConfig,
): DailySyncClient {
  const insurerId = config.INSURER_ID;
  const workflowId = dailySyncId(insurerId);
  const gate = gateOf(insurerId);

  const describeRunning = async (timeoutMs = serverTimeoutMs): Promise<WorkflowExecutionDescription | undefined> => {
    try {
      const description = await within(client, timeoutMs, () => client.workflow.getHandle(workflowId).describe());
      return description.status.name === 'RUNNING' ? description : undefined;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw new DailySyncError('temporal-unavailable', { cause: error });
    }
  };

  const requireRunning = async (): Promise<void> => {
    if ((await describeRunning()) === undefined) throw new DailySyncError('no-run');
  };

  const isBeingStopped = async (): Promise<boolean> => {
    const running = await describeRunning();
    return running !== undefined && !heedsTriggers(running);
  };

  const ask = async (): Promise<Progress | 'no-answer' | 'not-running'> => {
    const untilMs = Date.now() + askMs;
    try {
      if ((await describeRunning(askMs)) === undefined) return 'not-running';
      return await client.connection.withDeadline(untilMs, () =>
        client.workflow.getHandle(workflowId).query<Progress>(progressQuery),
      );
    } catch {
      return 'no-answer';
    }
  };

  /** Returns the list whose removals wait. @throws DailySyncError */
  const waitingList = async (): Promise<string> => {
    await requireRunning();
    const progress = await ask();
    if (typeof progress !== 'object') throw new DailySyncError('no-worker');
    if (progress.decision?.kind !== 'list') throw new DailySyncError('no-decision-awaited');
    return progress.decision.listId;
  };

  /** Returns the newest run if the refresh that follows it is in progress. */
  const refreshing = async (): Promise<string | undefined> => {
    const newest = await syncRuns.readProgress(insurerId);
    return newest?.refresh?.state === 'running' ? newest.runId : undefined;
  };
  /** Cancels a refresh. @param request of an operator: it is recorded */
  const stopRefresh = async (runId: string, request?: CancelRequest): Promise<void> => {
    const handle = client.workflow.getHandle(careRefreshId(runId));
    await within(client, serverTimeoutMs, async () => {
      if (request !== undefined) await handle.signal<[CancelRequest]>(cancelRequestedSignal, { ...request, runId });
      await handle.cancel();
    }).catch((error: unknown) => {
      throw new DailySyncError(error instanceof WorkflowNotFoundError ? 'no-run' : 'temporal-unavailable', {
        cause: error,
      });
    });
  };

  const findGate = async (): Promise<Gate | undefined> =>
    await gate.find().catch((error: unknown) => {
      if (!(error instanceof GateError)) throw error;
      return undefined;
    });
  let workers: WorkersWatch = {};
  const isWorkerThere = (found: Gate | undefined): boolean | undefined => {
    if (found === undefined) return undefined;
    workers = watchWorkers(workers, found, performance.now());
    return workers.isThere;
  };

  /**
   * Adds the line's current state and the transfers. If the gate cannot be read or does not exist yet, keeps what the run last
   * read. If the transfers cannot be read, leaves them out.
   */
  const withLine = async (progress: Progress, found: Gate | undefined): Promise<ProgressNow> => {
    const measured = await transfers.read(insurerId).catch(() => undefined);
    const seen = found ? { ...progress, line: { ...progress.line, ...lineStatusOf(found) } } : progress;
    return measured ? withTransfers(seen, measured, Date.now()) : seen;
  };

  /** Asks Temporal, and stores the answer for all viewers. */
  const askForAll = async (
    known: KnownProgress,
    isThere: boolean | undefined,
    nowMs: number,
  ): Promise<AnsweredProgress> => {
    const answered = answeredProgress(known, await ask(), isThere, nowMs);
    await liveProgress.saveAnswer(insurerId, answered).catch(() => undefined);
    return answered;
  };
  let unclaimed: { readonly atMs: number; readonly answer: Promise<AnsweredProgress> } | undefined;
  /** The same, while the table is away, in which the viewers agree who asks. */
  const askUnclaimed = (...[known, isThere, nowMs]: Parameters<typeof askForAll>): Promise<AnsweredProgress> => {
    if (unclaimed === undefined || nowMs - unclaimed.atMs >= unclaimedEveryMs)
      unclaimed = { atMs: nowMs, answer: askForAll(known, isThere, nowMs) };
    return unclaimed.answer;
  };

  /** Returns the newest progress after an answer. If it has none, the run may have ended meanwhile. */
  const progressAfter = async (
    known: KnownProgress,
    answered: AnsweredProgress,
    isThere: boolean | undefined,
  ): Promise<Progress | undefined> => {
    if (answered.progress !== undefined) return answered.progress;
    const latest = await syncRuns.readProgress(insurerId);
    const asked = { ...known.asked, ...answered };
    return chooseProgress({ ...known, asked }, latest, isThere, answered.askedAtMs).progress;
  };

  /** Returns the newest progress, and asks Temporal if what is known is too old. */
  const newestProgress = async (found: Gate | undefined): Promise<Progress | undefined> => {
    const untilMs = Date.now() + askMs;
    const isThere = isWorkerThere(found);
    for (;;) {
      const known = await liveProgress.read(insurerId).catch(() => undefined);
      const nowMs = Date.now();
      if (known === undefined) return await progressAfter({}, await askUnclaimed({}, isThere, nowMs), isThere);
      const fresh = freshProgress(known, isThere, nowMs);
      if (fresh !== undefined) return fresh;
      const { progress, next } = chooseProgress(known, await syncRuns.readProgress(insurerId), isThere, nowMs);
      if (next === 'show') return progress;
      if (next === 'ask') {
        const hasClaimed = await liveProgress
          .claim(insurerId, known.asked?.claimedAtMs, nowMs)
          .catch(() => 'unknown' as const);
        if (hasClaimed === true) return await progressAfter(known, await askForAll(known, isThere, nowMs), isThere);
        if (hasClaimed === 'unknown')
          return await progressAfter(known, await askUnclaimed(known, isThere, nowMs), isThere);
      }
      if (Date.now() >= untilMs) return progress;
      await sleep(pollMs); // somebody else is asking
    }
  };
  /** After a command: the next reader asks Temporal. If this fails, they see it some seconds later. */
  const noteCommand = async (): Promise<void> => {
    unclaimed = undefined;
    await liveProgress.noteCommand(insurerId, Date.now()).catch(() => undefined);
  };

  return {
    async start() {
      const runId = newRunId(Date.now(), randomBytes(3).toString('hex').slice(1));
      const input: DailySyncInput = {
        insurerId,
        runId,
        syncWindow: config.SYNC_WINDOW,
        careMaxRequests: config.CARE_MAX_ATTEMPTS,
        ...(config.CARE_REFRESH_AFTER_DAYS !== undefined && { careRefreshAfterDays: config.CARE_REFRESH_AFTER_DAYS }),
        removalLimitPercent: config.REMOVAL_LIMIT_PERCENT,
        removalLimitPeople: config.REMOVAL_LIMIT_PEOPLE,
        unreadableLimitPercent: config.UNREADABLE_LIMIT_PERCENT,
      };
      const startOrJoin = async () => {
        const request: TriggerRequest = { runId };
        const handle = await client.workflow.signalWithStart(dailySyncWorkflow, {
          workflowId,
          taskQueue: syncTaskQueue,
          args: [input],
          workflowTaskTimeout: '30 s', // a task that times out leaves results that a query can hand over too early: ADR 0040
          signal: triggerSignal,
          signalArgs: [request],
          memo: { runId },
        });
        const description = await handle.describe();
        assertOurs(description);
        const currentRunId = String(description.memo?.['runId'] ?? runId);
        const joined = currentRunId !== runId;
        return { runId: currentRunId, joined, isHeeded: !joined || heedsTriggers(description) };
      };
      const refreshed = await refreshing().catch(() => undefined);
      const untilMs = Date.now() + stoppingMaxMs;
      try {
        for (;;) {
          const { isHeeded, ...started } = await within(client, serverTimeoutMs, startOrJoin);
          if (isHeeded) {
            // if this fails, the refresh finds the new run before its next patient
            if (refreshed !== undefined) await stopRefresh(refreshed).catch(() => undefined);
            await noteCommand();
            return started;
          }
          while (await isBeingStopped()) {
            if (Date.now() > untilMs) throw new DailySyncError('run-stopping');
            await sleep(pollMs);
          }
        }
      } catch (error) {
        if (error instanceof DailySyncError) throw error;
        throw new DailySyncError('temporal-unavailable', { cause: error });
      }
    },

    async readProgress() {
      const found = await findGate();
      const progress = await newestProgress(found);
      return progress && (await withLine(progress, found));
    },

    async cancel(request) {
      const running = await describeRunning();
      if (running === undefined) {
        const refreshed = await refreshing();
        if (refreshed === undefined) throw new DailySyncError('no-run');
        await stopRefresh(refreshed, request);
        return;
      }
      const handle = client.workflow.getHandle(workflowId);
      const { runId } = running.memo ?? {};
      await within(client, serverTimeoutMs, async () => {
        await handle.signal<[CancelRequest]>(cancelRequestedSignal, {
          ...request,
          ...(typeof runId === 'string' && { runId }),
        });
        await handle.cancel();
      }).catch((error: unknown) => {
        throw new DailySyncError(error instanceof WorkflowNotFoundError ? 'no-run' : 'temporal-unavailable', {
          cause: error,
        });
      });
      await noteCommand();
    },

    async decideRemovals(decision) {
      const untilMs = Date.now() + updateTimeoutMs;
      const handle = client.workflow.getHandle(workflowId); // without a run ID: the current execution
      const named = { ...decision, listId: decision.listId ?? (await waitingList()) };
      for (let isRepeated = false; ; isRepeated = true) {
        await requireRunning();
        try {
          const decided = await client.connection.withDeadline(untilMs, () =>
            handle.executeUpdate<Progress, [RemovalDecision]>(decideRemovalsUpdate, { args: [named] }),
          );
          await noteCommand();
          return decided;
        } catch (error) {
          const failed = decisionError(error);
          const { made } = failed;
          // the attempt before has been carried out, and only its answer was lost
          if (isRepeated && made?.by === decision.operator && made.decision === decision.decision) {
            const progress = await ask();
            if (typeof progress === 'object') return progress;
          }
          if (!hasExecutionEnded(error) || Date.now() + pollMs > untilMs) throw failed;
          await sleep(pollMs);
        }
      }
    },
  };
}

/** Returns whether a run fetches the list again after a trigger: not if it has ended, or is being stopped. */
const heedsTriggers = ({ status, memo, raw }: WorkflowExecutionDescription): boolean =>
  status.name === 'RUNNING' && raw.workflowExtendedInfo?.cancelRequested !== true && memo?.[stoppingMemo] !== true;

/**
 * Throws if somebody else has started a workflow under the ID of the run. Temporal accepts triggers for it, and no worker
 * takes them.
 * @throws DailySyncError `temporal-unavailable`
 */
function assertOurs({ type, taskQueue, workflowId }: WorkflowExecutionDescription): void {
  if (type === dailySyncWorkflow && taskQueue === syncTaskQueue) return;
  const cause = new Error(
    `${workflowId} is a foreign workflow: its type or its task queue is not that of a run. Terminate it, and start the run again`,
  );
  throw new DailySyncError('temporal-unavailable', { cause: Object.assign(cause, { code: 'foreign-workflow' }) });
}

const within = <Answer>(client: Client, ms: number, call: () => Promise<Answer>): Promise<Answer> =>
  client.connection.withDeadline(Date.now() + ms, call);

function decisionError(error: unknown): DailySyncError {
  if (error instanceof WorkflowNotFoundError) return new DailySyncError('no-run', { cause: error });
  if (!(error instanceof WorkflowUpdateFailedError)) {
    const fault = error instanceof ServiceError ? 'temporal-unavailable' : 'no-worker';
    return new DailySyncError(fault, { cause: error });
  }
  if (hasExecutionEnded(error)) return new DailySyncError('no-run', { cause: error });
  const rejection = error.cause instanceof ApplicationFailure ? error.cause : undefined;
  const fault = faultsByType[rejection?.type ?? ''];
  if (fault === undefined) throw error;
  return new DailySyncError(fault, { cause: error, made: rejection?.details?.[0] as MadeDecision | undefined });
}

const faultsByType: Readonly<Record<string, DailySyncFault>> = {
  [decisionFailures.invalid]: 'decision-invalid',
  [decisionFailures.made]: 'decision-made',
  [decisionFailures.outdated]: 'decision-outdated',
  [decisionFailures['not-awaited']]: 'no-decision-awaited',
  [decisionFailures.unknown]: 'decision-unknown',
};

/** Returns whether the execution of the run ended before it took the update. The run may have continued as new. */
const hasExecutionEnded = (error: unknown): boolean =>
  error instanceof WorkflowNotFoundError ||
  (error instanceof WorkflowUpdateFailedError &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === 'AcceptedUpdateCompletedWorkflow');
