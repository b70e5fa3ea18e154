import type { Payload } from '@temporalio/common';
import { AsyncLocalStorage, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { triggerSignal } from '../../core/contract/daily-sync.ts';
import { requestSyncUpdate, syncRequestedSignal } from '../../core/contract/patient-record.ts';
import { isTraceContext } from './trace-context.ts';

/** Header in which the interceptors of client and activities store a trace context: `{traceparent}` and nothing else. */
const traceHeader = '_tracer-data';
/** Updates and signals whose work the workflow does after it has answered. */
const requestNames: ReadonlySet<string> = new Set([requestSyncUpdate, syncRequestedSignal, triggerSignal]);

/**
 * Passes trace contexts on to activities. Within an update or a signal, it passes on that message's context; otherwise the
 * context of the last request for work. A header that is no trace context is ignored. It creates no span, awaits nothing and decides nothing, so a history replays with
 * or without traces (ADR 0025).
 */
export const relayTraces: WorkflowInterceptorsFactory = () => {
  const handling = new AsyncLocalStorage<{ readonly context: Payload | undefined }>();
  let requestContext: Payload | undefined;
  const contextOf = (headers: Record<string, Payload>): Payload | undefined => {
    const header = headers[traceHeader];
    return header !== undefined && isTraceContext(header) ? header : undefined;
  };
  const within = <Result>(name: string, context: Payload | undefined, handle: () => Result): Result => {
    if (context !== undefined && requestNames.has(name)) requestContext = context;
    return handling.run({ context }, handle);
  };
  const addContext = <Input extends { readonly headers: Record<string, Payload> }>(input: Input): Input => {
    const handled = handling.getStore();
    const context = handled === undefined ? requestContext : handled.context;
    return context === undefined ? input : { ...input, headers: { ...input.headers, [traceHeader]: context } };
  };
  return {
    inbound: [
      {
        execute(input, next) {
          requestContext ??= contextOf(input.headers);
          return next(input);
        },
        handleSignal: (input, next) => within(input.signalName, contextOf(input.headers), () => next(input)),
        handleUpdate: (input, next) => within(input.name, contextOf(input.headers), () => next(input)),
      },
    ],
    outbound: [
      {
        scheduleActivity: (input, next) => next(addContext(input)),
        continueAsNew: (input, next) => next(addContext(input)),
      },
    ],
  };
};
