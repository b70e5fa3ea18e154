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
import type { Kvnr } from '../domain/kvnr.ts';
import type { LastSync } from '../domain/patient.ts';
import { AccessLogError } from '../stores/access-log.ts';
import type { Stores } from '../stores/open-stores.ts';
import { openInquiry, writeSyncRequest } from '../stores/sync-request.ts';

/** `being-removed`: a removal that has begun must end before the person can be asked about again */
export type PatientRecordFault =
  | 'patient-unknown'
  | 'being-removed'
  | 'temporal-unavailable'
  | 'access-log-unavailable';

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
   * Requests a sync. Resolves once access entry and marker are stored and the sync is certain to run. This takes at most one
   * second, also while no worker runs. Joins a sync in progress.
   * @param request.kvnr if it is there, the person need not be stored
   * @throws PatientRecordError `patient-unknown` only without a KVNR
   */
  requestSync(request: {
    readonly patientRef: string;
    readonly access: AccessDraft;
    readonly kvnr?: Kvnr | undefined;
  }): Promise<LastSync>;
  /**
   * Returns the last sync that was requested; with the state `not-insured` or `unknown` if the patient or the inquiry has been
   * removed since and the sync has stored nothing.
   * @returns undefined if the patient is unknown; without `lastSync` before the first request; `isProvisional`: care records
   *   are stored of somebody whom no list has named
   * @throws AccessLogError `unavailable`
   */
  readLastSync(
    patientRef: string,
  ): Promise<{ readonly lastSync?: LastSync; readonly isProvisional?: boolean } | undefined>;
  /**
   * Stores an access entry through the workflow, or directly if Temporal does not answer in time.
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
 * Timeouts in milliseconds for the workflow's answer, and then for the server to accept a signal. A healthy server accepts it
 * in about 20 ms, so everything takes less than a second. With a slow server, a late promise is better than a rejection.
 */
const syncAnswerTimeoutMs = 700;
const signalTimeoutMs = 1_000;
const accessAnswerTimeoutMs = 500;
const retryDelayMs = 20;
const logPageEntries = 500;

/** Creates the client of the workflow patientRecord (docs/explanation/the-daily-run.md, "A sync on demand"). */
export function createPatientRecordClient({ temporal, stores, config }: PatientRecordClientDeps): PatientRecordClient {
  const startOf = (patientRef: string) => {
    const input: PatientRecordInput = {
      insurerId: config.INSURER_ID,
      patientRef,
      careMaxRequests: config.CARE_MAX_ATTEMPTS,
    };
    return { workflowId: patientRecordId(patientRef), taskQueue: syncTaskQueue, args: [input] };
  };

  /** Sends an update. Returns undefined if no answer arrives in time; the workflow may still process the update later. */
  const sendUpdate = async <Answer>(
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
        // The update was not accepted: there were too many, or the workflow ended or continued as new.
        await sleep(retryDelayMs * (0.5 + Math.random() / 2));
      }
    }
    return undefined;
  };

  /** Resolves as `requestSync` does, for a patient or an inquiry. */
  const promiseSync = async (patientRef: string, request: RequestSyncInput): Promise<LastSync> => {
    const { syncId } = request;
    const answered = await sendUpdate<LastSync>(requestSyncUpdate, request, {
      patientRef,
      id: syncId,
      answerMs: syncAnswerTimeoutMs,
    });
    if (answered) return answered.answer;
    // The signal comes first. It contains everything that must be written, so the sync will run even if this process dies.
    // A marker without an accepted signal would promise a sync that may never run.
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
  };

  return {
    async requestSync({ patientRef, access, kvnr }) {
      const syncId = randomUUID();
      const requestedBy = agentLabel(access.agent);
      const request = { syncId, requestedBy, requestedAt: new Date().toISOString(), access };
      if (kvnr !== undefined && !(await openInquiry(stores, kvnr, request).catch(rethrow)))
        throw new PatientRecordError('being-removed');
      return await promiseSync(patientRef, request).catch((error: unknown) => {
        const isRemoved = error instanceof PatientRecordError && error.fault === 'patient-unknown';
        if (kvnr === undefined || !isRemoved) throw error;
        throw new PatientRecordError('being-removed', { cause: error }); // since the inquiry was stored
      });
    },

    async readLastSync(patientRef) {
      const known = await stores.patients.readLastSync(patientRef);
      const { lastSync: marker, standing = 'inquiry' } = known ?? {};
      if (marker !== undefined || standing !== 'inquiry')
        return { ...(marker && { lastSync: marker }), ...(standing === 'provisional' && { isProvisional: true }) };
      const lastSync = await syncThatRemoved(patientRef, stores);
      return lastSync && { lastSync };
    },

    async recordAccess(draft) {
      const { patientRef, id } = draft;
      const answered = await sendUpdate(recordAccessUpdate, draft, { patientRef, id, answerMs: accessAnswerTimeoutMs });
      if (answered === undefined) await stores.accessLog.append(patientRef, [draft]).catch(rethrow);
    },
  };
}

/**
 * Returns the sync on demand that found out that a person is unknown or not insured: the last one that was requested before
 * the removal and has stored nothing. Reads it from the access log, which is all that remains of the patient. A removal names
 * its cause: a list, or the sync for which the insurer has answered. 0.2.0 named none.
 */
async function syncThatRemoved(
  patientRef: string,
  { accessLog }: Pick<Stores, 'accessLog'>,
): Promise<LastSync | undefined> {
  let request: AccessEntry | undefined;
  let removal: AccessEntry | undefined;
  let isUnknown = false;
  let afterSeq: number | undefined;
  do {
    const page = await accessLog.read(patientRef, logPageEntries, afterSeq);
    for (const entry of page.entries) {
      const belongsToRequest = entry.entity?.kind === 'sync' && entry.entity.id === request?.entity?.id;
      if (entry.operation === 'removal') removal = entry.entity?.kind === 'list' ? undefined : entry;
      else if (entry.operation === 'import' || entry.operation === 'change') {
        if (belongsToRequest && entry.outcome === 'failed') isUnknown = true;
        else if (belongsToRequest) request = undefined;
      } else if (entry.operation === 'request-sync' && entry.outcome === 'success' && !belongsToRequest) {
        request = entry; // later requests with the same syncId have joined it
        removal = undefined;
        isUnknown = false;
      }
    }
    afterSeq = page.lastKey;
  } while (afterSeq !== undefined);
  if (removal === undefined || request?.entity === undefined) return undefined;
  return {
    syncId: request.entity.id,
    state: isUnknown ? 'unknown' : 'not-insured',
    requestedBy: agentLabel(request.agent),
    requestedAt: request.recorded,
    finishedAt: removal.recorded,
  };
}

/** Returns the type of an update's failure; undefined for any other error. */
const failureTypeOf = (error: unknown): string | null | undefined =>
  error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure
    ? error.cause.type
    : undefined;

function rethrow(error: unknown): never {
  if (error instanceof AccessLogError) throw new PatientRecordError('access-log-unavailable', { cause: error });
  throw error;
}
