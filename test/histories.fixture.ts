import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { dailySyncId } from '../core/contract/names.ts';
import { createSecretKeyWrapper } from '../core/crypto/secret-key-wrapper.ts';
import { createDataConverter, createPayloadCodec } from '../core/temporal/codec.ts';
import { pathsIn } from '../local/settings.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { testDir } from '../tools/test-dir.ts';
import { insurerId } from './day.fixture.ts';

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

/** Returns the histories of all executions of a workflow, by default the daily sync; newest first. */
export async function historiesOf(
  client: Client,
  workflowId = dailySyncId(insurerId),
): Promise<{ readonly runId: string; readonly history: History }[]> {
  const histories = [];
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = "${workflowId}"` }))
    histories.push({ runId, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() });
  return histories;
}

/** Replays a history. @throws DeterminismViolationError if the current workflow code issues other commands */
export async function replay(history: History, payloadKeys: string): Promise<void> {
  const codePath = await ensureWorkflowBundle(pathsIn(testDir).bundles);
  const dataConverter = createDataConverter(createPayloadCodec(createSecretKeyWrapper(payloadKeys)));
  const options = { workflowBundle: { codePath }, dataConverter };
  await Worker.runReplayHistory(options, history);
}
