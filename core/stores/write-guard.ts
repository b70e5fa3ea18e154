/**
 * Stops writes from an attempt that Temporal has already retried. A process that was frozen resumes where it stopped,
 * and its writes would be outdated.
 */
export interface WriteGuard {
  /** Must run before `check` where it is present: asks a table whether the attempt may still write. @throws if it may not */
  readonly confirm?: () => Promise<void>;
  /** Must run before each call that writes. @throws when another attempt may be in progress */
  check(): void;
  /** aborts at the same moment, so that the SDK does not retry a call in flight */
  readonly signal: AbortSignal;
}
