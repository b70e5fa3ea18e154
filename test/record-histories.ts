import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import {
  accessLogCheckId,
  careRefreshId,
  exportWorkflowId,
  insurerLineId,
  patientRecordId,
} from '../core/contract/names.ts';
import type { Export } from '../core/domain/export.ts';
import { createAccessLogCheckClient } from '../core/temporal/access-log-check-client.ts';
import { createExportClient } from '../core/temporal/export-client.ts';
import { createPatientRecordClient } from '../core/temporal/patient-record-client.ts';
import { draftFor } from './access-draft.fixture.ts';
import { type Day, insurerId, startDay } from './day.fixture.ts';
import { historiesOf } from './histories.fixture.ts';

/** The key of the recorded histories. It protects nothing, because their people are invented. */
export const historyKeys = `histories:${Buffer.alloc(32, 'epa-sync').toString('base64')}`;

const mix = { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10 };
const world = { patients: 20, rate: 0.4, mix, notInsuredShare: 0.1, unknownShare: 0.05 };

const refreshAfterDays = 30;

/**
 * Records the histories that `replay.integration.test.ts` replays. A file that exists stays, because workflows that an
 * earlier version has begun must replay, too. To record one again, delete its file.
 * - a first day
 * - one patient's syncs and accesses
 * - the refresh of care records that are too old, after a run
 * - a check of all access logs
 * - an export that is paused, resumed, completed, and cancelled afterwards
 * - an export whose workflow is cancelled in Temporal
 * - removals that wait and are approved
 * - a cancelled run
 * - the workflow insurerLine, paused and resumed until it continues as new
 * - the same workflow, with timed pauses that overlap, are extended and end
 */
if (import.meta.main) {
  const dir = join(import.meta.dirname, 'histories');
  mkdirSync(dir, { recursive: true });
  await using day = await startDay(world, {
    PAYLOAD_KEYS: historyKeys,
    CARE_REFRESH_AFTER_DAYS: String(refreshAfterDays),
  });
  await day.startWorker();
  const record = async (name: string, workflowId?: string, age = 0): Promise<void> => {
    const file = join(dir, `${name}.json`);
    if (existsSync(file)) return;
    const recorded = (await historiesOf(day.client, workflowId))[age];
    if (recorded) writeFileSync(file, `${historyToJSON(recorded.history)}\n`);
  };
  await day.runToEnd();
  await record('first-day');
  const [{ kvnr = '' } = {}] = day.insurer.patients().filter(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled);
  const patientRef = day.refOf(kvnr);
  await usePatientRecord(day, patientRef);
  await record('patient-record', patientRecordId(patientRef));
  await record('care-refresh', careRefreshId(await refreshOldest(day, patientRef)));
  await createAccessLogCheckClient(day.client, insurerId).start();
  await day.client.workflow.getHandle(accessLogCheckId(insurerId)).result();
  await record('access-log-check', accessLogCheckId(insurerId));
  await record('export-patients', exportWorkflowId(await usePatientExport(day)));
  await record('export-cancelled', exportWorkflowId(await cancelPatientExport(day)));
  day.insurer.setList('empty');
  await day.sync.start();
  const { decision } = await day.until(({ awaitingDecision }) => awaitingDecision);
  await day.sync.decideRemovals({ decision: 'approve', listId: decision?.listId ?? '', operator: 'olga' });
  await day.ended();
  await record('removals-approved');
  day.insurer.setList('normal');
  await day.sync.start();
  await day.until(({ careRecords }) => careRecords.pending > 0);
  await day.sync.cancel({ operator: 'olga', reason: 'the insurer asks for it' });
  await day.ended();
  await record('cancelled');
  const line = insurerLineId(insurerId);
  while ((await historiesOf(day.client, line)).length < 2) {
    await day.line.pause({ operator: 'olga', reason: 'the insurer called' });
    await day.line.resume({ operator: 'otto', reason: 'all is well' });
  }
  await record('line-continued', line, 1);
  const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
  await day.line.pause({ operator: 'olga', reason: 'the insurer called', until: inMs(2_000) });
  await day.line.pause({ operator: 'otto', reason: 'the modem', until: inMs(3_000) });
  await day.line.pause({ operator: 'olga', reason: 'the insurer called', until: inMs(5_000) });
  while ((await day.line.read()).state === 'paused') await sleep(100);
  await sleep(1_000); // acknowledges the last change
  await record('line-timed', line);
}

