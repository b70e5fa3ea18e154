import type { Gate, LineChange } from '../domain/gate.ts';

export const insurerLineWorkflow = 'insurerLine';

export interface InsurerLineInput {
  readonly insurerId: string;
  /** what continue-as-new passes on; absent at the start */
  readonly carried?: LineHistory;
}

/** The part of the gate that `insurerLine` reads. */
export type GateSnapshot = Pick<
  Gate,
  'state' | 'changeNumber' | 'by' | 'since' | 'reason' | 'openReasons' | 'droppedReasons' | 'outbox'
>;

/** What `insurerLine` remembers: the line after the last change that it knows, and the last 50 changes, newest first. */
export type LineHistory = Omit<GateSnapshot, 'outbox'> & { readonly changes: readonly LineChange[] };

/**
 * Update: pauses the line. Returns LineHistory without `changes` once the line is silent. A paused line gets one more reason.
 * Rejected with the type `CommandInvalid` if the operator's name or the reason is missing. Fails with a LineFailureType.
 */
export const pauseUpdate = 'pause';
/** Update: resumes the line. An open line stays as it is. Rejected and failed like `pause`. */
export const resumeUpdate = 'resume';
/** Query: LineHistory, without side effects. */
export const lineHistoryQuery = 'state';
/** Signal: the gate was changed without `insurerLine`, which should read it. */
export const gateChangedSignal = 'gateChanged';

export interface LineUpdateInput {
  readonly operator: string;
  readonly reason: string;
  /**
   * The gate's changeNumber that the operator has seen. An update that its caller has given up still runs later. The line
   * may have changed by then, and the operator has not asked for a change of that state.
   */
  readonly seen: number;
  /** of a timed pause: its end, as momentOf returns it. `insurerLine` resumes the line then, unless other reasons are left. */
  readonly until?: string;
}

/** Why an update failed permanently: types of ApplicationFailure. Each stands for a fault of GateError. */
export type LineFailureType = 'Superseded' | 'UnknownInsurer' | 'Resumed';

/** The activities of `insurerLine`, on the queue `sync`. All are safe to repeat. */
export interface InsurerLineActivities {
  /**
   * Pauses the line and waits until it is silent. Heartbeats.
   * @throws ApplicationFailure non-retryable LineFailureType
   */
  silenceLine(input: LineUpdateInput & { readonly insurerId: string }): Promise<GateSnapshot>;
  /** Resumes the line. @throws ApplicationFailure non-retryable LineFailureType */
  openLine(input: LineUpdateInput & { readonly insurerId: string }): Promise<GateSnapshot>;
  /**
   * Ends the reasons whose end has come by `at`, and opens the line with the last one.
   * @throws ApplicationFailure non-retryable `UnknownInsurer`
   */
  expireReasons(input: { readonly insurerId: string; readonly at: string }): Promise<GateSnapshot>;
  /** Reads the gate with its outbox. @throws ApplicationFailure non-retryable `UnknownInsurer` */
  readLineChanges(input: { readonly insurerId: string }): Promise<GateSnapshot>;
  /** Removes all changes up to this number from the outbox. @throws ApplicationFailure non-retryable `UnknownInsurer` */
  acknowledgeChanges(input: { readonly insurerId: string; readonly upTo: number }): Promise<void>;
}
