/** The part of a query's state that polling needs. */
interface PolledQuery {
  readonly state: {
    readonly status: 'pending' | 'error' | 'success';
    /** Epoch milliseconds of the last answer; 0 before the first. */
    readonly dataUpdatedAt: number;
    readonly errorUpdatedAt: number;
    readonly errorUpdateCount: number;
  };
}

const maxPollMs = 30_000;

/**
 * Returns the delay before the next poll, in milliseconds. While the API answers, this is `intervalMs`. Otherwise it is a
 * third of the time since the last answer, so that an API in trouble gets fewer and fewer requests.
 */
export function nextPollMs({ state }: PolledQuery, intervalMs: number): number {
  if (state.status !== 'error') return intervalMs;
  const silentMs =
    state.dataUpdatedAt === 0 ? state.errorUpdateCount * intervalMs : state.errorUpdatedAt - state.dataUpdatedAt;
  return Math.min(maxPollMs, Math.max(intervalMs, silentMs / 3));
}
