import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { refuseEarlyResults } from './no-early-results.ts';
import { relayTraces } from './trace-relay.ts';

/** What lies between the workflows and the SDK; by this name the SDK looks for it. */
export const interceptors: WorkflowInterceptorsFactory = () => ({ ...relayTraces(), ...refuseEarlyResults() });
