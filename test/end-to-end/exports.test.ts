import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportWorkflowId } from '../../core/contract/names.ts';
import { type ApiCall, openApi } from '../api.fixture.ts';
import { type Day, type RunningWorker, startDay } from '../day.fixture.ts';

// An export from the request to the download, with a whole stack: the workflow, its worker, and the API.

let day: Day;
let worker: RunningWorker;
let api: Awaited<ReturnType<typeof openApi>>;
let exportId: string;

beforeAll(async () => {
  day = await startDay({ patients: 40, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  worker = await day.startWorker();
  await day.runToEnd();
  api = await openApi(day.stack);
}, 300_000);
afterAll(async () => await day?.[Symbol.asyncDispose]());

const ofExport = (role: 'integration' | 'operator' = 'integration'): ApiCall => ({
  params: { exportId },
  token: api.tokens.get(role),
});
const read = async (role?: 'operator') => (await api.call('readExport', ofExport(role))).json;
const ended = async () =>
  await expect.poll(async () => (await read()).state, { timeout: 60_000, interval: 250 }).toBe('completed');

test('an export that is promised while no worker runs is durable, and no second one can start', async () => {
  await worker.kill();
  const started = await api.call('startExport');
  expect(started).toMatchObject({ status: 202, json: { state: 'running', patients: 0, percent: 0 } });
  exportId = started.json.exportId;
  const second = await api.call('startExport');
  expect(second).toMatchObject({ status: 409, json: { type: 'urn:epa-sync:problem:export-in-progress', exportId } });
});

test('the commands in the guide pause and resume an export', async () => {
  const guide = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'guides', 'api-with-curl.md'), 'utf8');
  const [commands = ''] = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block.includes('/pause') ? [block] : [],
  );
  const as = `as() { curl --silent --show-error --fail --header "authorization: Bearer \${!1}" "\${@:2}" && echo; }\n`;
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', `${as}${commands}`], {
    env: { ...process.env, ...Object.fromEntries(api.tokens), api: day.stack.api?.url, export: exportId },
  });
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(answers).toMatchObject([{ state: 'paused' }, { state: 'running' }]);
});

test('a paused export writes nothing, and an operator may pause it', async () => {
  const paused = await api.call('pauseExport', ofExport('operator'));
  expect(paused).toMatchObject({ status: 200, json: { state: 'paused', changed: { by: expect.any(String) } } });
  await day.startWorker();
  const handle = day.client.workflow.getHandle(exportWorkflowId(exportId));
  // the first look at the table has ended, and the workflow waits
  await expect
    .poll(async () => (await handle.fetchHistory()).events?.some(({ timerStartedEventAttributes: timer }) => timer), {
      timeout: 60_000,
    })
    .toBe(true);
  expect(await read()).toMatchObject({ state: 'paused', patients: 0 });
  expect(await day.keysUnder('exports/')).toEqual([]);
});

test('after the resume, each patient is contained exactly once, and only the caller gets the files', async () => {
  await api.call('resumeExport', ofExport());
  await ended();
  const { output, counts, patients, percent } = await read();
  const texts = await Promise.all(
    output.map(async (file: { url: string; sha256: string; count: number }) => {
      const answer = await fetch(file.url);
      expect(answer.headers.get('content-type')).toBe('application/fhir+ndjson');
      expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="\w+-\d{5}\.ndjson"$/);
      const text = await answer.text();
      expect(createHash('sha256').update(text).digest('hex')).toBe(file.sha256);
      expect(text.match(/\n/g)).toHaveLength(file.count);
      return text;
    }),
  );
  const resources: { resourceType: string; id: string }[] = texts
    .join('')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  const stored = await day.storedRefs();
  const idsOf = (type: string) => resources.filter(({ resourceType }) => resourceType === type).map(({ id }) => id);
  expect(idsOf('Patient')).toEqual([...stored].sort());
  expect({ patients, percent }).toEqual({ patients: stored.length, percent: 100 });
  expect(new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`)).size).toBe(resources.length);
  for (const type of Object.keys(counts)) expect(idsOf(type)).toHaveLength(counts[type]);
  expect(counts.DocumentReference).toBeGreaterThan(0);
  // the same resources as the API answers one by one
  const [ref = ''] = stored;
  const one = await api.call('readFhirPatient', { params: { patientRef: ref }, token: api.tokens.get('clinician') });
  expect(resources.find(({ id }) => id === ref)).toEqual(one.json);
  expect(await read('operator')).not.toHaveProperty('output');
});

test('the access log of each patient has one entry that names the export, and the chain is valid', async () => {
  for (const patientRef of await day.storedRefs()) {
    const { entries } = await day.stores.accessLog.read(patientRef, 100);
    expect(entries.filter(({ operation }) => operation === 'export')).toMatchObject([
      { agent: { who: 'demo-integration', role: 'integration' }, entity: { kind: 'export', id: exportId } },
    ]);
    expect(await day.stores.accessLog.verify(patientRef)).toMatchObject({ valid: true });
  }
});

test('cancelling a completed export deletes its files, and the next one can start', async () => {
  const { output } = await read();
  expect(await api.call('cancelExport', ofExport())).toMatchObject({ status: 200, json: { state: 'cancelled' } });
  await expect.poll(async () => await day.keysUnder('exports/'), { timeout: 30_000 }).toEqual([]);
  expect((await fetch(output[0].url)).status).toBe(404);
  expect(await api.call('pauseExport', ofExport())).toMatchObject({ status: 409 });
  const next = await api.call('startExport');
  expect(next.status).toBe(202);
  exportId = next.json.exportId;
  await ended();
  expect((await api.call('listExports')).json.exports).toMatchObject([
    { exportId, state: 'completed' },
    { state: 'cancelled' },
  ]);
});
