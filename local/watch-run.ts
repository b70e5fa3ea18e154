import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { dailySyncId } from '../core/contract/names.ts';
import type { DailySyncClient, ProgressNow } from '../core/daily-sync-client.ts';
import { progressBlock, progressLine } from './progress-lines.ts';

/** Shows a run's progress as it goes: redrawn in a terminal, else a line whenever something has changed. */
export interface ProgressView {
  show(progress: ProgressNow): void;
  /** other lines follow: what was drawn gives way to them, and is drawn anew below if it goes on */
  end(): void;
}

export function createProgressView(out: NodeJS.WriteStream): ProgressView {
  return out.isTTY ? terminalView(out) : plainView(out);
}

function terminalView(out: NodeJS.WriteStream): ProgressView {
  let drawn = 0;
  const toTop = (): string => (drawn > 0 ? `\r\x1b[${drawn}A` : '\r'); // \r: a typed key may stand there
  return {
    show(progress) {
      const lines = progressBlock(progress, new Date(), (out.columns || 80) - 1);
      out.write(`${toTop()}${lines.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[J`);
      drawn = lines.length;
    },
    end() {
      out.write(`${toTop()}\x1b[J`);
      drawn = 0;
    },
  };
}

const plainEveryMs = 2_000;

function plainView(out: NodeJS.WriteStream): ProgressView {
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let shown = '';
  return {
    show(progress) {
      const facts = JSON.stringify({ ...progress, line: { ...progress.line, busy: false } });
      if (facts === shown || performance.now() - shownAtMs < plainEveryMs) return;
      shown = facts;
      shownAtMs = performance.now();
      out.write(`${progressLine(progress, new Date())}\n`);
    },
    end() {},
  };
}

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
