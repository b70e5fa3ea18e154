import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readEndpoints } from '../../local/endpoints.ts';
import { fetchToken } from '../../local/oidc/token.ts';
import { pathsIn } from '../../local/settings.ts';
import { testDir } from '../../tools/test-dir.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));

/** Returns the `bash` blocks of a page, word for word. */
function commandsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, commands = '']) => commands);
  if (blocks.length === 0) throw new Error(`${page} has no commands`);
  return blocks;
}

/** Environment of a second terminal, next to the one that runs the first command of the README. */
let env: NodeJS.ProcessEnv;
let stack: ChildProcess;
beforeAll(async () => {
  const portBase = 10_000 + 100 * Math.floor(Math.random() * 25);
  env = { ...process.env, LOCAL_DIR: testDir, PORT_BASE: String(portBase), INSURER_PATIENTS: '60' };
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'TEMPORAL_ADDRESS', 'BUCKET_NAME']) delete env[name]; // left by an earlier test
  stack = spawn('npm', ['start', '--', '--fresh'], { cwd: root, env, stdio: 'ignore', detached: true });
  const { oidcIssuer, api } = await vi.waitFor(
    () => {
      const endpoints = readEndpoints(testDir);
      if (endpoints === undefined) throw new Error('no stack yet');
      return endpoints;
    },
    { timeout: 120_000, interval: 250 },
  );
  const token = await fetchToken(oidcIssuer, pathsIn(testDir).issuerKeys, 'management');
  await vi.waitFor(
    async () => {
      const progress = await fetch(`${api}/sync`, { headers: { authorization: `Bearer ${token}` } });
      expect(await progress.json()).toMatchObject({ phase: expect.stringMatching(/care-records|done/) });
    },
    { timeout: 120_000, interval: 500 },
  );
}, 300_000);
afterAll(async () => {
  if (stack.exitCode !== null || stack.pid === undefined) return;
  process.kill(-stack.pid, 'SIGINT'); // Ctrl-C reaches all processes of a terminal
  await once(stack, 'exit');
});

const bash = async (commands: string, more: NodeJS.ProcessEnv = {}): Promise<string> => {
  const options = { cwd: root, env: { ...env, ...more } };
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', commands], options).catch((error) => {
    throw new Error(`${commands}\n${error.stdout}\n${error.stderr}`);
  });
  return stdout;
};

/** Returns the JSON values of an output. Each value begins on a new line, and may span several. */
// biome-ignore lint/suspicious/noExplicitAny: tests check the content
function answersIn(output: string): any[] {
  const answers: unknown[] = [];
  let incomplete = '';
  for (const line of output.split('\n')) {
    incomplete += line;
    try {
      answers.push(JSON.parse(incomplete));
      incomplete = '';
    } catch {
      // the value continues on the next line
    }
  }
  expect(incomplete).toBe('');
  return answers;
}

test('the commands in the guide to the API work as documented', async () => {
  const commands = commandsOf('docs/guides/api-with-curl.md').join(''); // one shell: later blocks use what earlier ones define
  const answers = answersIn(await bash(commands));
  const patientRef = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(answers).toMatchObject([
    { runId: expect.any(String) },
    { runId: expect.any(String), state: expect.any(String) },
    { state: 'paused', busy: false },
    { state: 'paused', openReasons: [{}, { until: expect.any(String) }] },
    { state: 'paused', reason: 'the insurer called' },
    { state: 'open' },
    { patientRef, syncId: expect.any(String) },
    { syncId: expect.any(String) },
    { patient: {}, careRecords: expect.any(Array) },
    { status: 200, type: 'application/pdf', bytes: expect.any(Number) },
    { status: 206, type: 'application/pdf', bytes: 100 },
    { hits: [{ patientRef, familyName: expect.any(String) }] },
    { resourceType: 'CapabilityStatement' },
    { resourceType: 'Bundle', entry: [{ resource: { resourceType: 'Patient' } }] },
    { resourceType: 'Patient' },
    { resourceType: 'Bundle', entry: [{ resource: { resourceType: 'Coverage' } }] },
    { resourceType: 'Bundle' },
    { resourceType: 'Binary', data: expect.any(String) },
    { resourceType: 'Bundle' },
    { resourceType: 'Bundle', entry: expect.any(Array) },
    { state: 'completed', output: expect.any(Array) },
    { resourceType: 'Patient' },
    { state: 'cancelled' },
    { entries: expect.any(Array) },
    { valid: true },
    {}, // no check of all logs has run
    { changes: expect.any(Array), next: expect.any(String) },
    { changes: [], next: expect.any(String) },
    { resourceType: 'Bundle' },
    { mediaType: 'application/pdf', href: expect.any(String) },
  ]);
  expect(readFileSync(join(testDir, 'auskunft.pdf')).subarray(0, 5).toString()).toBe('%PDF-');
  const operations = answers.at(-7).entries.map(({ operation }: { operation: string }) => operation);
  const accesses = ['lookup', 'found', 'request-sync', 'read-sync', 'read-patient', 'read-document'];
  expect(operations).toEqual(expect.arrayContaining([...accesses, 'export']));
  const events: { resource: { subtype: { code: string }[] } }[] = answers.at(-11).entry;
  expect(events.map(({ resource }) => resource.subtype[0]?.code)).toEqual(expect.arrayContaining(accesses));
});

test('the commands in the runbook work as documented, one after the other', async () => {
  const world = await fetch(`http://127.0.0.1:${Number(env['PORT_BASE']) + 81}/world/patients`);
  const { patients } = (await world.json()) as { patients: { kvnr: string; kind: string; isSpoiled: boolean }[] };
  const KVNR = patients.find(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled)?.kvnr ?? '';
  const token = (await bash('npm run --silent token -- auditor')).trim();
  const { api = '' } = readEndpoints(testDir) ?? {};
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const found = await fetch(`${api}/patients/lookup`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ kvnr: KVNR }),
  });
  const { patientRef: PATIENT } = (await found.json()) as { patientRef: string };
  const outputs: string[] = [];
  for (const commands of commandsOf('docs/operations/runbook.md'))
    outputs.push(await bash(commands, { KVNR, PATIENT }));
  const [paused = '', resumed = ''] = outputs;
  expect(paused).toContain('paused');
  expect(paused).toContain('the insurer called');
  expect(resumed).toContain('open');
  expect(outputs.join('')).toMatch(/whole/);
});
