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
  type GateSnapshot,
  gateChangedSignal,
  type InsurerLineActivities,
  type InsurerLineInput,
  type LineHistory,
  type LineUpdateInput,
  lineHistoryQuery,
  pauseUpdate,
  resumeUpdate,
} from '../../core/contract/insurer-line.ts';
import { nextReasonEndOf } from '../../core/domain/gate.ts';
import { mergeChanges } from '../../core/domain/line-changes.ts';
import { lineCommandProblem } from '../../core/domain/line-command.ts';

export const pause = defineUpdate<Omit<LineHistory, 'changes'>, [LineUpdateInput]>(pauseUpdate);
export const resume = defineUpdate<Omit<LineHistory, 'changes'>, [LineUpdateInput]>(resumeUpdate);
export const gateChanged = defineSignal(gateChangedSignal);
export const lineHistory = defineQuery<LineHistory>(lineHistoryQuery);

const { silenceLine } = proxyActivities<InsurerLineActivities>({
  startToCloseTimeout: '10 min', // never reached: a lease ends long before
  heartbeatTimeout: '3 s', // an operator waits, so a frozen worker must lose the activity soon
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
});
const { openLine, expireReasons, readLineChanges, acknowledgeChanges } = proxyActivities<InsurerLineActivities>({
  startToCloseTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '10 s' },
});

/** Events after which the workflow continues as new: about a year of daily pauses and resumes. */
const historyEventsMax = 1_000;

/**
 * Pauses and resumes the line, and remembers who did so, when and why (ADR 0018). Ends timed pauses by its timer
 * (ADR 0053). Runs for ever.
 */
export async function insurerLine({ insurerId, carried }: InsurerLineInput): Promise<never> {
  let line: LineHistory = carried ?? { state: 'open', changeNumber: 0, changes: [] };
  let isReadDue = false;
  /** number of the last change that is known here and can leave the outbox */
  let knownUpTo = line.changes[0]?.number ?? 0;
  let acknowledgedUpTo = 0;

  /** Adds what a snapshot says. Snapshots can overtake each other, so the highest changeNumber decides the state. */
  const learn = ({ outbox, ...seen }: GateSnapshot): Omit<LineHistory, 'changes'> => {
    const changes = mergeChanges(line.changes, outbox);
    line = seen.changeNumber < line.changeNumber ? { ...line, changes } : { ...seen, changes };
    knownUpTo = Math.max(knownUpTo, ...outbox.map(({ number }) => number));
    return seen;
  };
  setHandler(pause, async (request) => learn(await silenceLine({ insurerId, ...request }).catch(rethrowCause)), {
    validator: validate,
  });
  setHandler(resume, async (request) => learn(await openLine({ insurerId, ...request }).catch(rethrowCause)), {
    validator: validate,
  });
  setHandler(gateChanged, () => {
    isReadDue = true;
  });
  setHandler(lineHistory, () => line);

  const shouldContinueAsNew = (): boolean => {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return (continueAsNewSuggested || historyLength > historyEventsMax) && allHandlersFinished();
  };
  for (;;) {
    const end = nextReasonEndOf(line);
    const isSomethingDue = (): boolean =>
      isReadDue || knownUpTo > acknowledgedUpTo || shouldContinueAsNew() || nextReasonEndOf(line) !== end;
    if (!(await isTrueBefore(end, isSomethingDue))) {
      const at = new Date(Date.now()).toISOString(); // Temporal's time, in which the timer has run
      const gate = await expireReasons({ insurerId, at }).catch(unlessUnknown);
      if (gate !== undefined) learn(gate);
      else line = { state: 'open', changeNumber: line.changeNumber, changes: line.changes }; // the gate is lost, with its pauses
    } else if (isReadDue) {
      isReadDue = false;
      const gate = await readLineChanges({ insurerId }).catch(unlessUnknown);
      if (gate !== undefined) learn(gate);
    } else if (shouldContinueAsNew()) {
      // The acknowledgement can wait for the next run. While changes keep coming, there may be no better moment.
      await continueAsNew<typeof insurerLine>({ insurerId, carried: line });
    } else if (knownUpTo > acknowledgedUpTo) {
      const upTo = knownUpTo;
      await acknowledgeChanges({ insurerId, upTo }).catch(unlessUnknown);
      acknowledgedUpTo = upTo;
    }
  }
}

/** Waits for a condition. @param end at which the wait ends; undefined: never @returns false if the end came first */
async function isTrueBefore(end: string | undefined, isTrue: () => boolean): Promise<boolean> {
  // A timer of 0 ms would be skipped. Without an end there is no timer, so that histories of 0.2.0 can be replayed.
  if (end !== undefined) return await condition(isTrue, Math.max(1, Date.parse(end) - Date.now()));
  await condition(isTrue);
  return true;
}

function validate(request: LineUpdateInput): void {
  const problem = lineCommandProblem(request);
  if (problem !== undefined) throw ApplicationFailure.nonRetryable(problem, 'CommandInvalid');
}

/** Rethrows the cause of an activity's failure, so that the caller gets the reason. */
function rethrowCause(error: unknown): never {
  throw error instanceof ActivityFailure && error.cause !== undefined ? error.cause : error;
}

/** Ignores `UnknownInsurer`: a line that no worker has used has no changes. */
function unlessUnknown(error: unknown): undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure && cause.type === 'UnknownInsurer')) throw error;
}
