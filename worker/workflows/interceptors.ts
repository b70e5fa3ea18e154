import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { rejectEarlyResults } from './no-early-results.ts';
import { relayTraces } from './trace-relay.ts';

/** The interceptors of all workflows. The SDK looks for an export of this name. */
export const interceptors: WorkflowInterceptorsFactory = () => ({ ...relayTraces(), ...rejectEarlyResults() });
