import { defaultActivityInfo } from '@temporalio/testing';
import type { HeartbeatDetails } from './heartbeats.ts';

/** Returns the facts about a mocked attempt, after one that has left something. */
export function leftBefore(left: object | undefined): { readonly heartbeatDetails?: HeartbeatDetails } {
  if (left === undefined) return {};
  return { heartbeatDetails: { ...left, execution: defaultActivityInfo.workflowExecution?.runId ?? '' } };
}
