import { type Client, WithStartWorkflowOperation, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, type Workflow } from '@temporalio/common';
import { type Clock, systemClock, timeoutSignal } from '../clock.ts';
import {
  gateChangedSignal,
  type InsurerLineInput,
  insurerLineWorkflow,
  type LineFailureType,
  type LineHistory,
  type LineUpdateInput,
  lineHistoryQuery,
  pauseUpdate,
  resumeUpdate,
} from '../contract/insurer-line.ts';
import { insurerLineId, syncTaskQueue } from '../contract/names.ts';
import { type Gate, type LineChange, leaseMarginMs, openReasonsOf } from '../domain/gate.ts';
import { mergeChanges } from '../domain/line-changes.ts';
import { lineCommandProblem, momentOf, pauseEndProblem } from '../domain/line-command.ts';
import { type LineStatus, lineLimitsOf, lineStatusOf } from '../domain/line-status.ts';
import { GateError, type GateStore } from '../stores/gate.ts';

/**
 * Why the line could not be paused or resumed.
 * - `invalid`: the command has no name or no reason; `problem` explains it for people
 * - `unknown-insurer`: no worker has ever used this line
 * - `unavailable`: the gate cannot be reached, and it is not known whether the command was executed
 * - `not-silent`: the line is paused and no new request starts, but it is not proved that no request is in flight
 * - `resumed`: another operator resumed the line while this pause waited for silence
 * - `superseded`: another operator paused the line again; read their reason before you resume it
 */
export type InsurerLineFault = 'invalid' | 'unknown-insurer' | 'unavailable' | 'not-silent' | 'resumed' | 'superseded';

export class InsurerLineError extends Error {
  override readonly name = 'InsurerLineError';
  readonly fault: InsurerLineFault;
  /** of `invalid`: what is wrong with the command */
  readonly problem?: string;
  constructor(fault: InsurerLineFault, { problem, ...options }: ErrorOptions & { readonly problem?: string } = {}) {
    super(`insurer line: ${fault}`, options);
    this.fault = fault;
    if (problem !== undefined) this.problem = problem;
  }
}

/** Pauses, resumes and reads the line of one insurer. */
export interface InsurerLineClient {
  /**
   * Pauses the line, and resolves once it is proved silent. A paused line gets one more reason. If Temporal or all workers
   * do not answer within three seconds, this client writes the pause into the gate itself; `insurerLine` learns of it later
   * (ADR 0018). A pause with `until` ends by itself (ADR 0053). The same operator replaces the end by another pause with the
   * same reason.
   * @throws InsurerLineError
   */
  pause(command: PauseCommand): Promise<LineStatus>;
  /**
   * Resumes the line in the same way, without a wait for silence. Returns `openReasons`: every reason that this resume has
   * ended.
   * @throws InsurerLineError
   */
  resume(command: OperatorCommand): Promise<LineStatus>;
  /**
   * Ends the cooldown that runs, also the rest of a `Retry-After`: the operator has spoken with the insurer. Without one,
   * only the change is recorded. Written into the gate directly, and `insurerLine` learns of it.
   * @throws InsurerLineError `invalid`, `unknown-insurer`, `unavailable`
   */
  liftCooldown(command: OperatorCommand): Promise<LineStatus>;
  /**
   * Sets the most requests a minute, of all workers together. Written like liftCooldown.
   * @param requestsPerMinute 1 to paceMax; undefined: the default of the workers applies again
   * @throws InsurerLineError `invalid`, `unknown-insurer`, `unavailable`
   */
  setPace(command: OperatorCommand & { readonly requestsPerMinute: number | undefined }): Promise<LineStatus>;
  /** Reads the gate. @throws InsurerLineError `unknown-insurer`, `unavailable` */
  read(): Promise<LineStatus>;
  /**
   * Returns the last 50 changes, newest first: those that `insurerLine` remembers and those in the outbox. The workflow is
   * asked once for each change (ADR 0065). If it does not answer within two seconds, returns the outbox, and what this client
   * knows from before; the workflow is asked again ten seconds later.
   * @throws InsurerLineError `unknown-insurer`, `unavailable`
   */
  readChanges(): Promise<readonly LineChange[]>;
}

export interface OperatorCommand {
  readonly operator: string;
  readonly reason: string;
}

