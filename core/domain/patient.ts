import type { Kvnr } from './kvnr.ts';

/**
 * `pending`: the care records are still to be fetched; `current`: they are stored; `failed`: the insurer's answer was
 * final (404, too large); `reported-not-insured`: the insurer has answered 410, and the patient is to be removed or waits
 * for an operator.
 */
export type CareState = 'pending' | 'current' | 'failed' | 'reported-not-insured';

export interface LastSync {
  readonly syncId: string;
  /** `unknown`, `not-insured`: the insurer has answered 404 or 410, and nothing is stored but the access log */
  readonly state: 'requested' | 'running' | 'completed' | 'failed' | 'not-insured' | 'unknown';
  readonly requestedBy: string;
  /** ISO 8601 UTC */
  readonly requestedAt: string;
  readonly finishedAt?: string;
  /** why it failed, in fixed words */
  readonly error?: string;
  /** what in the stored answer breaks the contract, in fixed words and JSON paths; absent if nothing does */
  readonly flags?: string;
}

/** The result of a sync after which the patient is still stored. */
export type SyncEnd = Pick<LastSync, 'error' | 'flags'> & { readonly state: 'completed' | 'failed' };

/** Returns whether a sync was requested and has not ended. A further request joins it. */
export const isInProgress = ({ state }: LastSync): boolean => state === 'requested' || state === 'running';

/** What an attempt has read of a patient. A write that depends on it is refused if it has changed since. */
export interface SeenPatient {
  readonly revision: number;
  readonly careVersion?: string;
}

/**
 * `listed`: a list has named the person; `provisional`: only care records are stored, which a person has asked for;
 * `inquiry`: the insurer is being asked about somebody who is not stored. An inquiry is no patient.
 */
export type Standing = 'listed' | 'provisional' | 'inquiry';

/** The last complete answer of the insurer that cannot be stored. */
export interface UnusableAnswer {
  /** UTC date, YYYY-MM-DD */
  readonly on: string;
  /** in fixed words and JSON paths: `careRecords[2].id: missing` */
  readonly problem: string;
  /** of the decoded answer, in hex: if it comes again on that day, the line has not damaged it */
  readonly sha256: string;
  /** it came twice on that day, so nobody asks again on that day */
  readonly isRepeated: boolean;
}

/** A stored patient, or an inquiry. */
export interface StoredPatient {
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  readonly standing: Standing;
  /** the insurer's entry as JSON text: every field that it sent, numbers as written; absent unless listed */
  readonly body?: string;
  /** of the list entry; empty unless listed */
  readonly contentHash: string;
  readonly careState: CareState;
  readonly careVersion?: string;
  /** when the insurer's answer with these care records was received, ISO 8601 UTC; absent if there are none, or 0.2.0 has stored them */
  readonly careRecordsAsOf?: string;
  /** the ETag of that answer; absent if it had none */
  readonly careEtag?: string;
  /** grows with each write about the list entry */
  readonly revision: number;
  /** the revision with which the patient or the inquiry was stored as new: it differs after a removal and a new import */
  readonly incarnation: number;
  readonly lastSync?: LastSync;
  /** the insurer's last answer about care records that could not be stored */
  readonly unusableAnswer?: UnusableAnswer;
  /** set while the patient is being removed; nothing more may be stored for it */
  readonly removing?: boolean;
}
