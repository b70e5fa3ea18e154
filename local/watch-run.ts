import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { dailySyncId } from '../core/contract/names.ts';
import type { DailySyncClient, ProgressNow } from '../core/temporal/daily-sync-client.ts';

const pollIntervalMs = 500;

/**
 * Follows a run until it ends, across continue-as-new and restarts of Temporal and workers.
 * @returns its last progress; undefined if it ended without one
 * @throws the reason of the signal, and errors of `onProgress`
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
    const wasEnded = hasEnded; // read again after the end, because the result is stored last
    const progress = await dailySync.readProgress().catch(() => undefined);
    signal.throwIfAborted();
    if (progress?.runId === runId) {
      onProgress(progress);
      if (progress.state !== 'running') return progress;
    }
    if (wasEnded) return progress?.runId === runId ? progress : undefined;
    await sleep(pollIntervalMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function untilClosed(client: Client, workflowId: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await client.workflow.getHandle(workflowId).result();
      return;
    } catch (error) {
      if (error instanceof WorkflowFailedError) return;
      await sleep(1_000); // Temporal does not answer at the moment
    }
  }
}
