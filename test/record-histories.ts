import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { insurerLineId, patientRecordId } from '../core/contract/names.ts';
import { createPatientRecordClient } from '../core/temporal/patient-record-client.ts';
import { draftFor } from './access-draft.fixture.ts';
import { type Day, insurerId, startDay } from './day.fixture.ts';
import { historiesOf } from './histories.fixture.ts';

/** The key of the recorded histories. It protects nothing, because their people are invented. */
export const historyKeys = `histories:${Buffer.alloc(32, 'epa-sync').toString('base64')}`;

const mix = { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10 };
const world = { patients: 20, rate: 0.4, mix, notInsuredShare: 0.1, unknownShare: 0.05 };

/**
 * Records the histories that `replay.integration.test.ts` replays:
 * - a first day
 * - one patient's syncs and accesses
 * - removals that wait and are approved
 * - a cancelled run
 * - the workflow insurerLine, paused and resumed until it continues as new
 * - the same workflow, with timed pauses that overlap, are extended and end
 */
if (import.meta.main) {
  const dir = join(import.meta.dirname, 'histories');
  mkdirSync(dir, { recursive: true });
  await using day = await startDay(world, { PAYLOAD_KEYS: historyKeys });
  await day.startWorker();
  const record = async (name: string, workflowId?: string, age = 0): Promise<void> => {
    const recorded = (await historiesOf(day.client, workflowId))[age];
    if (recorded) writeFileSync(join(dir, `${name}.json`), `${historyToJSON(recorded.history)}\n`);
  };
  await day.runToEnd();
  await record('first-day');
  const [{ kvnr = '' } = {}] = day.insurer.patients().filter(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled);
  const patientRef = day.refOf(kvnr);
  await usePatientRecord(day, patientRef);
  await record('patient-record', patientRecordId(patientRef));
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
