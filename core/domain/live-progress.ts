import type { Progress } from './progress.ts';

/** The progress of a run as the worker that carries it out has written it last: no answer of Temporal is needed for it. */
export interface LiveProgress {
  readonly progress: Progress;
  /** epoch milliseconds, on the worker's clock */
  readonly savedAtMs: number;
}

/**
 * What Temporal has answered last, for all viewers together.
 * - `running`: a run is in progress
 * - `not-running`: there is no run in progress
 * - `no-answer`: no worker, or no Temporal, has answered in time
 */
export interface AskedProgress {
  readonly answer?: 'running' | 'not-running' | 'no-answer';
  /** of the last answer `running`, which was asked for at progressAtMs */
  readonly progress?: Progress;
  readonly progressAtMs?: number;
  /** epoch milliseconds, on the clock of the API: when this answer was asked for */
  readonly askedAtMs?: number;
  /** when somebody has begun to ask last; later than askedAtMs while the answer is on its way */
  readonly claimedAtMs?: number;
  /** when somebody has started, cancelled or decided something last: what is older does not show it */
  readonly commandAtMs?: number;
}

/** What is known of the newest run without a question to Temporal. */
export interface KnownProgress {
  readonly live?: LiveProgress | undefined;
  readonly asked?: AskedProgress | undefined;
}

/** A working run writes its progress each second. What is older may come from a worker that has died. */
const freshMs = 15_000;
/**
 * Milliseconds between two questions to Temporal, which bills each: 29 000 a month if a run waits all the time and somebody
 * always looks (docs/operations/capacity.md).
 */
const askEveryMs = 90_000;
/** The same, if the lease of the line says something else about the workers than the last answer. */
const askAgainMs = 10_000;
/** Somebody who asks for longer than this has died, or their answer is lost. */
const claimMs = 5_000;

/**
 * Returns the progress that the worker has written, if it is new enough to be shown as it is.
 * @param isWorkerThere what the lease of the line says; undefined if that is not known yet
 */
export function freshProgress(
  { live, asked }: KnownProgress,
  isWorkerThere: boolean | undefined,
  nowMs: number,
): Progress | undefined {
  if (live?.progress.state !== 'running' || isWorkerThere === false) return undefined;
  const isFresh = nowMs - live.savedAtMs < freshMs && live.savedAtMs >= (asked?.commandAtMs ?? 0);
  return isFresh ? live.progress : undefined;
}

/**
 * Chooses what to show if there is no fresh progress, and says whether Temporal must be asked before.
 * @param stored the newest run in the table
 * @param isWorkerThere as above
 * @returns `progress` with `stale`; undefined before the first run
 */
export function chooseProgress(
  { live, asked = {} }: KnownProgress,
  stored: Progress | undefined,
  isWorkerThere: boolean | undefined,
  nowMs: number,
): { readonly progress: Progress | undefined; readonly isAskDue: boolean } {
  const { askedAtMs = 0, claimedAtMs = 0, commandAtMs = 0 } = asked;
  const savedAtMs = live?.savedAtMs ?? 0;
  const last = live !== undefined && savedAtMs >= askedAtMs ? 'running' : asked.answer;
  const seen = savedAtMs >= (asked.progressAtMs ?? 0) ? live?.progress : asked.progress;
  const isSeenNewer = seen !== undefined && isNewer(seen, stored);
  const isCommandUnseen = savedAtMs < commandAtMs && (askedAtMs < commandAtMs || asked.answer === 'no-answer');
  if (!isSeenNewer && stored?.state !== 'running' && !isCommandUnseen) return { progress: stored, isAskDue: false };
  const shown = isSeenNewer ? seen : stored;
  const isContradicted =
    isWorkerThere !== undefined && last !== 'not-running' && isWorkerThere !== (last === 'running');
  const isAnswerOld = nowMs - askedAtMs >= (isContradicted ? askAgainMs : askEveryMs);
  const isBeingAsked = nowMs - claimedAtMs < claimMs && claimedAtMs > askedAtMs && claimedAtMs >= commandAtMs;
  return {
    progress: shown && { ...shown, stale: last !== 'running' },
    isAskDue: (isAnswerOld || askedAtMs < commandAtMs) && !isBeingAsked,
  };
}

/** Returns whether progress that was seen is of a later run than the stored one, or of the same run before its end is stored. */
const isNewer = (seen: Progress, stored: Progress | undefined): boolean =>
  stored === undefined || seen.runId > stored.runId || (seen.runId === stored.runId && stored.state === 'running');
