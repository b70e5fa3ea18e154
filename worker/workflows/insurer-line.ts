import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type ChangedLine,
  gateChangedSignal,
  type InsurerLineActivities,
  type InsurerLineInput,
  type LineRequest,
  type LineState,
  type LineWithoutChanges,
  lineStateQuery,
  pauseUpdate,
  resumeUpdate,
} from '../../core/contract/insurer-line.ts';
import { mergeChanges } from '../../core/domain/line-changes.ts';
import { lineCommandProblem } from '../../core/domain/line-command.ts';

export const pause = defineUpdate<LineWithoutChanges, [LineRequest]>(pauseUpdate);
export const resume = defineUpdate<LineWithoutChanges, [LineRequest]>(resumeUpdate);
export const gateChanged = defineSignal(gateChangedSignal);
export const lineState = defineQuery<LineState>(lineStateQuery);

const { silenceLine } = proxyActivities<InsurerLineActivities>({
  startToCloseTimeout: '10 min', // a bound on the absurd: a lease is over long before
  heartbeatTimeout: '3 s', // an operator waits: a frozen worker must not keep this for longer
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
});
const { openLine, readLineChanges, acknowledgeChanges } = proxyActivities<InsurerLineActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '10 s' },
});

/** A history of a line that is paused and resumed every day stays short for a year, and then begins anew. */
const historyEventsMax = 1_000;

/**
 * The line's memory, and the way to its gate: who paused and resumed it, when and why (ADR 0018). Runs for ever. Reordering
 * steps takes `patched('what-changed-2026-11')` and a replay of `test/histories/`.
 */
export async function insurerLine({ insurerId, carried }: InsurerLineInput): Promise<never> {
  let line: LineState = carried ?? { state: 'open', changeNumber: 0, changes: [] };
  let isLookDue = false;
  /** all changes up to this one are known here, and need not be told any more */
  let knownUpTo = line.changes[0]?.number ?? 0;
  let acknowledgedUpTo = 0;

  /** Answers can overtake each other: what the line is now, the newest one says. */
  const learn = ({ outbox, ...seen }: ChangedLine): LineWithoutChanges => {
    const changes = mergeChanges(line.changes, outbox);
    line = seen.changeNumber < line.changeNumber ? { ...line, changes } : { ...seen, changes };
    knownUpTo = Math.max(knownUpTo, ...outbox.map(({ number }) => number));
    return seen;
  };
  setHandler(pause, async (request) => learn(await silenceLine({ insurerId, ...request }).catch(rethrowCause)), {
    validator: refuseUnlessComplete,
  });
  setHandler(resume, async (request) => learn(await openLine({ insurerId, ...request }).catch(rethrowCause)), {
    validator: refuseUnlessComplete,
  });
  setHandler(gateChanged, () => {
    isLookDue = true;
  });
  setHandler(lineState, () => line);

  const mayBeginAnew = (): boolean => {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return (continueAsNewSuggested || historyLength > historyEventsMax) && allHandlersFinished();
  };
  for (;;) {
    await condition(() => isLookDue || knownUpTo > acknowledgedUpTo || mayBeginAnew());
    if (isLookDue) {
      isLookDue = false;
      const gate = await readLineChanges({ insurerId }).catch(unlessUnknown);
      if (gate !== undefined) learn(gate);
    } else if (mayBeginAnew()) {
      // What is to be forgotten can wait for the next run: where one change follows another, no better moment may come.
      await continueAsNew<typeof insurerLine>({ insurerId, carried: line });
    } else {
      const upTo = knownUpTo;
      await acknowledgeChanges({ insurerId, upTo }).catch(unlessUnknown);
      acknowledgedUpTo = upTo;
    }
  }
}

function refuseUnlessComplete(request: LineRequest): void {
  const problem = lineCommandProblem(request);
  if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'WishRefused');
}

/** The caller learns why, and not that it was an activity. */
function rethrowCause(error: unknown): never {
  throw error instanceof ActivityFailure && error.cause !== undefined ? error.cause : error;
}

/** A line that nobody keeps has nothing to tell; its memory stays. */
function unlessUnknown(error: unknown): undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure && cause.type === 'UnknownInsurer')) throw error;
}
