import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { rejectEarlyResults } from './no-early-results.ts';
import { refuseForeign } from './refuse-foreign.ts';
import { relayTraces } from './trace-relay.ts';

/** The interceptors of all workflows. The SDK looks for an export of this name. */
export const interceptors: WorkflowInterceptorsFactory = () => {
  const [tracing, refusing, checking] = [relayTraces(), refuseForeign(), rejectEarlyResults()];
  return {
    inbound: [...(refusing.inbound ?? []), ...(tracing.inbound ?? [])],
    outbound: tracing.outbound ?? [],
    internals: [...(checking.internals ?? []), ...(refusing.internals ?? [])],
  };
};
