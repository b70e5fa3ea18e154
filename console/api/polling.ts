/** What polling needs to know of a query. */
interface PolledQuery {
  readonly state: {
    readonly status: 'pending' | 'error' | 'success';
    /** epoch ms of the last answer; 0 before the first */
    readonly dataUpdatedAt: number;
    readonly errorUpdatedAt: number;
    readonly errorUpdateCount: number;
  };
}

const maxPollMs = 30_000;

/**
 * How long to wait until the next question, ms: the pace while answers come; without one, a third of the time that has
 * passed since the last, so that an API in trouble is asked less and less.
 */
export function nextPollMs({ state }: PolledQuery, paceMs: number): number {
  if (state.status !== 'error') return paceMs;
  const silentMs =
    state.dataUpdatedAt === 0 ? state.errorUpdateCount * paceMs : state.errorUpdatedAt - state.dataUpdatedAt;
  return Math.min(maxPollMs, Math.max(paceMs, silentMs / 3));
}
