import type { Client } from '@temporalio/client';
import { type AccessLogCheckInput, accessLogCheckWorkflow } from '../contract/access-log-check.ts';
import { accessLogCheckId, syncTaskQueue } from '../contract/names.ts';

export interface AccessLogCheckClient {
  /** Starts a check of all access logs, unless one is in progress. @throws errors of Temporal's client after five seconds */
  start(): Promise<void>;
}

const serverTimeoutMs = 5_000;

export const createAccessLogCheckClient = (client: Client, insurerId: string): AccessLogCheckClient => ({
  async start() {
    await client.connection.withDeadline(Date.now() + serverTimeoutMs, async () => {
      await client.workflow.start<(input: AccessLogCheckInput) => Promise<void>>(accessLogCheckWorkflow, {
        workflowId: accessLogCheckId(insurerId),
        taskQueue: syncTaskQueue,
        args: [{ insurerId }],
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
    });
  },
});