export interface PauseCommand extends OperatorCommand {
  /** of a timed pause: its end, in ISO 8601 with an offset, at most pauseDaysMax ahead */
  readonly until?: string | undefined;
}

export interface InsurerLineDeps {
  /** may hang or fail; every call through it has a time limit */
  readonly temporal: () => Promise<Client>;
  readonly gate: GateStore;
  readonly insurerId: string;
  readonly clock?: Clock;
}

/** Time limits in ms of an update, a query and a signal. */
const updateMs = 3_000;
const queryMs = 2_000;
const signalMs = 1_000;
/** Time in ms until a workflow that has not answered is asked again: Temporal bills each question. */
const askAgainMs = 10_000;
/** Time in ms after the lease's end. A live holder has aborted its request by then. */
const silenceMs = 5_000;
/** Attempts to read the gate: one lost call must not leave an operator without an answer. */
const readsMax = 3;

export function createInsurerLineClient({
  temporal,
  gate,
  insurerId,
  clock = systemClock,
}: InsurerLineDeps): InsurerLineClient {
  /** What `insurerLine` has answered last. `asOf`: the gate's changeNumber before; each change of the line has a new one. */
  let known: { readonly asOf?: number; readonly changes: readonly LineChange[]; readonly askAgainAtMs: number } = {
    changes: [],
    askAgainAtMs: 0,
  };

  const readGate = async (): Promise<Gate> => {
    for (let reads = 1; ; reads += 1) {
      try {
        return await gate.find();
      } catch (error) {
        if (reads === readsMax || !(error instanceof GateError) || error.fault !== 'unavailable') rethrow(error);
      }
    }
  };

  /** @returns undefined if there was no answer in time */
  const call = <Answer>(limitMs: number, send: (client: Client) => Promise<Answer>): Promise<Answer | undefined> =>
    within(clock, limitMs, async (signal) => {
      const client = await temporal();
      signal.throwIfAborted();
      return await client.withAbortSignal(signal, () => send(client));
    });

  /** @returns undefined if Temporal or the workers do not answer */
  const update = async (name: string, request: LineUpdateInput, before: Gate): Promise<LineStatus | undefined> => {
    try {
      const changed = await call(updateMs, (client) =>
        client.workflow.executeUpdateWithStart<Workflow, Omit<LineHistory, 'changes'>, [LineUpdateInput]>(name, {
          args: [request],
          startWorkflowOperation: new WithStartWorkflowOperation(insurerLineWorkflow, {
            ...startOptions(insurerId),
            workflowIdConflictPolicy: 'USE_EXISTING',
          }),
        }),
      );
      return changed && lineStatusOf({ ...lineLimitsOf(before), ...changed, busy: false, silent: true });
    } catch (error) {
      const failure = updateFailureIn(error);
      if (failure === undefined) return undefined;
      const fault = faultsByFailureType[failure.type as LineFailureType | 'CommandInvalid'];
      throw new InsurerLineError(fault, { cause: error, ...(fault === 'invalid' && { problem: failure.message }) });
    }
  };

  const signalWorkflow = async (): Promise<void> => {
    await call(signalMs, (client) => signalGateChanged(client, insurerId)).catch(() => {}); // the holder of the line signals it, too
  };

  const awaitSilence = async ({ leaseMs = 0 }: Gate): Promise<LineStatus> => {
    const { signal, cancel } = timeoutSignal(clock, leaseMs + leaseMarginMs(leaseMs) + silenceMs);
    try {
      return lineStatusOf(await gate.awaitSilence(signal));
    } catch (error) {
      if (error === signal.reason) throw new InsurerLineError('not-silent', { cause: error });
      rethrow(error);
    } finally {
      cancel();
    }
  };

  const pauseAsSeen = async ({ operator, reason, until }: PauseCommand): Promise<LineStatus> => {
    const before = await readGate();
    const { changeNumber: seen } = before;
    const end = until !== undefined && { until };
    const paused = await update(pauseUpdate, { operator, reason, seen, ...end }, before);
    if (paused !== undefined) return paused;
    const closed = await gate.pause({ by: operator, reason, seen, ...end }).catch(rethrow);
    const [silent] = await Promise.all([awaitSilence(closed), signalWorkflow()]);
    return silent;
  };

  return {
    async pause({ operator, reason, until }) {
      assertValid({ operator, reason });
      const problem = until === undefined ? undefined : pauseEndProblem(until, clock.epochMs());
      if (problem !== undefined) throw new InsurerLineError('invalid', { problem: `the end of the pause ${problem}` });
      for (;;) {
        try {
          return await pauseAsSeen({ operator, reason, until: until && momentOf(until) });
        } catch (error) {
          // another operator has changed the line since; this one still wants it paused
          if (!(error instanceof InsurerLineError && error.fault === 'superseded')) throw error;
        }
      }
    },

    async resume({ operator, reason }) {
      assertValid({ operator, reason });
      const before = await readGate();
      const { changeNumber: seen } = before;
      const opened = await update(resumeUpdate, { operator, reason, seen }, before);
      // A resume of any other state is rejected, so these are all reasons that it has ended.
      if (opened !== undefined) return { ...opened, ...openReasonsOf(before) };
      const gateOpen = await gate.resume({ by: operator, reason, seen }).catch(rethrow);
      await signalWorkflow();
      return { ...lineStatusOf(gateOpen), ...openReasonsOf(before) };
    },

    async liftCooldown({ operator, reason }) {
      assertValid({ operator, reason });
      const lifted = await gate.liftCooldown({ by: operator, reason }).catch(rethrow);
      await signalWorkflow();
      return lineStatusOf(lifted);
    },

    async setPace({ operator, reason, requestsPerMinute }) {
      assertValid({ operator, reason });
      const paced = await gate.setPace(requestsPerMinute, { by: operator, reason }).catch(rethrow);
      await signalWorkflow();
      return lineStatusOf(paced);
    },

    async read() {
      return lineStatusOf(await readGate());
    },

    async readChanges() {
      const { outbox, changeNumber } = await readGate(); // first: the workflow knows what has left the outbox
      if (known.asOf !== changeNumber && clock.epochMs() >= known.askAgainAtMs) {
        const remembered = await call(queryMs, async (client) => {
          const { changes } = await client.workflow
            .getHandle(insurerLineId(insurerId))
            .query<LineHistory>(lineHistoryQuery);
          return changes;
        }).catch((error: unknown) => (error instanceof WorkflowNotFoundError ? [] : undefined)); // nobody has changed the line yet
        known =
          remembered === undefined
            ? { ...known, askAgainAtMs: clock.epochMs() + askAgainMs }
            : { asOf: changeNumber, changes: mergeChanges(remembered, outbox), askAgainAtMs: 0 };
      }
      return mergeChanges(known.changes, outbox);
    },
  };
}

