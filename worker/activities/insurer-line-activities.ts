import { ApplicationFailure } from '@temporalio/activity';
import type { ChangedLine, InsurerLineActivities, LineFailureType } from '../../core/contract/insurer-line.ts';
import type { Gate } from '../../core/domain/gate.ts';
import { GateError, type GateFault, type GateStore } from '../../core/stores/gate.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface InsurerLineActivitiesDeps {
  /** whose line this worker keeps */
  readonly insurerId: string;
  readonly gate: Pick<GateStore, 'find' | 'pause' | 'resume' | 'acknowledge' | 'awaitSilence'>;
}

/** What `insurerLine` does at the gate. */
export const createInsurerLineActivities = ({
  insurerId: own,
  gate,
}: InsurerLineActivitiesDeps): InsurerLineActivities => {
  const atGate = async <Answer>(insurerId: string, work: () => Promise<Answer>): Promise<Answer> => {
    if (insurerId !== own) throw ApplicationFailure.nonRetryable('this worker keeps another line', 'UnknownInsurer');
    return await work().catch(rethrowForTemporal);
  };
  return {
    silenceLine: ({ insurerId, operator: by, reason, seen }) =>
      atGate(insurerId, () =>
        withHeartbeats(undefined, async ({ signal }) => {
          await gate.pause({ by, reason, seen });
          return changedLine(await gate.awaitSilence(signal));
        }),
      ),
    openLine: ({ insurerId, operator: by, reason, seen }) =>
      atGate(insurerId, async () => changedLine(await gate.resume({ by, reason, seen }))),
    readLineChanges: ({ insurerId }) => atGate(insurerId, async () => changedLine(await gate.find())),
    acknowledgeChanges: ({ insurerId, upTo }) => atGate(insurerId, () => gate.acknowledge(upTo)),
  };
};

const changedLine = ({ state, changeNumber, by, since, reason, outbox }: Gate): ChangedLine => ({
  state,
  changeNumber,
  ...(by !== undefined && { by }),
  ...(since !== undefined && { since }),
  ...(reason !== undefined && { reason }),
  outbox,
});

const failureTypes: Readonly<Record<Exclude<GateFault, 'unavailable'>, LineFailureType>> = {
  superseded: 'Superseded',
  'unknown-insurer': 'UnknownInsurer',
  resumed: 'Resumed',
};

/** A gate that cannot be reached is tried again; what it says is said for good. */
function rethrowForTemporal(error: unknown): never {
  if (!(error instanceof GateError) || error.fault === 'unavailable') throw error;
  throw ApplicationFailure.fromError(error, { type: failureTypes[error.fault], nonRetryable: true });
}
