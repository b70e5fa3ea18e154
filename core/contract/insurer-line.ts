import type { Gate, LineChange } from '../domain/gate.ts';

export const insurerLineWorkflow = 'insurerLine';

export interface InsurerLineInput {
  readonly insurerId: string;
  /** what continue-as-new hands on; absent at the start */
  readonly carried?: LineState;
}

/** The line as `insurerLine` remembers it: its state after the last change that it was told of. */
export interface LineState {
  readonly state: Gate['state'];
  /** the gate's, of that change */
  readonly changeNumber: number;
  /** who paused or resumed it last, when (ISO 8601) and why; absent before the first time */
  readonly by?: string;
  readonly since?: string;
  readonly reason?: string;
  /** the last 50, newest first */
  readonly changes: readonly LineChange[];
}

export type LineWithoutChanges = Omit<LineState, 'changes'>;

/**
 * Update: closes the gate and returns with LineWithoutChanges once the line is silent; one that is paused already stays as it
 * is. Refused, with the type `WishRefused`, without an operator's name or a reason; fails with a LineFailureType.
 */
export const pauseUpdate = 'pause';
/** Update: opens the gate; one that is open stays as it is. Refused and failed like `pause`. */
export const resumeUpdate = 'resume';
/** Query: LineState, without side effects. */
export const lineStateQuery = 'state';
/** Signal: the gate was changed by someone else: a look at it is due. */
export const gateChangedSignal = 'gateChanged';

export interface LineRequest {
  readonly operator: string;
  readonly reason: string;
  /**
   * The gate's changeNumber that the operator has seen. An update that its caller has given up still runs later; by then
   * the line may be in a state that nobody wants changed.
   */
  readonly seen: number;
}

/** Why an update failed for good: types of ApplicationFailure, and the faults of GateError that they stand for. */
export type LineFailureType = 'Superseded' | 'UnknownInsurer' | 'Resumed';

/** The activities of `insurerLine`, on the queue `sync`. All can be repeated. */
export interface InsurerLineActivities {
  /**
   * Closes the gate and waits until the line is silent; heartbeats.
   * @throws ApplicationFailure non-retryable LineFailureType
   */
  silenceLine(input: ChangeLineInput): Promise<ChangedLine>;
  /** @throws ApplicationFailure non-retryable LineFailureType */
  openLine(input: ChangeLineInput): Promise<ChangedLine>;
  /** What the workflow has not been told of yet. @throws ApplicationFailure non-retryable `UnknownInsurer` */
  readLineChanges(input: { readonly insurerId: string }): Promise<ChangedLine>;
  acknowledgeChanges(input: { readonly insurerId: string; readonly upTo: number }): Promise<void>;
}

export interface ChangeLineInput extends LineRequest {
  readonly insurerId: string;
}

/** The gate after a change, and what `insurerLine` has not been told of yet, oldest first. */
export interface ChangedLine extends LineWithoutChanges {
  readonly outbox: readonly LineChange[];
}
