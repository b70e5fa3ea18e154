import type { LineFault } from '../../core/domain/line.ts';

/** Facts about a failed request: fixed words, numbers and JSON paths. No personal data, and no text from the insurer. */
export interface LineContext {
  readonly operation: 'patients' | 'care-records';
  readonly status?: number;
  /** details, such as `content-encoding`, `careRecords[3].start: not a date`, `ECONNRESET` */
  readonly problem?: string;
}

/** A request failed because of the line or the insurer. */
export class LineError extends Error {
  override readonly name = 'LineError';
  readonly fault: LineFault;
  readonly context: LineContext;
  constructor(fault: LineFault, context: LineContext, options?: ErrorOptions) {
    super(`line ${fault}`, options); // without patient data; alarms group by it
    this.fault = fault;
    this.context = context;
  }
}

/**
 * An answer is complete JSON and names the KVNR asked for, but it cannot be stored. If the same bytes come again, this is the
 * insurer's answer, and not a fault of the line.
 */
export class UnusableAnswer extends LineError {
  /** of the decoded answer, in hex */
  readonly sha256: string;
  constructor(context: LineContext, sha256: string) {
    super('contract', context);
    this.sha256 = sha256;
  }
}

/**
 * We did not send a request, or aborted it: the lease has ended, the line is paused, or a cooldown runs. It does not count
 * against the patient, and is repeated once this process may send again.
 */
export class LineWithheld extends Error {
  override readonly name: string = 'LineWithheld';
  /** whether the request was already sent when it was aborted */
  readonly wasSent: boolean;
  constructor(wasSent: boolean) {
    super(wasSent ? 'request aborted: the send permit has ended' : 'request not sent: no send permit');
    this.wasSent = wasSent;
  }
}

/**
 * We aborted a request because our own storage did not take its bytes in time. Other requests use the line meanwhile. It is
 * not a failure of the insurer.
 */
export class StorageTooSlow extends LineWithheld {
  override readonly name = 'StorageTooSlow';
  constructor() {
    super(true);
    this.message = 'request aborted: the storage did not take its bytes in time';
  }
}
