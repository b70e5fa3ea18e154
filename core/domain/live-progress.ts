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
  /** how often in a row this was the answer, after the first time, while the lease of the line said the same */
  readonly repeats?: number;
  /** whether the lease of the line said then that a worker is there; false if that was not known */
  readonly wasWorkerThere?: boolean;
  /** when somebody has begun to ask last; later than askedAtMs while the answer is on its way */
  readonly claimedAtMs?: number;
  /** when somebody has started, cancelled or decided something last: what is older does not show it */
  readonly commandAtMs?: number;
}

/** The outcome of one question to Temporal, as it is stored for all viewers. */
export type AnsweredProgress = AskedProgress & Required<Pick<AskedProgress, 'answer' | 'askedAtMs'>>;

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
/** After as many equal answers the lease and the run go on to contradict each other, such as a run that cannot answer. */
const repeatsMax = 6;
/** The same, if Temporal knows no run, and none has stored its end: it was terminated, and nothing more comes of it. */
const askEndedMs = 3_600_000;
/** Time limit of a question to Temporal, in milliseconds: a person waits. */
export const askMs = 2_000;
/** Somebody who asks for longer than this has died, or their answer is lost: a question, and two writes of a second each. */
const claimMs = askMs + 2_000;

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

/** Returns whether the lease says the same as at the last answer, and no worker has written since. */
const isUnchanged = ({ live, asked = {} }: KnownProgress, isWorkerThere: boolean | undefined): boolean =>
  asked.wasWorkerThere === (isWorkerThere === true) && (live?.savedAtMs ?? 0) < (asked.askedAtMs ?? 0);

/**
 * Returns what is stored of an answer.
 * @param known what was known when Temporal was asked
 * @param answer the progress, if a run is in progress and a worker has answered
 */
export function answeredProgress(
  known: KnownProgress,
  answer: Progress | 'not-running' | 'no-answer',
  isWorkerThere: boolean | undefined,
  askedAtMs: number,
): AnsweredProgress {
  const answered =
    typeof answer === 'object'
      ? ({ answer: 'running', progress: answer, progressAtMs: askedAtMs } as const)
      : { answer };
  const isRepeated = known.asked?.answer === answered.answer && isUnchanged(known, isWorkerThere);
  return {
    ...answered,
    askedAtMs,
    repeats: isRepeated ? (known.asked?.repeats ?? 0) + 1 : 0,
    wasWorkerThere: isWorkerThere === true,
  };
}

/**
 * Chooses what to show if there is no fresh progress, and says what comes before.
 * @param stored the newest run in the table
 * @param isWorkerThere as above
 * @returns `progress` with `stale`; undefined before the first run. `next` is `ask` if Temporal must be asked before, and
 *   `wait` if somebody else asks about a command of which nothing is seen yet
 */
export function chooseProgress(
  known: KnownProgress,
  stored: Progress | undefined,
  isWorkerThere: boolean | undefined,
  nowMs: number,
): { readonly progress: Progress | undefined; readonly next: 'show' | 'ask' | 'wait' } {
  const { live, asked = {} } = known;
  const { askedAtMs = 0, claimedAtMs = 0, commandAtMs = 0 } = asked;
  const savedAtMs = live?.savedAtMs ?? 0;
  const last = live?.progress.state === 'running' && savedAtMs >= askedAtMs ? 'running' : asked.answer;
  const seen = savedAtMs >= (asked.progressAtMs ?? 0) ? live?.progress : asked.progress;
  const isSeenNewer = seen !== undefined && isNewer(seen, stored);
  const isCommandUnseen = savedAtMs < commandAtMs && (askedAtMs < commandAtMs || asked.answer === 'no-answer');
  const shown = isSeenNewer ? seen : stored;
  if (shown?.state !== 'running' && !isCommandUnseen) return { progress: shown, next: 'show' };
  const isContradicted =
    isWorkerThere !== undefined && last !== 'not-running' && isWorkerThere !== (last === 'running');
  const isQuick = isContradicted && !(isUnchanged(known, isWorkerThere) && (asked.repeats ?? 0) >= repeatsMax);
  const intervalMs = last === 'not-running' ? askEndedMs : isQuick ? askAgainMs : askEveryMs;
  const isAskDue = nowMs - askedAtMs >= intervalMs || askedAtMs < commandAtMs;
  const isBeingAsked = nowMs - claimedAtMs < claimMs && claimedAtMs > askedAtMs && claimedAtMs >= commandAtMs;
  return {
    progress: shown && { ...shown, stale: isCommandUnseen || last !== 'running' },
    next: !isAskDue ? 'show' : !isBeingAsked ? 'ask' : isCommandUnseen && askedAtMs < commandAtMs ? 'wait' : 'show',
  };
}

/** Returns whether progress that was seen is of a later run than the stored one, or of the same run before its end is stored. */
const isNewer = (seen: Progress, stored: Progress | undefined): boolean =>
  stored === undefined || seen.runId > stored.runId || (seen.runId === stored.runId && stored.state === 'running');