/** Reads a patient, requests two syncs in parallel with more reads, and requests another sync after the first. */
async function usePatientRecord({ client, stores }: Day, patientRef: string): Promise<void> {
  const people = createPatientRecordClient({
    temporal: async () => client,
    stores,
    config: { INSURER_ID: insurerId, CARE_MAX_ATTEMPTS: 40 },
  });
  const look = async () => await people.recordAccess(draftFor(patientRef, 'read-patient'));
  const ask = async () => await people.requestSync({ patientRef, access: draftFor(patientRef) });
  await Promise.all([look(), look()]);
  await Promise.all([ask(), ask(), look(), look(), look()]);
  const isOver = async () => (await stores.patients.readLastSync(patientRef))?.lastSync?.finishedAt !== undefined;
  while (!(await isOver())) await sleep(100);
  await ask();
  while (!(await isOver())) await sleep(100);
}

/** Makes the care records of a patient too old, and waits for the refresh after the next run. Returns the run's ID. */
async function refreshOldest({ insurer, stores, until, runToEnd }: Day, patientRef: string): Promise<string> {
  const { careVersion = '', incarnation = 0 } = (await stores.patients.get(patientRef)) ?? {};
  const receivedAt = new Date(Date.now() - 2 * refreshAfterDays * 24 * 60 * 60_000).toISOString();
  await stores.patients.activateCareVersion(patientRef, careVersion, incarnation, { receivedAt });
  insurer.unchangedDay();
  const { runId } = await runToEnd();
  await until((progress) => progress.runId === runId && progress.refresh?.state === 'completed');
  return runId;
}

/** Starts an export, pauses and resumes it, and deletes its files once it is completed. Returns its ID. */
async function usePatientExport(day: Day): Promise<string> {
  const { exportId, change, wake, handle } = await pauseNewExport(day, '1');
  const { exports } = day.stores;
  await change('paused', 'running');
  await wake();
  while ((await exports.read(insurerId, exportId))?.state !== 'completed') await sleep(100);
  await change('completed', 'cancelled');
  await wake();
  await handle.result();
  return exportId;
}

/** Starts an export, and cancels its workflow in Temporal while it is paused. Returns its ID. */
async function cancelPatientExport(day: Day): Promise<string> {
  const { exportId, handle } = await pauseNewExport(day, '2');
  await handle.cancel();
  await handle.result().catch(() => undefined);
  return exportId;
}

/** Stores an export as the API does, and pauses it. Returns what changes it, what wakes its workflow, and the workflow. */
async function pauseNewExport({ client, stores: { exports } }: Day, exportId: string) {
  const begun: Export = {
    exportId,
    state: 'running',
    requestedBy: { who: 'warehouse', role: 'integration' },
    source: { component: 'api' },
    transactionTime: new Date().toISOString(),
    apiUrl: 'https://api.example',
    insurer: { id: insurerId },
    batches: 0,
    patients: 0,
    counts: { Patient: 0, Coverage: 0, EpisodeOfCare: 0, DocumentReference: 0 },
  };
  await exports.begin(insurerId, begun);
  const change = async (from: Export['state'], state: Export['state']) =>
    await exports.change(insurerId, exportId, [from], { state });
  const wake = async () => await createExportClient(client, insurerId).wake(exportId); // starts it at first
  const handle = client.workflow.getHandle(exportWorkflowId(exportId));
  await change('running', 'paused');
  await wake();
  while (!(await handle.fetchHistory()).events?.some((event) => event.timerStartedEventAttributes)) await sleep(100);
  return { exportId, change, wake, handle };
}
