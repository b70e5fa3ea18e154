import { ApplicationFailure } from '@temporalio/common';
import type { FetchCareRecordsFailure } from '../../core/contract/line-activities.ts';
import type {
  StoreCareRecordsInput,
  StoreCareRecordsResult,
  SyncActivities,
} from '../../core/contract/sync-activities.ts';
import { normalKvnr } from '../../core/domain/kvnr.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import type { CareRecordsStore } from '../../core/stores/care-records.ts';
import { PayloadError } from '../../core/stores/objects.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import type { PayloadsStore } from '../../core/stores/payloads.ts';
import type { WriteGuard } from '../../core/stores/write-guard.ts';
import { type AnswerSplitResult, splitAnswerWithinLimits } from './answer-splitter.ts';
import type { EndSync } from './end-sync.ts';
import { withHeartbeats } from './heartbeats.ts';
import { careRecordsAccess } from './sync-access.ts';

export interface StoreCareRecordsDeps {
  readonly patients: PatientsStore;
  readonly careRecords: CareRecordsStore;
  readonly payloads: PayloadsStore;
  readonly accessLog: Pick<AccessLogStore, 'append'>;
  readonly endSync: EndSync;
}

export const createStoreCareRecords = ({
  patients,
  careRecords,
  payloads,
  accessLog,
  endSync,
}: StoreCareRecordsDeps): Pick<SyncActivities, 'storeCareRecords'> => {
  /** Reads the patient's state, which an earlier attempt, a newer fetch or a removal may have changed. */
  const readState = async ({ patientRef, fetchOrder }: StoreCareRecordsInput) => {
    const patient = await patients.get(patientRef);
    if (patient === undefined) return { outcome: 'gone' } as const;
    const { careVersion = '' } = patient;
    if (careVersion > fetchOrder) return { outcome: 'superseded' } as const;
    return careVersion === fetchOrder ? ({ outcome: 'stored' } as const) : { patient };
  };

  /**
   * Cleans up: leaves only what belongs to the outcome. The access entry is appended after the version has become current,
   * because only then it is certain that the records are stored. If an attempt dies in between, the payload is still there,
   * and the next attempt or discardStaged appends the entry. Nobody who waits for a sync on demand waits for the deletions.
   */
  const finish = async (
    { patientRef, syncId, fetchOrder, payload, endsSync }: StoreCareRecordsInput,
    outcome: StoreCareRecordsResult['outcome'],
  ): Promise<StoreCareRecordsResult> => {
    if (outcome === 'stored') {
      await accessLog.append(patientRef, [careRecordsAccess({ patientRef, syncId, careVersion: fetchOrder })]);
      if (endsSync) await endSync({ patientRef, syncId, state: 'completed', ...endsSync });
      await careRecords.deleteOlderThan(patientRef, fetchOrder);
    } else await careRecords.deleteVersion(patientRef, fetchOrder);
    await payloads.delete(payload);
    return { outcome, ...(endsSync && outcome === 'stored' && { isSyncEnded: true }) };
  };

  /** Splits the answer in the payload. Returns `unreadable` if the payload is missing or corrupted. */
  const readAnswer = async ({ payload }: StoreCareRecordsInput, writeGuard: WriteGuard): Promise<AnswerSplitResult> => {
    try {
      return await splitAnswerWithinLimits(await payloads.get(payload), writeGuard);
    } catch (error) {
      if (error instanceof PayloadError) return { kind: 'unreadable' };
      throw error;
    }
  };

  /**
   * Returns the outcome if the payload is not readable. Another attempt may have stored it meanwhile and deleted it. Only a
   * version that can no longer become current may be deleted.
   */
  const outcomeWithoutPayload = async (input: StoreCareRecordsInput): Promise<StoreCareRecordsResult['outcome']> => {
    if (!(await patients.discardCareVersion(input.patientRef, input.fetchOrder))) return 'stored';
    return (await readState(input)).outcome ?? 'payload-lost';
  };

  const storeAnswer = async (input: StoreCareRecordsInput, writeGuard: WriteGuard): Promise<StoreCareRecordsResult> => {
    const { patientRef, fetchOrder, receivedAt, etag } = input;
    const before = await readState(input);
    if (before.outcome !== undefined) return await finish(input, before.outcome);
    const answer = await readAnswer(input, writeGuard);
    if (answer.kind !== 'split') {
      if (answer.kind === 'unreadable') return await finish(input, await outcomeWithoutPayload(input));
      const detail: Pick<FetchCareRecordsFailure, 'about'> = { about: { patientRef, syncId: input.syncId } };
      throw ApplicationFailure.nonRetryable('the answer is too large to be split', 'AnswerTooLarge', detail);
    }
    if (normalKvnr(answer.answer.kvnr) !== before.patient.kvnr) {
      throw ApplicationFailure.nonRetryable('the answer is for another patient', 'WrongPatient');
    }
    await careRecords.stage(patientRef, fetchOrder, answer.answer, writeGuard);
    writeGuard.check();
    if (await patients.activateCareVersion(patientRef, fetchOrder, before.patient.incarnation, { receivedAt, etag }))
      return await finish(input, 'stored');
    const after = await readState(input);
    return await finish(input, after.outcome ?? 'superseded');
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
