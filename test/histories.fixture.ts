import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto'; // CommonJS without named exports, as Node.js sees it
import { type InjectedSinks, Worker } from '@temporalio/worker';
import type { ProgressSinks } from '../core/contract/daily-sync.ts';
import { dailySyncId } from '../core/contract/names.ts';
import { createSecretKeyWrapper } from '../core/crypto/secret-key-wrapper.ts';
import { createDataConverter, createPayloadCodec, markingForeign, passingPlaintext } from '../core/temporal/codec.ts';
import { pathsIn } from '../local/settings.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { testDir } from '../tools/test-dir.ts';
import type { RefusalSinks } from '../worker/workflows/refuse-foreign.ts';
import { insurerId } from './day.fixture.ts';

const { History: StoredHistory } = proto.temporal.api.history.v1;

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

interface Payload {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
}

/** Yields all payloads of a message at any depth. */
export function* payloadsOf(value: unknown): Generator<Payload> {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return;
  if ('metadata' in value && 'data' in value) yield value as Payload;
  for (const part of Object.values(value)) yield* payloadsOf(part);
}

/** Returns a history as Temporal stores it, and the texts of its payloads, decrypted. */
export async function textsOf(history: History, payloadKeys: string): Promise<string[]> {
  const codec = passingPlaintext(createPayloadCodec(createSecretKeyWrapper(payloadKeys)));
  const texts = [Buffer.from(StoredHistory.encode(history).finish()).toString('utf8')];
  for (const payload of payloadsOf(history)) {
    const [decoded] = await codec.decode([payload as never]);
    texts.push(Buffer.from(decoded?.data ?? []).toString('utf8'));
  }
  return texts;
}

const ignore = { fn: () => {} };
/** The sinks of a worker. Without them, a replay logs an error with a stack for each step of a run. */
const unheard: InjectedSinks<ProgressSinks & RefusalSinks> = { progress: { show: ignore }, refusals: { tell: ignore } };

/** Replays a history. @throws DeterminismViolationError if the current workflow code issues other commands */
export async function replay(history: History, payloadKeys: string): Promise<void> {
  const codePath = await ensureWorkflowBundle(pathsIn(testDir).bundles);
  const dataConverter = createDataConverter(markingForeign(createPayloadCodec(createSecretKeyWrapper(payloadKeys))));
  const options = { workflowBundle: { codePath }, dataConverter, sinks: unheard };
  const { workflowExecutionStartedEventAttributes: begun } = history.events?.[0] ?? {};
  await Worker.runReplayHistory(options, history, begun?.workflowId ?? undefined); // payloads are bound to it
}
