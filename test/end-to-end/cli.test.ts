import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { clientConfig, readConfig } from '../../core/config.ts';
import { patientRefOf } from '../../core/crypto/pseudonyms.ts';
import type { AccessEntry } from '../../core/domain/access.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { splitAnswer } from '../../core/domain/split-answer.ts';
import { openStores, type Stores } from '../../core/stores/open-stores.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { publishEndpoints } from '../../local/endpoints.ts';
import { freePorts } from '../../local/free-ports.ts';
import { fetchToken } from '../../local/oidc/token.ts';
import type { ManagedProcess } from '../../local/processes.ts';
import { pathsIn } from '../../local/settings.ts';
import { startWorker } from '../../local/worker-process.ts';
import { ensureWorkflowBundle } from '../../local/workflow-bundle.ts';
import { type Insurer, startInsurer } from '../../simulator/insurer.ts';
import { testDir } from '../../tools/test-dir.ts';
import { compact } from '../day.fixture.ts';
import { compileCache, startTestStack, type TestStack } from '../stack.ts';

const everyoneIsInsured = { notInsuredShare: 0, unknownShare: 0 };

let stack: TestStack;
let insurer: Insurer;
let worker: ManagedProcess;
let standIn: ChildProcess;
let stores: Stores;
let kvnrs: Kvnr[];
const refOf = (kvnr: Kvnr): string =>
  patientRefOf(kvnr, Buffer.from(stack.environment['PSEUDONYM_KEY'] ?? '', 'base64'));

beforeAll(async () => {
  stack = await startTestStack({ api: true });
  Object.assign(process.env, stack.environment);
  const environment = { PATH: process.env['PATH'], ...stack.environment, INSURER_ID: 'test' };
  stores = openStores(readConfig(clientConfig, environment));
  insurer = await startInsurer({
    seed: 7,
    patients: 12,
    malformedEntries: 3,
    latencyMs: 2,
    rate: 0.3,
    ...everyoneIsInsured,
  });
  kvnrs = insurer.patients().flatMap(({ kvnr, isSpoiled }) => (isSpoiled ? [] : [kvnr as Kvnr]));
  worker = await startWorker({
    name: 'worker',
    env: {
      ...environment,
      INSURER_BASE_URL: insurer.baseUrl,
      INSURER_API_TOKEN: insurer.token,
      WORKFLOW_BUNDLE: await ensureWorkflowBundle(pathsIn(testDir).bundles),
      LEASE_MS: '3000',
    },
    logDir: join(stack.dir, 'logs'),
    onIds: () => {},
  });
  // commands find the stack through the files that npm start writes
  standIn = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', 'start.ts'], { stdio: 'ignore' });
  const { lock, issuerKeys } = pathsIn(stack.dir);
  copyFileSync(stack.api?.issuerKeys ?? '', issuerKeys);
  writeFileSync(lock, String(standIn.pid));
  const endpoints = {
    api: stack.api?.url ?? '',
    console: 'nowhere',
    temporal: 'nowhere',
    temporalNamespace: 'nowhere',
    aws: 'nowhere',
    insurer: 'nowhere',
    oidcIssuer: stack.api?.issuer ?? '',
    processes: { worker: [], line: [] },
  };
  publishEndpoints(stack.dir, endpoints, { pid: standIn.pid ?? 0, environment: {} });
}, 300_000);
afterAll(async () => {
  standIn?.kill();
  await worker?.stop();
  await insurer?.close();
  stores?.close();
  await stack?.stop();
}, 60_000);

interface Result {
  readonly exitCode: number | string | null | undefined;
  readonly out: string;
  readonly errors: string;
}

/** Runs `npm run sync`. Its environment says where the stack is, and nothing else. */
async function sync(
  args: readonly string[],
  settings: NodeJS.ProcessEnv = { LOCAL_DIR: stack.dir },
  typed = '',
): Promise<Result> {
  const cli = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  const options = { env: { PATH: process.env['PATH'], ...compileCache, ...settings }, maxBuffer: 64 << 20 };
  return await new Promise((resolve) => {
    const { stdin } = execFile(process.execPath, [cli, ...args], options, (error, out, errors) =>
      resolve({ exitCode: error === null ? 0 : error.code, out, errors }),
    );
    stdin?.end(typed);
  });
}

