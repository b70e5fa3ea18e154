/**
 * What ends the writes of an attempt that was taken for dead and has been repeated meanwhile: a process that was frozen
 * goes on where it stood, and must not write what was right then.
 */
export interface WriteGuard {
  /** Before each call that writes. @throws when another attempt may be under way */
  check(): void;
  /** aborts then: a call under way is not sent once more by the SDK */
  readonly signal: AbortSignal;
}
