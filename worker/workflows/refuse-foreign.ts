import { defaultFailureConverter, defaultPayloadConverter, type Payload, type ProtoFailure } from '@temporalio/common';
import {
  ApplicationFailure,
  patched,
  proxySinks,
  type Sinks,
  type WorkflowInterceptorsFactory,
} from '@temporalio/workflow';
import { type CancelRequest, cancelRequestedSignal, triggerSignal } from '../../core/contract/daily-sync.ts';
import { type EncodedAttributes, isForeign, isUnbound } from '../../core/contract/foreign-payload.ts';
import { gateChangedSignal } from '../../core/contract/insurer-line.ts';

/** What was refused. Names of signals and updates are left out, because the sender chooses them. */
export type Refused = 'start' | 'signal' | 'update' | 'activity result';
export interface RefusalSinks extends Sinks {
  readonly refusals: { tell(what: Refused): void };
}
export const { refusals } = proxySinks<RefusalSinks>();

/** The type of the failures with which starts and activities are refused. */
export const payloadRefused = 'PayloadRefused';

/**
 * Every start, signal and update has exactly one argument, which shows that the sender has our key; but `gateChanged` says
 * nothing.
 * @param takesUnbound whether payloads of 0.2.0 are valid here
 */
const isOurs = (payloads: readonly Payload[] | null | undefined, takesUnbound: boolean, count = 1): boolean =>
  (payloads ?? []).length === count &&
  !payloads?.some((payload) => isForeign(payload) || (isUnbound(payload) && !takesUnbound));
const argumentsOf = (signalName: string | null | undefined): number => (signalName === gateChangedSignal ? 0 : 1);

/**
 * Returns whether one of our activities has failed with this, or Temporal itself. Workflows decide by the types of failures,
 * and Temporal takes a failure with any type from anybody.
 */
function isOurFailure(failure: ProtoFailure, takesUnbound: boolean): boolean {
  if (!isReadable(failure)) return false;
  const { applicationFailureInfo: info, encodedAttributes } = failure.cause ?? {};
  if (!info) return true; // a timeout, or a cancellation
  if (!encodedAttributes || isForeign(encodedAttributes)) return false;
  const attributes = defaultPayloadConverter.fromPayload<Partial<EncodedAttributes> | undefined>(encodedAttributes);
  if (typeof attributes?.stack_trace !== 'string') return false; // the copy of another payload
  return isUnbound(encodedAttributes) ? takesUnbound : attributes.type === (info.type ?? '');
}

const namesNoRun = (request: unknown): boolean => (request as Partial<CancelRequest> | undefined)?.runId === undefined;

/** Returns whether the SDK can make an error of a failure. If it cannot, the workflow task fails. */
function isReadable(failure: ProtoFailure): boolean {
  try {
    defaultFailureConverter.failureToError(failure, defaultPayloadConverter);
    return true;
  } catch {
    return false;
  }
}

/**
 * Refuses what epa-sync has not sent (ADR 0059): a start fails immediately, a signal is dropped, an update is rejected before
 * it enters the history, and an activity fails. It decides by the history alone, and so it decides the same in a replay.
 * Payloads of 0.2.0 are taken only by an execution that was started with one: anybody can keep a copy.
 */
export const refuseForeign: WorkflowInterceptorsFactory = () => {
  let isStartRefused = false;
  let takesUnbound = false;
  return {
    inbound: [
      {
        // without `async`: another turn of the event loop could change the order of commands in a replay
        execute: (input, next) => (isStartRefused ? Promise.reject(refusal()) : next(input)),
        handleSignal(input, next) {
          const { signalName, args } = input;
          // 0.2.0 has sent both without naming the run; a copy would cancel any later one
          const isOldCancel = signalName === cancelRequestedSignal && namesNoRun(args[0]) && !takesUnbound;
          const isOldTrigger = signalName === triggerSignal && args.length === 0;
          if (!isOldCancel && !(isOldTrigger && patched('trigger-has-an-argument-2026-11'))) return next(input);
          refusals.tell('signal');
          return Promise.resolve();
        },
      },
    ],
    internals: [
      {
        activate(input, next) {
          const { activation } = input;
          const jobs = (activation.jobs ?? []).filter(
            ({ initializeWorkflow, signalWorkflow, doUpdate, resolveActivity }) => {
              takesUnbound ||= initializeWorkflow?.arguments?.some(isUnbound) ?? false;
              if (initializeWorkflow && !isOurs(initializeWorkflow.arguments, takesUnbound)) {
                isStartRefused = true;
                initializeWorkflow.arguments = [];
                refusals.tell('start');
              }
              if (signalWorkflow) {
                const { signalName, input: payloads } = signalWorkflow;
                const isOldTrigger = signalName === triggerSignal && isOurs(payloads, takesUnbound, 0); // see handleSignal
                if (isOldTrigger || isOurs(payloads, takesUnbound, argumentsOf(signalName))) return true;
                refusals.tell('signal');
                return false;
              }
              if (doUpdate && !isOurs(doUpdate.input, takesUnbound)) {
                doUpdate.input = [unreadable];
                refusals.tell('update');
              }
              const { completed, failed, cancelled } = resolveActivity?.result ?? {};
              const { failure } = failed ?? cancelled ?? {};
              const isForeignResult = completed && !isOurs(completed.result ? [completed.result] : [], takesUnbound);
              if (resolveActivity && (isForeignResult || (failure && !isOurFailure(failure, takesUnbound)))) {
                resolveActivity.result = { failed: { failure: activityFailure } };
                refusals.tell('activity result');
              }
              return true;
            },
          );
          next({ ...input, activation: { ...activation, jobs } });
        },
      },
    ],
  };
};

const message = 'a payload was not written by epa-sync';
const refusal = (): ApplicationFailure => ApplicationFailure.nonRetryable(message, payloadRefused);

/** No converter can read it. The SDK rejects an update with such an argument, before it is accepted. */
const unreadable: Payload = { metadata: { encoding: new Uint8Array() } };

/** An activity's failure as Temporal would report it. */
const activityFailure = {
  message,
  activityFailureInfo: { activityType: { name: 'refused' } },
  cause: { message, applicationFailureInfo: { type: payloadRefused, nonRetryable: true } },
};
