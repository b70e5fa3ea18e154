import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { expect, test } from 'vitest';
import { exportWorkflowId, insurerLineId, patientRecordId } from '../../core/contract/names.ts';
import type { Insurer } from '../../simulator/insurer.ts';
import { openApi } from '../api.fixture.ts';
import { insurerId, startDay } from '../day.fixture.ts';
import { historiesOf, payloadsOf, replay, textsOf } from '../histories.fixture.ts';
import { secretsIn, secretsOf } from '../secrets.fixture.ts';

const { History } = temporal.api.history.v1;
const { ListWorkflowExecutionsResponse } = temporal.api.workflowservice.v1;

const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Returns what Temporal lists about all workflows to a client without a key. */
async function listedTexts(): Promise<string> {
  const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const raw = new Client({ connection });
  const listed = await raw.workflowService.listWorkflowExecutions({ namespace: 'default', pageSize: 1_000 });
  await connection.close();
  return utf8(ListWorkflowExecutionsResponse.encode(ListWorkflowExecutionsResponse.fromObject(listed)).finish());
}

// alone it takes a minute and a half, among three other stacks on two cores four and a half
test('for a run with 2 000 patients, a search and an export, Temporal stores short histories, small payloads, and no name, KVNR or title', {
  timeout: 600_000,
}, async () => {
  await using day = await startDay(
    {
      patients: 2_000,
      rate: 0.3,
      latencyMs: 0,
      slowShare: 0,
      mix: { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10, 'wrong-patient': 3, 'off-contract': 3 },
    },
    {},
    { api: true },
  );
  await day.startWorker();
  const progress = await day.runToEnd();
  expect(progress).toMatchObject({ state: 'completed', careRecords: { pending: 0 } });

  const { call } = await openApi(day.stack);
  const searched = await call('searchPatients', { body: searchFor(day.insurer) });
  expect(searched).toMatchObject({ status: 200, json: { hits: expect.arrayContaining([expect.anything()]) } });
  const { exportId } = (await call('startExport')).json;
  const exported = async () => (await call('readExport', { params: { exportId } })).json.state;
  await expect.poll(exported, { timeout: 120_000, interval: 1_000 }).toBe('completed');

  const histories = await historiesOf(day.client);
  expect(histories.length).toBeGreaterThan(1); // the run has continued as new
  const ofExport = await historiesOf(day.client, exportWorkflowId(exportId));
  expect(ofExport.length).toBeGreaterThan(0);
  const [{ patientRef }] = searched.json.hits;
  const ofFound = await historiesOf(day.client, patientRecordId(patientRef));
  expect(ofFound.length).toBeGreaterThan(0);
  const texts: string[] = [];
  for (const { history } of [...histories, ...ofExport, ...ofFound]) {
    await replay(history, process.env['PAYLOAD_KEYS'] ?? '');
    expect(history.events?.length).toBeLessThanOrEqual(10_000);
    texts.push(...(await textsOf(history, process.env['PAYLOAD_KEYS'] ?? '')));
    for (const payload of payloadsOf(history)) expect(payload.data?.length ?? 0).toBeLessThanOrEqual(64 * 1024);
  }
  texts.push(await listedTexts());

  const stored = texts.join('\n');
  const secrets = secretsOf(day.insurer);
  expect(secrets.size).toBeGreaterThan(2_000);
  expect(secretsIn(stored, secrets)).toEqual([]);
});

test('in Temporal only a client with a key can read who paused the line and why', async () => {
  await using day = await startDay({ patients: 1 });
  await day.startWorker();
  const names = { operator: 'olga.schmidt', reason: 'call by herr lehmann' };
  await day.line.pause(names);
  await day.line.resume(names);
  const handle = day.client.workflow.getHandle(insurerLineId(insurerId));
  const wrong = { operator: names.operator, reason: 'call by herr lehmann\n', seen: 2 };
  await handle.executeUpdate('pause', { args: [wrong] }).catch(() => {}); // rejected: failures contain texts, too
  await handle.executeUpdate('pause', { args: [{ ...names, seen: 1 }] }).catch(() => {});
  const histories = await historiesOf(day.client, insurerLineId(insurerId));
  const stored = [
    await listedTexts(),
    ...histories.map(({ history }) => utf8(History.encode(history).finish())),
  ].join();
  expect(stored).toContain('silenceLine');
  for (const secret of Object.values(names)) expect(stored).not.toContain(secret);
  await day.line.pause(names); // with a key it is readable
  expect(await day.line.readChanges()).toMatchObject([{ by: names.operator }, {}, {}]);
});

/** Returns a search for somebody whose whole birth date the insurer knows, and who is stored. */
function searchFor(insurer: Insurer) {
  for (const { kind, entries } of insurer.patients()) {
    const { birthDate, familyName } = JSON.parse(entries[0] ?? '{}') as Record<string, unknown>;
    const isWhole = typeof birthDate === 'string' && /^\d{4}-(?!00)\d{2}-(?!00)\d{2}$/.test(birthDate);
    if (kind === 'ok' && isWhole && typeof familyName === 'string') return { birthDate, familyName };
  }
  throw new Error('nobody can be searched for');
}