/** Tells `insurerLine` to read the gate, because its outbox has changes. */
export async function signalGateChanged(client: Client, insurerId: string): Promise<void> {
  await client.workflow.signalWithStart(insurerLineWorkflow, {
    ...startOptions(insurerId),
    signal: gateChangedSignal,
    signalArgs: [],
  });
}

const startOptions = (insurerId: string) => ({
  workflowId: insurerLineId(insurerId),
  taskQueue: syncTaskQueue,
  args: [{ insurerId }] as [InsurerLineInput],
});

function assertValid(command: OperatorCommand): void {
  const problem = lineCommandProblem(command);
  if (problem !== undefined) throw new InsurerLineError('invalid', { problem });
}

const faultsByFailureType: Readonly<Record<LineFailureType | 'CommandInvalid', InsurerLineFault>> = {
  CommandInvalid: 'invalid',
  Superseded: 'superseded',
  UnknownInsurer: 'unknown-insurer',
  Resumed: 'resumed',
};

/** Returns the failure with which `insurerLine` rejected or failed the update; undefined for any other error. */
function updateFailureIn(error: unknown): ApplicationFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof ApplicationFailure && Object.hasOwn(faultsByFailureType, error.type ?? '')) return error;
  return updateFailureIn(error.cause);
}

function rethrow(error: unknown): never {
  if (!(error instanceof GateError)) throw error;
  throw new InsurerLineError(error.fault, { cause: error });
}

/** Runs work with a time limit, even if it ignores its signal. @returns undefined after the limit */
async function within<Answer>(
  clock: Clock,
  limitMs: number,
  work: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer | undefined> {
  const limit = new AbortController();
  const over = Promise.withResolvers<undefined>();
  const cancel = clock.after(limitMs, () => {
    limit.abort();
    over.resolve(undefined);
  });
  try {
    return await Promise.race([work(limit.signal), over.promise]);
  } finally {
    cancel();
  }
}
