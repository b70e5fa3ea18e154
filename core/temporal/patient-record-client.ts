import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure, type Workflow } from '@temporalio/common';
import type { ClientConfig } from '../config.ts';
import { patientRecordId, syncTaskQueue } from '../contract/names.ts';
import {
  type PatientRecordInput,
  patientRecordWorkflow,
  type RequestSyncInput,
  recordAccessUpdate,
  requestSyncUpdate,
  syncRequestedSignal,
} from '../contract/patient-record.ts';
import { type AccessDraft, type AccessEntry, agentLabel } from '../domain/access.ts';
import type { LastSync } from '../domain/patient.ts';
import { AccessLogError } from '../stores/access-log.ts';
import type { Stores } from '../stores/open-stores.ts';
import { writeSyncRequest } from '../stores/sync-request.ts';

export type PatientRecordFault = 'patient-unknown' | 'temporal-unavailable' | 'access-log-unavailable';

export class PatientRecordError extends Error {
  override readonly name = 'PatientRecordError';
  readonly fault: PatientRecordFault;
  constructor(fault: PatientRecordFault, options?: ErrorOptions) {
    super(`patient record: ${fault}`, options);
    this.fault = fault;
  }
}

export interface PatientRecordClient {
  /**
   * Resolves within one second, also while no worker runs, once access entry and marker are durable and the sync is sure to
   * be carried out; joins what is under way.
   * @throws PatientRecordError
   */
  requestSync(request: { readonly patientRef: string; readonly access: AccessDraft }): Promise<LastSync>;
  /**
   * The last sync that somebody asked for; `not-insured` when the patient was removed since, and it has stored nothing.
   * undefined when the patient is unknown; without `lastSync` when nobody has asked yet.
   * @throws AccessLogError `unavailable`
   */
  readLastSync(patientRef: string): Promise<{ readonly lastSync?: LastSync } | undefined>;
  /**
   * Resolves once the entry is durable; through the entity, or directly when Temporal does not answer in time.
   * @throws PatientRecordError `access-log-unavailable`
   */
  recordAccess(draft: AccessDraft): Promise<void>;
}

export interface PatientRecordClientDeps {
  readonly temporal: () => Promise<Client>;
  readonly stores: Pick<Stores, 'patients' | 'accessLog'>;
  readonly config: Pick<ClientConfig, 'INSURER_ID' | 'CARE_MAX_ATTEMPTS'>;
}

/**
 * Longest wait for the entity's answer, and then for the server to take a signal, ms. A server that is well takes it in some
 * 20 ms, so that all is done within a second; to one that is slow a late promise is better than a refusal.
 */
const syncAnswerTimeoutMs = 700;
const signalTimeoutMs = 1_000;
const accessAnswerTimeoutMs = 500;
const retryDelayMs = 20;
const logPageEntries = 500;

