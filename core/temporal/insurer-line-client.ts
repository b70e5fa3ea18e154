import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import { ApplicationFailure, type Workflow } from '@temporalio/common';
import { type Clock, systemClock, timeoutSignal } from '../clock.ts';
import {
  gateChangedSignal,
  type InsurerLineInput,
  insurerLineWorkflow,
  type LineFailureType,
  type LineRequest,
  type LineState,
  type LineWithoutChanges,
  lineStateQuery,
  pauseUpdate,
  resumeUpdate,
} from '../contract/insurer-line.ts';
import { insurerLineId, syncTaskQueue } from '../contract/names.ts';
import { type Gate, type LineChange, leaseMarginMs } from '../domain/gate.ts';
import { mergeChanges } from '../domain/line-changes.ts';
import { lineCommandProblem } from '../domain/line-command.ts';
import { GateError, type GateStore } from '../stores/gate.ts';

/**
 * Why the line could not be paused or resumed.
 * - `refused`: the wish lacks a name or a reason; `problem` says it in words for people
 * - `unknown-insurer`: no worker has ever kept this line
 * - `unavailable`: the gate cannot be reached. Nothing is promised: whether the wish was carried out is not known
 * - `not-silent`: the gate is closed and nothing new begins, but that nothing is under way is not proved yet
 * - `resumed`: somebody opened the line again while its silence was awaited
 * - `superseded`: somebody paused the line anew; whoever wants it open must see why first
 */
export type InsurerLineFault = 'refused' | 'unknown-insurer' | 'unavailable' | 'not-silent' | 'resumed' | 'superseded';

export class InsurerLineError extends Error {
  override readonly name = 'InsurerLineError';
  readonly fault: InsurerLineFault;
  /** of `refused`: what is wrong with the wish */
  readonly problem?: string;
  constructor(fault: InsurerLineFault, { problem, ...options }: ErrorOptions & { readonly problem?: string } = {}) {
    super(`insurer line: ${fault}`, options);
    this.fault = fault;
    if (problem !== undefined) this.problem = problem;
  }
}

/** The line as people are told of it: who, when and why only while it is paused. */
export type LineNow = Pick<Gate, 'state' | 'busy' | 'silentSince' | 'by' | 'since' | 'reason'> & {
  /** of a paused line: whether it is proved that nothing is under way and nothing will be sent */
  readonly silent?: boolean;
};

/** What people do with the line of one insurer. */
export interface InsurerLineClient {
  /**
   * Resolves only once the line is proved silent; one that is paused already stays as it is. Works also while Temporal or
   * every worker does not answer: after three seconds the gate is closed beside them, and `insurerLine` is told later (ADR 0018).
   * @throws InsurerLineError
   */
  pause(wish: OperatorCommand): Promise<LineNow>;
  /** Likewise, but for the silence. @throws InsurerLineError */
  resume(wish: OperatorCommand): Promise<LineNow>;
  /** From the gate itself. @throws InsurerLineError `unknown-insurer`, `unavailable` */
  read(): Promise<LineNow>;
  /**
   * The last 50, newest first: those that `insurerLine` remembers, and those that it was not told of yet. Only the latter when
   * it does not answer within two seconds.
   * @throws InsurerLineError `unknown-insurer`, `unavailable`
   */
  readChanges(): Promise<readonly LineChange[]>;
}

export interface OperatorCommand {
  readonly operator: string;
  readonly reason: string;
}

export interface InsurerLineDeps {
  /** may hang or fail: nothing here waits for it longer than it says */
  readonly temporal: () => Promise<Client>;
  readonly gate: GateStore;
  readonly insurerId: string;
  readonly clock?: Clock;
}

/** So long an update, a query and a reminder may take until they count as unanswered, ms. */
const updateMs = 3_000;
const queryMs = 2_000;
const reminderMs = 1_000;
/** Beyond the lease: a holder that lives has cut what is under way by then, ms. */
const silenceMs = 5_000;
/** One lost call to the gate is no reason to leave an operator without an answer. */
const looksMax = 3;

