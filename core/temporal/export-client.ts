import type { Client } from '@temporalio/client';
import { type ExportInput, exportChangedSignal, exportWorkflow } from '../contract/export.ts';
import { exportWorkflowId, syncTaskQueue } from '../contract/names.ts';

export interface ExportClient {
  /**
   * Wakes the workflow of an export, after the table has changed. Starts it if it does not run.
   * @throws errors of Temporal's client after five seconds
   */
  wake(exportId: string): Promise<void>;
}

const serverTimeoutMs = 5_000;

export const createExportClient = (client: Client, insurerId: string): ExportClient => ({
  async wake(exportId) {
    const input: ExportInput = { insurerId, exportId };
    await client.connection.withDeadline(Date.now() + serverTimeoutMs, async () => {
      await client.workflow.signalWithStart<(input: ExportInput) => Promise<void>, [ExportInput]>(exportWorkflow, {
        workflowId: exportWorkflowId(exportId),
        taskQueue: syncTaskQueue,
        args: [input],
        signal: exportChangedSignal,
        signalArgs: [input],
      });
    });
  },
});