/** What people do with one patient, by way of the entity workflow (docs/explanation/the-daily-run.md, "A sync on demand"). */
export function createPatientRecordClient({ temporal, stores, config }: PatientRecordClientDeps): PatientRecordClient {
  const startOf = (patientRef: string) => {
    const input: PatientRecordInput = {
      insurerId: config.INSURER_ID,
      patientRef,
      careMaxAttempts: config.CARE_MAX_ATTEMPTS,
    };
    return { workflowId: patientRecordId(patientRef), taskQueue: syncTaskQueue, args: [input] };
  };

  /** The entity's answer, undefined when there is none in time. What was asked may then still be done later. */
  const ask = async <Answer>(
    update: string,
    argument: AccessDraft | RequestSyncInput,
    { patientRef, id, answerMs }: { readonly patientRef: string; readonly id: string; readonly answerMs: number },
  ): Promise<{ readonly answer: Answer } | undefined> => {
    const deadlineMs = Date.now() + answerMs;
    while (Date.now() < deadlineMs) {
      try {
        const client = await temporal();
        const startWorkflowOperation = new WithStartWorkflowOperation(patientRecordWorkflow, {
          ...startOf(patientRef),
          workflowIdConflictPolicy: 'USE_EXISTING',
        });
        const answer = await client.connection.withDeadline(deadlineMs, () =>
          client.workflow.executeUpdateWithStart<Workflow, Answer, [typeof argument]>(update, {
            args: [argument],
            updateId: id,
            startWorkflowOperation,
          }),
        );
        return { answer };
      } catch (error) {
        const type = failureTypeOf(error);
        if (type === 'PatientUnknown') throw new PatientRecordError('patient-unknown', { cause: error });
        if (type !== 'UnprocessedUpdate') return undefined;
        // That one was not accepted: too many at once, or it has met an end or a continue-as-new.
        await sleep(retryDelayMs * (0.5 + Math.random() / 2));
      }
    }
    return undefined;
  };

  return {
    async requestSync({ patientRef, access }) {
      const syncId = randomUUID();
      const requestedBy = agentLabel(access.agent);
      const request: RequestSyncInput = { syncId, requestedBy, requestedAt: new Date().toISOString(), access };
      const answered = await ask<LastSync>(requestSyncUpdate, request, {
        patientRef,
        id: syncId,
        answerMs: syncAnswerTimeoutMs,
      });
      if (answered) return answered.answer;
      // The signal first: it carries all that is to be written, so that from then on the sync will be done, whatever becomes
      // of us. A marker first would be a false promise to whoever reads or joins it until the signal is taken, and for good
      // when it is not.
      try {
        const client = await temporal();
        await client.connection.withDeadline(Date.now() + signalTimeoutMs, () =>
          client.workflow.signalWithStart(patientRecordWorkflow, {
            ...startOf(patientRef),
            signal: syncRequestedSignal,
            signalArgs: [request],
          }),
        );
      } catch (error) {
        throw new PatientRecordError('temporal-unavailable', { cause: error });
      }
      const lastSync = await writeSyncRequest(stores, request).catch(rethrow);
      if (lastSync === undefined) throw new PatientRecordError('patient-unknown');
      return lastSync;
    },

    async readLastSync(patientRef) {
      const patient = await stores.patients.readLastSync(patientRef);
      if (patient !== undefined) return patient;
      const lastSync = await syncThatRemoved(patientRef, stores);
      return lastSync && { lastSync };
    },

    async recordAccess(draft) {
      const { patientRef, id } = draft;
      const answered = await ask(recordAccessUpdate, draft, { patientRef, id, answerMs: accessAnswerTimeoutMs });
      if (answered === undefined) await stores.accessLog.append(patientRef, [draft]).catch(rethrow);
    },
  };
}

/**
 * The sync on demand that found out that someone is not insured any more, put together from the access log, as nothing else is
 * left of them: the last one that was asked for before the removal, and has stored nothing.
 */
async function syncThatRemoved(
  patientRef: string,
  { accessLog }: Pick<Stores, 'accessLog'>,
): Promise<LastSync | undefined> {
  let request: AccessEntry | undefined;
  let removal: AccessEntry | undefined;
  let afterSeq: number | undefined;
  do {
    const page = await accessLog.read(patientRef, logPageEntries, afterSeq);
    for (const entry of page.entries) {
      const isOfRequest = entry.entity?.kind === 'sync' && entry.entity.id === request?.entity?.id;
      if (entry.operation === 'removal') removal = entry;
      else if (entry.operation === 'import' || entry.operation === 'change') {
        if (isOfRequest) request = undefined;
      } else if (entry.operation === 'request-sync' && entry.outcome === 'success' && !isOfRequest) {
        request = entry; // the others with its syncId have joined it
        removal = undefined;
      }
    }
    afterSeq = page.lastKey;
  } while (afterSeq !== undefined);
  if (removal === undefined || request?.entity === undefined) return undefined;
  return {
    syncId: request.entity.id,
    state: 'not-insured',
    requestedBy: agentLabel(request.agent),
    requestedAt: request.recorded,
    finishedAt: removal.recorded,
  };
}

/** What the entity has failed with, if it was that. */
const failureTypeOf = (error: unknown): string | null | undefined =>
  error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure
    ? error.cause.type
    : undefined;

function rethrow(error: unknown): never {
  if (error instanceof AccessLogError) throw new PatientRecordError('access-log-unavailable', { cause: error });
  throw error;
}
