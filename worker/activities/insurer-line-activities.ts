import { ApplicationFailure } from '@temporalio/activity';
import type { GateSnapshot, InsurerLineActivities, LineFailureType } from '../../core/contract/insurer-line.ts';
import type { Gate } from '../../core/domain/gate.ts';
import { GateError, type GateFault, type GateStore } from '../../core/stores/gate.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface InsurerLineActivitiesDeps {
  /** the insurer whose line this worker uses */
  readonly insurerId: string;
  readonly gate: Pick<GateStore, 'find' | 'pause' | 'resume' | 'expire' | 'acknowledge' | 'awaitSilence'>;
}

/** Creates the activities with which `insurerLine` reads and changes the gate. */
export const createInsurerLineActivities = ({
  insurerId: ownInsurerId,
  gate,
}: InsurerLineActivitiesDeps): InsurerLineActivities => {
  const forOwnLine = async <Answer>(insurerId: string, work: () => Promise<Answer>): Promise<Answer> => {
    if (insurerId !== ownInsurerId)
      throw ApplicationFailure.nonRetryable('this worker uses the line of another insurer', 'UnknownInsurer');
    return await work().catch(rethrowForTemporal);
  };
  return {
    silenceLine: ({ insurerId, operator: by, reason, seen, until }) =>
      forOwnLine(insurerId, () =>
        withHeartbeats(undefined, async ({ signal }) => {
          await gate.pause({ by, reason, seen, ...(until !== undefined && { until }) });
          return snapshotOf(await gate.awaitSilence(signal));
        }),
      ),
    openLine: ({ insurerId, operator: by, reason, seen }) =>
      forOwnLine(insurerId, async () => snapshotOf(await gate.resume({ by, reason, seen }))),
    expireReasons: ({ insurerId, at }) => forOwnLine(insurerId, async () => snapshotOf(await gate.expire(at))),
    readLineChanges: ({ insurerId }) => forOwnLine(insurerId, async () => snapshotOf(await gate.find())),
    acknowledgeChanges: ({ insurerId, upTo }) => forOwnLine(insurerId, () => gate.acknowledge(upTo)),
  };
};

const snapshotOf = (gate: Gate): GateSnapshot => {
  const { state, changeNumber, by, since, reason, openReasons, droppedReasons, outbox } = gate;
  return {
    state,
    changeNumber,
    ...(by !== undefined && { by }),
    ...(since !== undefined && { since }),
    ...(reason !== undefined && { reason }),
    ...(openReasons !== undefined && { openReasons }),
    ...(droppedReasons !== undefined && { droppedReasons }),
    outbox,
  };
};

const failureTypes: Readonly<Record<Exclude<GateFault, 'unavailable'>, LineFailureType>> = {
  superseded: 'Superseded',
  'unknown-insurer': 'UnknownInsurer',
  resumed: 'Resumed',
};

/** Makes every gate error final, except `unavailable`, which Temporal retries. */
function rethrowForTemporal(error: unknown): never {
  if (!(error instanceof GateError) || error.fault === 'unavailable') throw error;
  throw ApplicationFailure.fromError(error, { type: failureTypes[error.fault], nonRetryable: true });
}
