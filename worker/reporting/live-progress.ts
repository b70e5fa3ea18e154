import type { InjectedSinks } from '@temporalio/worker';
import type { ProgressSinks } from '../../core/contract/daily-sync.ts';
import type { Progress } from '../../core/domain/progress.ts';

/** Milliseconds between two writes of a run that goes on. Its phases, questions and end are written immediately. */
const writeEveryMs = 1_000;

interface Due {
  readonly insurerId: string;
  readonly progress: Progress;
  readonly at: number;
}

/**
 * Creates the sink in which a run shows its progress. It is not an event for Temporal, so it costs no action.
 * @param save must fail by itself within a second or two. A failure is ignored, because the next write follows
 * @returns `stop`: writes nothing more
 */
export function createProgressSinks(save: (insurerId: string, progress: Progress, at: number) => Promise<void>): {
  readonly sinks: InjectedSinks<ProgressSinks>;
  stop(): void;
} {
  let due: Due | undefined;
  let last: Progress | undefined;
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<void> = Promise.resolve();
  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (due === undefined) return;
    const { insurerId, progress, at } = due;
    due = undefined;
    last = progress;
    timer = setTimeout(write, writeEveryMs);
    saving = saving.then(() => save(insurerId, progress, at)).catch(() => {});
  };
  return {
    sinks: {
      progress: {
        show: {
          fn(_run, insurerId, progress, at) {
            due = { insurerId, progress, at };
            if (timer === undefined || isOtherStage(last, progress)) write();
          },
        },
      },
    },
    stop() {
      due = undefined;
      clearTimeout(timer);
    },
  };
}

const isOtherStage = (before: Progress | undefined, now: Progress): boolean =>
  before?.runId !== now.runId ||
  before.state !== now.state ||
  before.phase !== now.phase ||
  before.awaitingDecision !== now.awaitingDecision ||
  before.decision?.listId !== now.decision?.listId;
