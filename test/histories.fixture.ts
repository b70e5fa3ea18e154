import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createDataConverter } from '../core/codec.ts';
import { dailySyncId } from '../core/contract/names.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { insurerId } from './day.fixture.ts';
import { testDir } from './stack.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

/** The histories of all executions of a workflow (the day's run), newest first: each one that continue-as-new has begun. */
export async function historiesOf(
  client: Client,
  workflowId = dailySyncId(insurerId),
): Promise<{ readonly runId: string; readonly history: History }[]> {
  const histories = [];
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = "${workflowId}"` }))
    histories.push({ runId, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() });
  return histories;
}

/** Goes the way of a history once more. @throws DeterminismViolationError when today's workflow would go another one */
export async function replay(history: History, payloadKeys: string): Promise<void> {
  const codePath = await ensureWorkflowBundle(join(testDir, 'bundle'));
  const options = { workflowBundle: { codePath }, dataConverter: createDataConverter(payloadKeys) };
  await Worker.runReplayHistory(options, history, dailySyncId(insurerId));
}