test('start, status, runs and issues show a run from its start to its end', async () => {
  expect(await sync(['status'])).toEqual({
    exitCode: 3,
    out: '',
    errors: 'epa-sync: there is no such run. Start one with npm run sync -- start.\n',
  });
  expect(await sync(['runs'])).toMatchObject({ exitCode: 3 });
  insurer.script(
    { match: 'list', fault: 'server-error' },
    { match: 'list', fault: 'none', slowMs: 10_000, framing: 'content-length' },
  );
  const started = await sync(['start']);
  const [, runId = ''] = /^run (\S+) is in progress/.exec(started.out) ?? [];
  expect(started).toMatchObject({ exitCode: 0, errors: '' });
  let whileListArrives = '';
  while (!whileListArrives.includes(' left\n')) whileListArrives = (await sync(['status'])).out;
  expect(whileListArrives).toMatch(/^list {10}\[█*░*\] \d.* k?B of \d\.\d kB · \d.* k?B\/s · about \d:\d\d left$/m);
  expect(whileListArrives).toMatch(/^ {14}1 requests, 1 failed \(server-error 1\) · since /m);
  expect(await sync(['status', '--watch'])).toEqual({
    exitCode: 5, // three of fifteen entries are quarantined
    out: expect.stringContaining(`run ${runId} completed-with-problems after`),
    errors: expect.stringMatching(
      /^epa-sync: the run is completed with problems: 20 % of the list, .* was unreadable\. See npm run sync -- issues\.\n$/,
    ),
  });
  const progress = JSON.parse((await sync(['status', '--json'])).out);
  expect(progress).toMatchObject({
    runId,
    state: 'completed-with-problems',
    stale: false,
    patients: { listed: kvnrs.length },
  });
  expect((await sync(['runs'])).out).toMatch(new RegExp(`^${runId}\tcompleted-with-problems\t${kvnrs.length} listed`));
  const issues = JSON.parse((await sync(['issues', '--json'])).out);
  expect(issues).toHaveLength(progress.patients.quarantined + progress.patients.flagged);
  expect((await sync(['issues'])).out.split('\n').filter((line) => line.startsWith('quarantined\t'))).toHaveLength(
    progress.patients.quarantined,
  );
  const report = await sync(['insurer-report', '--run', runId]);
  expect(report.out).toMatch(
    /^"run","started","finished","request","effect","problem","where","count","of","examples"\r\n/,
  );
  expect(report.out).toMatch(new RegExp(`^"${runId}",.*,"list","not-stored",".*","\\$\\[\\*\\].*\r$`, 'm'));
  for (const kvnr of kvnrs) expect(report.out).not.toContain(kvnr);
  const file = join(stack.dir, 'report.csv');
  const today = new Date().toISOString().slice(0, 10);
  expect(await sync(['insurer-report', '--from', '2026-01-01', '--output', file])).toMatchObject({
    exitCode: 0,
    out: expect.stringMatching(/^\d+ problems are in .*report\.csv\n$/),
  });
  expect(readFileSync(file, 'utf8')).toBe(report.out);
  expect(await sync(['insurer-report', '--run', runId, '--from', today])).toMatchObject({ exitCode: 2, out: '' });
  expect(await sync(['cancel', 'too late'])).toMatchObject({
    exitCode: 3,
    errors: 'epa-sync: no run is in progress. Start one with npm run sync -- start.\n',
  });
  expect(await sync(['cancel'])).toMatchObject({ exitCode: 2 });
  expect(await sync(['removals', 'approve'])).toMatchObject({ exitCode: 3 });
  expect(await sync(['removals', 'perhaps'])).toMatchObject({ exitCode: 2 });
});

