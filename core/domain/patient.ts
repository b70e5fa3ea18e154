import type { Kvnr } from './kvnr.ts';

/** pending: its care records are to be fetched; current: they are stored; failed: the insurer's answer was final (404, too large). */
export type CareState = 'pending' | 'current' | 'failed';

export interface LastSync {
  readonly syncId: string;
  readonly state: 'requested' | 'running' | 'completed' | 'failed' | 'not-insured';
  readonly requestedBy: string;
  /** ISO 8601 UTC */
  readonly requestedAt: string;
  readonly finishedAt?: string;
  /** fixed words: why it failed */
  readonly error?: string;
}

/** What came of a sync after which the patient is still there. */
export type SyncEnd = Pick<LastSync, 'error'> & { readonly state: 'completed' | 'failed' };

/** It was asked for and has not ended: whoever asks for one more joins it. */
export const isUnderWay = ({ state }: LastSync): boolean => state === 'requested' || state === 'running';

/** A patient as stored. `body` is the insurer's entry as JSON text: every field it sent, numbers as written. */
export interface StoredPatient {
  readonly patientRef: string;
  readonly kvnr: Kvnr;
  readonly body: string;
  readonly contentHash: string;
  readonly careState: CareState;
  readonly careVersion?: string;
  readonly lastSync?: LastSync;
  /** set while the patient is being removed: nothing may be stored for it any more */
  readonly removing?: boolean;
}
