import { pauseDaysMax } from '../../core/domain/line-command.ts';

const minuteMs = 60_000;
const laterMs = { minutes30: 30 * minuteMs, hour: 60 * minuteMs, hours2: 120 * minuteMs } as const;

/** What the operator has chosen as the end of a pause. `at` of `own`: local time, as `datetime-local` writes it. */
export type PauseEnd =
  | { readonly kind: 'none' | 'tomorrow' | keyof typeof laterMs }
  | { readonly kind: 'own'; readonly at: string };

/** Returns the earliest and the latest end that an operator can enter, as `datetime-local` has them. */
export function pauseEndLimits(now: Date): { readonly min: string; readonly max: string } {
  const localInput = (ms: number): string =>
    new Date(ms - new Date(ms).getTimezoneOffset() * minuteMs).toISOString().slice(0, 'yyyy-mm-ddThh:mm'.length);
  return {
    min: localInput(now.getTime() + minuteMs),
    max: localInput(now.getTime() + pauseDaysMax * 24 * 60 * minuteMs),
  };
}

export const pauseEndKinds = ['none', 'minutes30', 'hour', 'hours2', 'tomorrow', 'own'] as const;

/** Returns the end of a timed pause in ISO 8601; undefined if it has none. Local times are those of the browser. */
export function pauseUntil(end: PauseEnd, now: Date): string | undefined {
  switch (end.kind) {
    case 'none':
      return undefined;
    case 'tomorrow':
      return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 6).toISOString();
    case 'own':
      return new Date(end.at).toISOString();
    default:
      return new Date(now.getTime() + laterMs[end.kind]).toISOString();
  }
}