test('an issue is acknowledged with a note, by its ID', async () => {
  const [issue] = JSON.parse((await sync(['issues', '--json', '--kind', 'quarantined'])).out);
  expect(issue).toMatchObject({ kind: 'quarantined', runs: 1 });
  expect((await sync(['issues', '--acknowledged'])).out).toBe('no such issues in the last run\n');
  expect(await sync(['issues', 'acknowledge', issue.id, 'ticket', '4711'])).toMatchObject({ exitCode: 0, errors: '' });
  const { out } = await sync(['issues', '--acknowledged']);
  expect(out).toMatch(new RegExp(`^quarantined\t.*\tacknowledged by .*: ticket 4711\tid: ${issue.id}\n$`));
  const open = JSON.parse((await sync(['issues', '--json', '--open', '--kind', 'quarantined'])).out);
  expect(open).toHaveLength(2);
  expect(await sync(['issues', 'acknowledge', '0'.repeat(32), 'none'])).toMatchObject({
    exitCode: 3,
    errors: expect.stringContaining('there is no such issue'),
  });
  expect(await sync(['issues', 'acknowledge', issue.id])).toMatchObject({ exitCode: 2 });
});

test('patient prints exactly what the insurer sent, with the content of all documents', async () => {
  const sent = insurer.patients().find(({ careRecords }) => /"contentBase64": *"\w/.test(careRecords ?? ''));
  if (sent?.careRecords == null) throw new Error('no patient has a document');
  const { out, exitCode } = await sync(['patient', sent.kvnr]);
  expect(exitCode).toBe(0);
  const records = splitAnswer(sent.careRecords).records.length;
  expect(records).toBeGreaterThan(0);
  const careRecords = /"careRecords":(\[.*\])/s.exec(compact(sent.careRecords))?.[1];
  expect(compact(out)).toContain(`"careRecords":${careRecords}`);
  expect(sent.entries.map((entry) => `{"patient":${compact(entry)},`)).toContain(
    compact(out).slice(0, compact(out).indexOf('"careRecords"')),
  );
  expect((await sync(['patient', refOf(sent.kvnr as Kvnr)])).out).toBe(out);
});

test('patient also prints records that are too large for one answer', async () => {
  const kvnr = 'X110434370' as Kvnr;
  const document = (index: number) => `{"id":"d${index}","dose":1.0,"contentBase64":"${'QUJD'.repeat(index)}ü"}`;
  const documents = Array.from({ length: 9 }, (_, index) => document(index)).join(',');
  const numbers = Array.from({ length: 300_000 }, (_, index) => `${index}.0,12345678901234567890`).join(',');
  const huge = `{"id":"huge","numbers":[${numbers}],"documents":[${documents}]}`;
  const small = `{"id":"small","documents":[${document(2)}],"linked":true,"href":"https://example.org"}`;
  const careRecords = `[${small},${huge},{"id":"last","zero":-0}]`;
  await stores.patients.storeNew([{ patientRef: refOf(kvnr), kvnr, body: '{"size":1.70}', contentHash: '' }], 'list');
  await stores.careRecords.stage(refOf(kvnr), '1', splitAnswer(`{"kvnr": "${kvnr}", "careRecords": ${careRecords}}`));
  await stores.patients.activateCareVersion(refOf(kvnr), '1', 1);
  const { out, errors } = await sync(['patient', kvnr]);
  expect(errors).toBe('');
  expect(compact(out) === `{"patient":{"size":1.70},"careRecords":${careRecords},"careRecordsAsOf":"unknown"}`).toBe(
    true,
  );
  const log = JSON.parse((await sync(['access-log', kvnr, '--json'])).out) as AccessEntry[];
  const reads = log.filter(({ operation }) => operation === 'read-document');
  expect(reads).toHaveLength(1 + 9 + 1);
  expect(new Set(reads.map(({ agent }) => agent.who))).toEqual(new Set(['demo-clinician']));
});

test('without an argument, the KVNR is read from standard input, also in lower case and with blanks', async () => {
  const typed = kvnrs[2]?.replace(/\d{3}/g, ' $&').toLowerCase();
  const asked = await sync(['patient'], { LOCAL_DIR: stack.dir }, `${typed}\n`);
  expect(asked).toMatchObject({ exitCode: 0, out: expect.stringContaining('"patient"') });
});

test('find reads birth date and names from standard input, and prints who is found', async () => {
  const sent = insurer
    .patients()
    .find(({ kind, entries }) => kind === 'ok' && /"birthDate":"\d{4}-(?!00)/.test(entries[0] ?? ''));
  const { birthDate, familyName, givenName } = JSON.parse(sent?.entries[0] ?? '{}');
  const find = async (...lines: string[]) =>
    await sync(['find'], { LOCAL_DIR: stack.dir }, lines.map((line) => `${line}\n`).join(''));
  const { out, exitCode } = await find(birthDate, familyName.slice(0, 2).toUpperCase(), '');
  expect(exitCode).toBe(0);
  expect(out).toContain(`${refOf(sent?.kvnr as Kvnr)}\t${birthDate}\t${familyName}\t${givenName}\n`);
  expect(await find(birthDate, '', `${givenName}xyz`)).toMatchObject({ exitCode: 3, out: '' });
  expect(await find(birthDate)).toMatchObject({ exitCode: 2, out: '' });
});

test('an unknown patient ends with exit code 3, an invalid KVNR with 2', async () => {
  expect(await sync(['patient', 'A000000019'])).toMatchObject({ exitCode: 2 });
  const unknown = await sync(['patient', 'A123456780']);
  expect(unknown).toMatchObject({ exitCode: 3, out: '' });
  expect(unknown.errors).toMatch(/^epa-sync: there is no such patient\. .*\n$/);
  expect(unknown.errors).not.toContain('A123456780');
});

test('sync shows a sync on demand from its request to its end', async () => {
  const [kvnr, leaving] = kvnrs as [Kvnr, Kvnr];
  insurer.setFaults({ rate: 0, latencyMs: 3_000 });
  const synced = await sync(['sync', kvnr]);
  insurer.setFaults({ latencyMs: 2 });
  expect(synced).toMatchObject({ exitCode: 0, errors: '' });
  // if the first answer of the API is slow, the sync is already running
  expect(synced.out.replaceAll(/^[\d.]+ s {2}/gm, '')).toMatch(
    /^(requested: .*\nrunning|running: .*)\ncompleted: .*\n$/,
  );
  expect(JSON.parse((await sync(['patient', kvnr])).out).lastSync).toMatchObject({
    state: 'completed',
    requestedBy: 'Dr. Miriam Vogt (demo-clinician)',
  });
  insurer.script({ match: leaving, fault: 'not-insured' });
  expect(await sync(['sync', leaving])).toMatchObject({
    exitCode: 3,
    errors: 'epa-sync: not or no longer insured (410): nothing is stored but the access log\n',
  });
});

test('sync asks about somebody who is not stored', async () => {
  const leaving = kvnrs[1] as Kvnr; // removed by the test before
  insurer.script({ match: leaving, fault: 'unknown' });
  expect(await sync(['sync', leaving])).toMatchObject({
    exitCode: 3,
    errors: 'epa-sync: unknown to the insurer (404): nothing is stored but the access log\n',
  });
  const { exitCode, out } = await sync(['sync', leaving]);
  expect([exitCode, out.split('\n').at(-2)]).toEqual([
    0,
    'provisional: the person is not on the list yet; master data come with the next list',
  ]);
  const patient = JSON.parse((await sync(['patient', leaving])).out);
  expect(patient).toMatchObject({ patient: { kvnr: leaving }, provisional: true });
});

test('line shows who paused, when and why; a sync waits until the line is resumed', async () => {
  const kvnr = kvnrs[2] as Kvnr;
  expect(await sync(['pause'])).toMatchObject({ exitCode: 2 });
  expect((await sync(['pause', 'maintenance', 'until two'])).out).toMatch(/^the line is paused, and silent after .* s/);
  expect((await sync(['pause', 'maintenance until two'])).out).not.toContain('also paused');
  const again = (await sync(['pause', 'another reason'])).out;
  const paused = (await sync(['line'])).out;
  for (const out of [again, paused]) {
    expect(out).toContain(': maintenance until two\n');
    expect(out).toMatch(/^! also paused by Jonas Brandt \(demo-operator\) since .* UTC: another reason$/m);
  }
  expect(paused).toMatch(/^! line paused by Jonas Brandt \(demo-operator\) since .*: maintenance until two$/m);
  expect(paused).toMatch(/^ {2}.* UTC {2}paused {2}by Jonas Brandt \(demo-operator\): maintenance until two$/m);
  const waiting = sync(['sync', kvnr]);
  await expect
    .poll(async () => (await stores.patients.readLastSync(refOf(kvnr)))?.lastSync, { timeout: 10_000 })
    .toBeDefined();
  const resumed = (await sync(['resume', 'it is two'])).out;
  expect(resumed).toContain('the line is open');
  for (const reason of ['maintenance until two', 'another reason'])
    expect(resumed).toMatch(
      new RegExp(`^  it was paused by Jonas Brandt \\(demo-operator\\) since .* UTC: ${reason}$`, 'm'),
    );
  expect((await sync(['resume', 'again'])).out).toBe('the line is open already\n');
  const waited = await waiting;
  expect(waited.out).toContain('! line paused by Jonas Brandt (demo-operator)');
  expect(waited).toMatchObject({ exitCode: 0, errors: '' });
  expect(JSON.parse((await sync(['line', '--json'])).out)).toMatchObject({
    state: 'open',
    changes: [
      { state: 'open', by: 'Jonas Brandt (demo-operator)', reason: 'it is two' },
      { state: 'paused', by: 'Jonas Brandt (demo-operator)', reason: 'another reason' },
      { state: 'paused', by: 'Jonas Brandt (demo-operator)', reason: 'maintenance until two' },
    ],
  });
});

test('pace sets and resets the most requests a minute, and lift says if there is nothing to lift', async () => {
  expect((await sync(['pace', '600', 'the insurer called'])).out).toContain('at most 600 requests a minute');
  const { out } = await sync(['line']);
  expect(out).toMatch(/^ {2}pace: at most 600 requests a minute, set by Jonas Brandt .* UTC: the insurer called$/m);
  expect(out).toMatch(/pace set to 600 requests a minute by Jonas Brandt/);
  expect((await sync(['pace', 'default', 'all is well'])).out).toBe('the line has no limit of requests\n');
  for (const wrong of ['0', '1.5', '6001', 'fast'])
    expect(await sync(['pace', wrong, 'why'])).toMatchObject({
      exitCode: 2,
      errors: expect.stringContaining('1 to 6000'),
    });
  expect((await sync(['lift', 'they are well'])).out).toBe('there is no cooldown to lift\n');
});

test('a pause with an end is shown with it; a wrong end is rejected', async () => {
  for (const [wrong, problem] of [
    ['tomorrow', 'Use 30min, 2h, 1d'],
    ['2026-02-30T08:00:00Z', 'Use 30min, 2h, 1d'],
    ['18:00', 'Use 30min, 2h, 1d'],
    ['45d', 'until is more than 30 days ahead'],
    ['2020-01-01T08:00:00Z', 'until is in the past'],
  ] as const) {
    const errors = expect.stringContaining(problem);
    expect(await sync(['pause', 'maintenance', '--until', wrong])).toMatchObject({ exitCode: 2, errors });
  }
  const { out } = await sync(['pause', 'short', 'maintenance', '--until', '2h']);
  const line = JSON.parse((await sync(['line', '--json'])).out) as { until: string; openReasons: object[] };
  const leftMs = Date.parse(line.until) - Date.now();
  expect([leftMs > 7_000_000, leftMs <= 7_200_000]).toEqual([true, true]);
  expect(line.openReasons).toMatchObject([{ reason: 'short maintenance', until: line.until }]);
  const end = `${line.until.slice(0, 16).replace('T', ' ')} UTC`;
  expect(out).toContain(`no request is sent until ${end}, or until npm run sync -- resume <reason>`);
  const shown = (await sync(['line'])).out;
  expect(shown).toContain(` until ${end}: short maintenance\n`);
  expect(shown).toContain(`  opens by itself at ${end}\n`);
  expect((await sync(['resume', 'done already'])).out).toContain(` until ${end}: short maintenance`);
});

test('an access log of several pages comes whole, as text, JSON and FHIR, and a broken one is found', async () => {
  const patientRef = randomUUID().replaceAll('-', '');
  const drafts = Array.from({ length: 230 }, (_, index) => ({
    id: `${patientRef}-${index}`,
    patientRef,
    recorded: new Date().toISOString(),
    operation: 'read-patient' as const,
    outcome: 'success' as const,
    agent: { who: 'clara', name: 'Clara', role: 'clinician' as const },
    source: { component: 'api' as const },
  }));
  await stores.accessLog.append(patientRef, drafts);
  const entries = JSON.parse((await sync(['access-log', patientRef, '--json'])).out) as AccessEntry[];
  expect(entries.slice(0, 230).map(({ seq }) => seq)).toEqual(drafts.map((_, index) => index + 1));
  const text = (await sync(['access-log', patientRef])).out.split('\n');
  expect(text[0]).toMatch(/^ {4}1 {2}.* UTC {2}read-patient {2}success {2}clara \(Clara\) as clinician$/);
  expect(text.some((line) => line.includes('demo-auditor'))).toBe(true); // the previous command has read the log
  const bundle = JSON.parse((await sync(['access-log', patientRef, '--fhir'])).out);
  expect(bundle).toMatchObject({ resourceType: 'Bundle', type: 'searchset', link: [{ relation: 'self' }] });
  expect(bundle.entry.length).toBeGreaterThan(230);
  const file = join(stack.dir, 'report.html');
  const asked = ['--format', 'html', '--language', 'en', '--output', file];
  expect(await sync(['access-log', 'report', patientRef, ...asked])).toMatchObject({
    exitCode: 0,
    out: expect.stringMatching(/^saved .*report\.html: \d+ bytes\n$/),
  });
  expect(readFileSync(file, 'utf8')).toContain(
    'Clara (user account clara, role: clinician) read your personal details',
  );
  expect((await sync(['verify', patientRef])).out).toMatch(/whole and unchanged: \d{3} entries/);
  const dynamo = new DynamoDBClient({});
  onTestFinished(() => dynamo.destroy());
  const Key = { patientRef: { S: patientRef }, seq: { N: '17' } };
  await dynamo.send(new DeleteItemCommand({ TableName: defaultTables.accessLog, Key }));
  expect(await sync(['verify', patientRef])).toMatchObject({
    exitCode: 1,
    errors: 'epa-sync: the access log is broken: entry 17 was removed before its time\n',
  });
  expect((await sync(['check-logs'])).out).toBe('no check of the access logs yet. Start one with --start.\n');
  expect((await sync(['check-logs', '--start'])).out).toBe('a check of all access logs is in progress\n');
  const checked = async () => await sync(['check-logs']);
  await expect.poll(async () => (await checked()).out, { timeout: 60_000, interval: 1_000 }).toContain(' completed, ');
  const { exitCode, out, errors } = await checked();
  expect(out).toContain(`${patientRef}: entry 17 was removed before its time\n`);
  expect({ exitCode, errors }).toEqual({ exitCode: 1, errors: 'epa-sync: 1 access logs are broken\n' });
});

test('the access logs of a person under two KVNRs come as one, and each is verified', async () => {
  const [before, now] = [randomUUID(), randomUUID()].map((id) => id.replaceAll('-', '')) as [string, string];
  const draft = {
    id: before,
    patientRef: before,
    recorded: new Date().toISOString(),
    operation: 'kvnr-change' as const,
  };
  const by = { outcome: 'success' as const, agent: { who: 'epa-sync', role: 'system' as const } };
  const link = { ...draft, ...by, source: { component: 'sync' as const } };
  await stores.accessLog.append(before, [{ ...link, nextPatientRef: now }]);
  await stores.accessLog.append(now, [{ ...link, patientRef: now, previousPatientRef: before }]);
  const lines = (await sync(['access-log', before])).out.split('\n');
  expect(lines.some((line) => line.endsWith(`epa-sync as system  ${before}`) && line.includes(`(now: ${now})`))).toBe(
    true,
  );
  expect(
    lines.some((line) => line.endsWith(`epa-sync as system  ${now}`) && line.includes(`(before: ${before})`)),
  ).toBe(true);
  const { out } = await sync(['verify', now]);
  for (const ref of [before, now]) expect(out).toContain(`the access log of ${ref} is whole and unchanged`);
});

test('changes shows what has happened to patients, and the cursor to go on from', async () => {
  const [kvnr] = kvnrs as [Kvnr];
  const imported = new RegExp(`^[\\dT:.Z-]+\timported\t${refOf(kvnr)}$`, 'm');
  await expect.poll(async () => (await sync(['changes'])).out, { timeout: 30_000, interval: 1_000 }).toMatch(imported);
  const [, cursor = ''] = /^next: (\S+)\n$/.exec((await sync(['changes', '--since', 'now'])).out) ?? [];
  const { out } = await sync(['changes', '--since', cursor, '--json']);
  expect(JSON.parse(out)).toMatchObject({ changes: [], hasMore: false });
  expect(await sync(['changes', '--since', 'x'])).toMatchObject({
    exitCode: 2,
    errors: expect.stringContaining('since is the next of an answer, or now'),
  });
});

test('with API_URL and EPA_SYNC_TOKEN, commands have the rights of that token only', async () => {
  const { url = '', issuer = '', issuerKeys = '' } = stack.api ?? {};
  const settings = { API_URL: url, EPA_SYNC_TOKEN: await fetchToken(issuer, issuerKeys, 'management') };
  expect(await sync(['status'], settings)).toMatchObject({ exitCode: 0 });
  const rejected = await sync(['start'], settings);
  expect(rejected).toMatchObject({ exitCode: 1, out: '' });
  expect(rejected.errors).toMatch(/^epa-sync: none of your roles may do this\. .*\n$/);
  for (const [token, error] of [
    ['nonsense', 'The token is not a signed JWT'],
    [`${settings.EPA_SYNC_TOKEN.slice(0, -8)}AAAAAAAA`, 'EPA_SYNC_TOKEN has expired'],
  ] as const)
    expect(await sync(['status'], { ...settings, EPA_SYNC_TOKEN: token })).toMatchObject({
      exitCode: 1,
      errors: expect.stringContaining(error),
    });
  expect(await sync(['status'], { API_URL: url })).toMatchObject({ exitCode: 1 });
  const unsafe = await sync(['status'], { ...settings, API_URL: 'http://api.example.org/v1' });
  expect(unsafe.errors).toContain('API_URL: must be https');
});

test('an auditor without another role finds the access log of a removed patient by KVNR', async () => {
  const { url = '', issuer = '', issuerKeys = '' } = stack.api ?? {};
  const settings = { API_URL: url, EPA_SYNC_TOKEN: await fetchToken(issuer, issuerKeys, 'auditor') };
  const leaving = kvnrs[3] as Kvnr;
  insurer.script({ match: leaving, fault: 'not-insured' });
  expect(await sync(['sync', leaving])).toMatchObject({ exitCode: 3 });
  expect(await sync(['patient', leaving])).toMatchObject({ exitCode: 3 });
  expect((await sync(['verify', leaving], settings)).out).toMatch(/whole and unchanged/);
  const { exitCode, out } = await sync(['access-log', leaving], settings);
  expect(exitCode).toBe(0);
  expect(out).toMatch(/ {2}removal \(sync [^)]+\) {2}success {2}epa-sync as system$/m); // the sync that received the 410
  expect(out).toMatch(/ {2}lookup {2}success {2}.* as auditor$/m);
  expect(await sync(['patient', kvnrs[0] ?? ''], settings)).toMatchObject({ exitCode: 1 });
});

test('if no stack runs, one line says what to do', async () => {
  const LOCAL_DIR = join(stack.dir, 'nothing-here');
  expect(await sync(['status'], { LOCAL_DIR })).toEqual({
    exitCode: 4,
    out: '',
    errors: `epa-sync: no stack runs in ${LOCAL_DIR}. Start one with npm start, or set LOCAL_DIR.\n`,
  });
  const API_URL = `http://127.0.0.1:${(await freePorts(1))[0]}`;
  expect(await sync(['status'], { API_URL, EPA_SYNC_TOKEN: 'any' })).toMatchObject({
    exitCode: 4,
    errors: `epa-sync: no API answers at ${API_URL}. Start one with npm start, or set API_URL.\n`,
  });
  expect(await sync(['nonsense'])).toMatchObject({ exitCode: 2 });
  expect(await sync(['status', '--nonsense'])).toMatchObject({ exitCode: 2 });
});
