import type { Payload } from '@temporalio/common';
import { AsyncLocalStorage, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { triggerSignal } from '../../core/contract/daily-sync.ts';
import { requestSyncUpdate, syncRequestedSignal } from '../../core/contract/patient-record.ts';

/** Where the interceptors of client and activities put a trace's context: `{traceparent}`, and nothing else. */
const traceHeader = '_tracer-data';
/** By these people ask for what the workflow then does by itself, after it has answered. */
const asks: ReadonlySet<string> = new Set([requestSyncUpdate, syncRequestedSignal, triggerSignal]);

/**
 * Hands the context of a trace on, from who asks to the activities: within an update or a signal that one's own, else of who asked
 * for work last. Makes no span, waits for nothing and decides nothing, so a history replays with traces or without (ADR 0025).
 */
export const relayTraces: WorkflowInterceptorsFactory = () => {
  const handling = new AsyncLocalStorage<{ readonly context: Payload | undefined }>();
  let asked: Payload | undefined;
  const within = <Result>(name: string, context: Payload | undefined, handle: () => Result): Result => {
    if (context !== undefined && asks.has(name)) asked = context;
    return handling.run({ context }, handle);
  };
  const handOn = <Input extends { readonly headers: Record<string, Payload> }>(input: Input): Input => {
    const handled = handling.getStore();
    const context = handled === undefined ? asked : handled.context;
    return context === undefined ? input : { ...input, headers: { ...input.headers, [traceHeader]: context } };
  };
  return {
    inbound: [
      {
        execute(input, next) {
          asked ??= input.headers[traceHeader];
          return next(input);
        },
        handleSignal: (input, next) => within(input.signalName, input.headers[traceHeader], () => next(input)),
        handleUpdate: (input, next) => within(input.name, input.headers[traceHeader], () => next(input)),
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(handOn(input)),
        continueAsNew: (input, next) => next(handOn(input)),
      },
    ],
  };
};
