/**
 * Messages from the keeper to the line process, over IPC. Times are CLOCK_MONOTONIC ms (monotonicMs), which both processes
 * read, so a late message extends nothing.
 */
export type ToLineProcess =
  /** Replaces the previous order. Sent at each change and four times a second. The line process answers each with a Report. */
  | Order
  /** says that the gate has the pause that the line process requested */
  | { readonly kind: 'pause-written'; readonly pauseId: number };

export interface Order {
  readonly kind: 'order';
  /** grows from order to order */
  readonly number: number;
  /** end of the time in which the process may send; 0 without a lease */
  readonly sendUntilMs: number;
  readonly leaseNumber: number;
  readonly isPaused: boolean;
  /** end of the cooldown */
  readonly cooldownUntilMs: number;
  /** how often operators have lifted a cooldown; a cooldown that was in the gate before the last time is over */
  readonly liftNumber: number;
  /** the most requests a minute; absent without a limit */
  readonly requestsPerMinute?: number;
  /** whether the process must send nothing more and shut down */
  readonly mustStop: boolean;
}

/** Messages from the line process to the keeper. */
export type FromLineProcess =
  | { readonly kind: 'ready' }
  | Report
  /** asks for a pause; pauseId counts the pauses of this process */
  | { readonly kind: 'pause-by-system'; readonly pauseId: number; readonly reason: string };

export interface Report {
  readonly kind: 'report';
  /** number of the order that this answers */
  readonly orderNumber: number;
  /** whether no socket to the insurer is open or being opened, and none can be under this order any more */
  readonly isClosed: boolean;
  /** whether a request was in flight since the previous report */
  readonly wasBusy: boolean;
}

/** Returns whether an order permits sending at all. */
export const permitsSending = (order: Order): boolean => order.sendUntilMs > 0 && !order.isPaused && !order.mustStop;
