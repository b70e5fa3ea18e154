import type { InjectedSinks } from '@temporalio/worker';
import type { ProgressSinks } from '../../core/contract/daily-sync.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { faultOf, type Log } from '../log.ts';

/** Milliseconds between two writes of a run that goes on. Its phases, questions and end are written immediately. */
const writeEveryMs = 1_000;

interface Due {
  readonly insurerId: string;
  readonly progress: Progress;
  readonly at: number;
}

/**
 * Creates the sink in which a run shows its progress. It is not an event for Temporal, so it costs no action.
 * @param save must fail by itself within a second or two. It is repeated each second, until it has succeeded or something
 *   newer is due: nothing follows the end of a run, or a question to people
 * @returns `stop`: writes what is due, once, and resolves when no write is in flight
 */
export function createProgressSinks(
  save: (insurerId: string, progress: Progress, at: number) => Promise<void>,
  log: Pick<Log, 'warn'>,
): {
  readonly sinks: InjectedSinks<ProgressSinks>;
  stop(): Promise<void>;
} {
  let due: Due | undefined;
  let last: Due | undefined;
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<void> = Promise.resolve();
  let hasFailed = false;
  const attempt = async (written: Due): Promise<void> => {
    try {
      await save(written.insurerId, written.progress, written.at);
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) log.warn('progress not written', { fault: faultOf(error) });
      hasFailed = true;
      if (written !== last) return; // something newer waits for its turn
      due ??= written;
      timer ??= setTimeout(write, writeEveryMs);
    }
  };
  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (due === undefined) return;
    const written = due;
    due = undefined;
    last = written;
    timer = setTimeout(write, writeEveryMs);
    saving = saving.then(() => attempt(written));
  };
  return {
    sinks: {
      progress: {
        show: {
          fn(_run, insurerId, progress, at) {
            due = { insurerId, progress, at };
            if (timer === undefined || isOtherStage(last?.progress, progress)) write();
          },
        },
      },
    },
    async stop() {
      await saving; // if it fails, it is due again
      write();
      await saving;
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
