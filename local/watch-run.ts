import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { dailySyncId } from '../core/contract/names.ts';
import type { DailySyncClient, ProgressNow } from '../core/temporal/daily-sync-client.ts';

/** So often progress is asked for, ms. */
const lookMs = 500;

/**
 * Follows a run until it ends, over continue-as-new and over restarts of what it runs on.
 * @returns its last progress; undefined when it ended without one
 * @throws the signal's reason, and what `onProgress` does
 */
export async function watchRun(
  { client, dailySync, insurerId }: { client: Client; dailySync: DailySyncClient; insurerId: string },
  runId: string,
  onProgress: (progress: ProgressNow) => void,
  signal: AbortSignal,
): Promise<ProgressNow | undefined> {
  let hasEnded = false;
  void untilClosed(client, dailySyncId(insurerId), signal).then(() => {
    hasEnded = true;
  });
  for (;;) {
    const wasEnded = hasEnded; // read once more after the end: what was stored last is the result
    const progress = await dailySync.readProgress().catch(() => undefined);
    signal.throwIfAborted();
    if (progress?.runId === runId) {
      onProgress(progress);
      if (progress.state !== 'running') return progress;
    }
    if (wasEnded) return progress?.runId === runId ? progress : undefined;
    await sleep(lookMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function untilClosed(client: Client, workflowId: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await client.workflow.getHandle(workflowId).result();
      return;
    } catch (error) {
      if (error instanceof WorkflowFailedError) return;
      await sleep(1_000); // Temporal does not answer just now
    }
  }
}
