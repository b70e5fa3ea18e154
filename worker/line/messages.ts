/**
 * What the two processes of the line say to each other over IPC. Moments are CLOCK_MONOTONIC ms (monotonicMs), so a
 * message that comes late gives nothing away.
 */
export type ToLineProcess =
  /** Replaces the order before. Sent at each change and several times a second besides: each one wants a Report. */
  | Order
  /** the gate has the pause that the line process asked for */
  | { readonly kind: 'written'; readonly request: number };

export interface Order {
  readonly kind: 'order';
  /** grows from order to order */
  readonly number: number;
  /** may send until then; 0 without a lease */
  readonly sendUntilMs: number;
  readonly leaseNumber: number;
  readonly paused: boolean;
  /** nothing may be sent before (Retry-After) */
  readonly cooldownUntilMs: number;
  /** the process is to end: send nothing more, and shut down */
  readonly stop: boolean;
}

export type FromLineProcess =
  | { readonly kind: 'ready' }
  | Report
  | { readonly kind: 'pause-by-system'; readonly request: number; readonly reason: string };

export interface Report {
  readonly kind: 'report';
  /** the order that this is an answer to */
  readonly order: number;
  /** nothing is under way, and nothing can be sent under this order any more (a lease that has ended stays so) */
  readonly closed: boolean;
  /** a request was under way at, or since, the report before */
  readonly busy: boolean;
}

/** Whether a line process that obeys this order may send at some moment. */
export const permitsSending = (order: Order): boolean => order.sendUntilMs > 0 && !order.paused && !order.stop;
