import { ApplicationFailure } from '@temporalio/common';
import type {
  StoreCareRecordsInput,
  StoreCareRecordsResult,
  SyncActivities,
} from '../../core/contract/sync-activities.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import type { WriteGuard } from '../../core/stores/write-guard.ts';
import { type AnswerSplitResult, splitAnswerWithinLimits } from './answer-splitter.ts';
import { withHeartbeats } from './heartbeats.ts';
import { careRecordsAccess } from './sync-access.ts';

export interface StoreCareRecordsDeps {
  readonly patients: PatientsStore;
  readonly careRecords: CareRecordsStore;
  readonly payloads: PayloadsStore;
  readonly accessLog: Pick<AccessLogStore, 'append'>;
}

export const createStoreCareRecords = ({
  patients,
  careRecords,
  payloads,
  accessLog,
}: StoreCareRecordsDeps): Pick<SyncActivities, 'storeCareRecords'> => {
  /** How things stand: what an earlier attempt, a newer fetch or a removal has left to do. */
  const lookAt = async ({ patientRef, fetchOrder }: StoreCareRecordsInput) => {
    const patient = await patients.get(patientRef);
    if (patient === undefined) return { outcome: 'gone' } as const;
    const { careVersion = '' } = patient;
    if (careVersion > fetchOrder) return { outcome: 'superseded' } as const;
    return careVersion === fetchOrder ? ({ outcome: 'stored' } as const) : { patient };
  };

  /**
   * Leaves nothing behind but what the outcome says. The entry comes after the flip, as only then it is known that they are
   * stored; an attempt that dies in between leaves the payload, and the next one, or discardStaged, makes up for the entry.
   */
  const settle = async (
    { patientRef, syncId, fetchOrder, payload }: StoreCareRecordsInput,
    outcome: StoreCareRecordsResult['outcome'],
  ): Promise<StoreCareRecordsResult> => {
    if (outcome === 'stored') {
      await accessLog.append(patientRef, [careRecordsAccess({ patientRef, syncId, careVersion: fetchOrder })]);
      await careRecords.deleteOlderThan(patientRef, fetchOrder);
    } else await careRecords.deleteVersion(patientRef, fetchOrder);
    await payloads.delete(payload);
    return { outcome };
  };

  /** The answer that the payload holds; unreadable when it is missing or spoilt. */
  const readAnswer = async ({ payload }: StoreCareRecordsInput, leash: WriteGuard): Promise<AnswerSplitResult> => {
    try {
      return await splitAnswerWithinLimits(await payloads.get(payload), leash);
    } catch (error) {
      if (error instanceof PayloadError) return { kind: 'unreadable' };
      throw error;
    }
  };

  const storeAnswer = async (input: StoreCareRecordsInput, leash: WriteGuard): Promise<StoreCareRecordsResult> => {
    const { patientRef, fetchOrder } = input;
    const before = await lookAt(input);
    if (before.outcome !== undefined) return await settle(input, before.outcome);
    const answer = await readAnswer(input, leash);
    if (answer.kind !== 'parts') {
      if (answer.kind === 'unreadable') return await settle(input, 'payload-lost');
      throw ApplicationFailure.nonRetryable('answer cannot be taken apart within bounds', 'AnswerTooLarge');
    }
    if (answer.parts.kvnr !== before.patient.kvnr) {
      throw ApplicationFailure.nonRetryable('answer for another patient', 'WrongPatient');
    }
    await careRecords.stage(patientRef, fetchOrder, answer.parts, leash);
    leash.check();
    if (await patients.activateCareVersion(patientRef, fetchOrder)) return await settle(input, 'stored');
    const after = await lookAt(input);
    return await settle(input, after.outcome ?? 'superseded');
  };

  return {
    async storeCareRecords(input) {
      return await withHeartbeats(undefined, async ({ signal, writeGuard }) => {
        const check = (): void => {
          writeGuard.check();
          signal.throwIfAborted();
        };
        return await storeAnswer(input, { signal: writeGuard.signal, check });
      });
    },
  };
};
