import type { LineFault } from '../../core/domain/line.ts';

/** What is known of a failed request besides its fault. Fixed words, numbers and JSON paths: no personal data, no text of the insurer. */
export interface LineContext {
  readonly operation: 'patients' | 'care-records';
  readonly status?: number;
  /** what exactly was wrong: `content-encoding`, `careRecords[3].start: not a date`, `ECONNRESET` */
  readonly problem?: string;
}

/** One request on the line failed, and the line or the insurer is to blame. Counts as a try. */
export class LineError extends Error {
  override readonly name = 'LineError';
  readonly fault: LineFault;
  readonly context: LineContext;
  constructor(fault: LineFault, context: LineContext, options?: ErrorOptions) {
    super(`line ${fault}`, options); // alarms group on it, and no patient data can slip in
    this.fault = fault;
    this.context = context;
  }
}

/**
 * We did not let a request happen, or not to its end: the lease was over, the line paused, or held by Retry-After. Not a
 * try: it is repeated once the line is ours again.
 */
export class LineWithheld extends Error {
  override readonly name = 'LineWithheld';
  /** whether the request had left the house when it was cut */
  readonly sent: boolean;
  constructor(sent: boolean) {
    super(sent ? 'request cut: the right to send has ended' : 'request not sent: no right to send');
    this.sent = sent;
  }
}