export function createInsurerLineClient({
  temporal,
  gate,
  insurerId,
  clock = systemClock,
}: InsurerLineDeps): InsurerLineClient {
  const look = async (): Promise<Gate> => {
    for (let looks = 1; ; looks += 1) {
      try {
        return await gate.find();
      } catch (error) {
        if (looks === looksMax || !(error instanceof GateError) || error.fault !== 'unavailable') rethrow(error);
      }
    }
  };

  /** @returns undefined when there was no answer in time */
  const call = <Answer>(limitMs: number, send: (client: Client) => Promise<Answer>): Promise<Answer | undefined> =>
    within(clock, limitMs, async (signal) => {
      const client = await temporal();
      signal.throwIfAborted();
      return await client.withAbortSignal(signal, () => send(client));
    });

  /** @returns undefined when Temporal or its workers are not up to it */
  const ask = async (update: string, request: LineRequest): Promise<LineNow | undefined> => {
    try {
      const changed = await call(updateMs, (client) =>
        client.workflow.executeUpdateWithStart<Workflow, LineWithoutChanges, [LineRequest]>(update, {
          args: [request],
          startWorkflowOperation: new WithStartWorkflowOperation(insurerLineWorkflow, {
            ...startOptions(insurerId),
            workflowIdConflictPolicy: 'USE_EXISTING',
          }),
        }),
      );
      return changed && lineNow({ ...changed, busy: false, silent: true });
    } catch (error) {
      const failure = refusalIn(error);
      if (failure === undefined) return undefined;
      const fault = failureFaults[failure.type as LineFailureType | 'WishRefused'];
      throw new InsurerLineError(fault, { cause: error, ...(fault === 'refused' && { problem: failure.message }) });
    }
  };

  const remind = async (): Promise<void> => {
    await call(reminderMs, (client) => signalGateChanged(client, insurerId)).catch(() => {}); // the line's holder reminds it too
  };

  const awaitSilence = async ({ leaseMs = 0 }: Gate): Promise<LineNow> => {
    const { signal, cancel } = timeoutSignal(clock, leaseMs + leaseMarginMs(leaseMs) + silenceMs);
    try {
      return lineNow(await gate.awaitSilence(signal));
    } catch (error) {
      if (error === signal.reason) throw new InsurerLineError('not-silent', { cause: error });
      rethrow(error);
    } finally {
      cancel();
    }
  };

  const pauseAsSeen = async ({ operator, reason }: OperatorCommand): Promise<LineNow> => {
    const { changeNumber: seen } = await look();
    const paused = await ask(pauseUpdate, { operator, reason, seen });
    if (paused !== undefined) return paused;
    const closed = await gate.pause({ by: operator, reason, seen }).catch(rethrow);
    const [silent] = await Promise.all([awaitSilence(closed), remind()]);
    return silent;
  };

  return {
    async pause(wish) {
      refuseUnlessComplete(wish);
      for (;;) {
        try {
          return await pauseAsSeen(wish);
        } catch (error) {
          // somebody has changed the line since: that it be paused is still wished
          if (!(error instanceof InsurerLineError && error.fault === 'superseded')) throw error;
        }
      }
    },

    async resume({ operator, reason }) {
      refuseUnlessComplete({ operator, reason });
      const { changeNumber: seen } = await look();
      const opened = await ask(resumeUpdate, { operator, reason, seen });
      if (opened !== undefined) return opened;
      const gateOpen = await gate.resume({ by: operator, reason, seen }).catch(rethrow);
      await remind();
      return lineNow(gateOpen);
    },

    async read() {
      return lineNow(await look());
    },

    async readChanges() {
      const remembered = call(queryMs, (client) =>
        client.workflow.getHandle(insurerLineId(insurerId)).query<LineState>(lineStateQuery),
      ).catch(() => undefined);
      const { outbox } = await look();
      return mergeChanges((await remembered)?.changes ?? [], outbox);
    },
  };
}

/** Asks `insurerLine` to look at the gate, which has changes that it was not told of. */
export async function signalGateChanged(client: Client, insurerId: string): Promise<void> {
  await client.workflow.signalWithStart(insurerLineWorkflow, {
    ...startOptions(insurerId),
    signal: gateChangedSignal,
    signalArgs: [],
  });
}

export function lineNow({ state, busy, silent, silentSince, by, since, reason }: LineNow): LineNow {
  if (state === 'open') return { state, busy };
  return {
    state,
    busy,
    ...(silent !== undefined && { silent }),
    ...(silentSince !== undefined && { silentSince }),
    ...(by !== undefined && { by }),
    ...(since !== undefined && { since }),
    ...(reason !== undefined && { reason }),
  };
}

const startOptions = (insurerId: string) => ({
  workflowId: insurerLineId(insurerId),
  taskQueue: syncTaskQueue,
  args: [{ insurerId }] as [InsurerLineInput],
});

function refuseUnlessComplete(wish: OperatorCommand): void {
  const problem = lineCommandProblem(wish);
  if (problem !== undefined) throw new InsurerLineError('refused', { problem });
}

const failureFaults: Readonly<Record<LineFailureType | 'WishRefused', InsurerLineFault>> = {
  WishRefused: 'refused',
  Superseded: 'superseded',
  UnknownInsurer: 'unknown-insurer',
  Resumed: 'resumed',
};

/** What `insurerLine` has refused the update for; undefined when it was no refusal. */
function refusalIn(error: unknown): ApplicationFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof ApplicationFailure && Object.hasOwn(failureFaults, error.type ?? '')) return error;
  return refusalIn(error.cause);
}

function rethrow(error: unknown): never {
  if (!(error instanceof GateError)) throw error;
  throw new InsurerLineError(error.fault, { cause: error });
}

/** Ends in time whatever hangs. @returns undefined when it was too late */
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
