import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type {
  StoreCareRecordsInput,
  StoreCareRecordsResult,
  SyncActivities,
} from '../../core/contract/sync-activities.ts';
import { type AnswerParts, takeApart } from '../../core/domain/answer-parts.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';

export interface StoreCareRecordsDeps {
  readonly patients: PatientsStore;
  readonly careRecords: CareRecordsStore;
  readonly payloads: PayloadsStore;
}

export const createStoreCareRecords = ({
  patients,
  careRecords,
  payloads,
}: StoreCareRecordsDeps): Pick<SyncActivities, 'storeCareRecords'> => {
  /** How things stand: what an earlier attempt, a newer fetch or a removal has left to do. */
  const lookAt = async ({ patientRef, fetchOrder }: StoreCareRecordsInput) => {
    const patient = await patients.get(patientRef);
    if (patient === undefined) return { outcome: 'gone' } as const;
    const { careVersion = '' } = patient;
    if (careVersion > fetchOrder) return { outcome: 'superseded' } as const;
    return careVersion === fetchOrder ? ({ outcome: 'stored' } as const) : { patient };
  };

  /** Leaves nothing behind but what the outcome says. */
  const settle = async (
    { patientRef, fetchOrder, payload }: StoreCareRecordsInput,
    outcome: StoreCareRecordsResult['outcome'],
  ): Promise<StoreCareRecordsResult> => {
    if (outcome === 'stored') await careRecords.deleteOlderThan(patientRef, fetchOrder);
    else await careRecords.deleteVersion(patientRef, fetchOrder);
    await payloads.delete(payload);
    return { outcome };
  };

  /** The answer that the payload holds; undefined when it is missing or spoilt. */
  const readAnswer = async ({ payload }: StoreCareRecordsInput): Promise<AnswerParts | undefined> => {
    try {
      const body = await payloads.get(payload);
      return takeApart(new TextDecoder('utf-8', { fatal: true }).decode(body));
    } catch (error) {
      // the parser's message quotes the text, so that it must go no further
      if (error instanceof PayloadError || error instanceof SyntaxError || error instanceof TypeError) return undefined;
      throw error;
    }
  };

  return {
    async storeCareRecords(input) {
      const { patientRef, fetchOrder } = input;
      const { cancellationSignal } = Context.current();
      const before = await lookAt(input);
      if (before.outcome !== undefined) return await settle(input, before.outcome);
      const answer = await readAnswer(input);
      if (answer === undefined) return await settle(input, 'payload-lost');
      if (answer.kvnr !== before.patient.kvnr) {
        throw ApplicationFailure.nonRetryable('answer for another patient', 'WrongPatient');
      }
      cancellationSignal.throwIfAborted();
      await careRecords.stage(patientRef, fetchOrder, answer);
      cancellationSignal.throwIfAborted();
      if (await patients.flipCareVersion(patientRef, fetchOrder)) return await settle(input, 'stored');
      const after = await lookAt(input);
      return await settle(input, after.outcome ?? 'superseded');
    },
  };
};
