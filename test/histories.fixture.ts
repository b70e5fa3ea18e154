import type { Client } from '@temporalio/client';
import { dailySyncId } from '../core/contract/names.ts';
import { insurerId } from './day.fixture.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

/** The histories of all executions of the run, each one that continue-as-new has begun. */
export async function historiesOf(client: Client): Promise<{ readonly runId: string; readonly history: History }[]> {
  const histories = [];
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = "${dailySyncId(insurerId)}"` }))
    histories.push({ runId, history: await client.workflow.getHandle(dailySyncId(insurerId), runId).fetchHistory() });
  return histories;
}
