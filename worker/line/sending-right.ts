/**
 * The right of the line's process to send, as its exchange sees it. Given by the parent for a time, taken back by a pause,
 * by `Retry-After`, and by the end of the lease (docs/explanation/the-line.md, "The lease").
 */
export interface SendingRight {
  /**
   * Whether a request may be written in this very tick: the grant has not ended on this process's monotonic clock, the
   * line is open, no `Retry-After` holds it, and the gap after a request that we cut is over.
   */
  maySend(): boolean;
  /** Resolves when maySend() has become true. Rejects with the signal's reason when that aborts. */
  whenMaySend(signal: AbortSignal): Promise<void>;
  /** The number of the lease this process sends under; grows over all processes. */
  readonly leaseNumber: number;
  /**
   * Says that a request is under way. `cut` destroys its socket and resolves once that is closed; it is called when the
   * lease ends, when a pause's grace is over, at shutdown. The returned function says that the socket is idle and clean,
   * or closed.
   */
  begin(cut: () => Promise<void>): (end: { wasCut: boolean }) => void;
  /**
   * Holds the whole line, over all processes, for so long from now, ms (Retry-After). This process holds at once; resolves
   * once the gate says so.
   */
  startCooldown(forMs: number): Promise<void>;
  /** The line pauses itself (401, 403): nothing more is sent from this tick on; resolves once the gate says so. */
  pauseBySystem(reason: string): Promise<void>;
}
