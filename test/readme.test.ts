import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readEndpoints } from '../local/endpoints.ts';
import { fetchToken } from '../local/oidc/token.ts';
import { placesIn } from '../local/settings.ts';
import { testDir } from './stack.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);

/** The commands of one of the README's sections, word for word. */
function commandsOf(heading: string): string {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const [, section = ''] = readme.split(`\n## ${heading}\n`);
  const [, commands] = /^```bash\n(.*?)^```$/ms.exec(section) ?? [];
  if (commands === undefined) throw new Error(`the README has no commands under «${heading}»`);
  return commands;
}

/** Starts the stack as the README says. @returns what a terminal beside it needs */
async function npmStart(): Promise<NodeJS.ProcessEnv> {
  const portBase = 10_000 + 100 * Math.floor(Math.random() * 200);
  const env = { ...process.env, LOCAL_DIR: testDir, PORT_BASE: String(portBase) };
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'TEMPORAL_ADDRESS', 'BUCKET_NAME'])
    delete (env as NodeJS.ProcessEnv)[name]; // what an older test has left
  const stack = spawn('npm', ['start', '--', '--fresh'], { cwd: root, env, stdio: 'ignore', detached: true });
  onTestFinished(async () => {
    if (stack.exitCode !== null || stack.pid === undefined) return;
    process.kill(-stack.pid, 'SIGINT'); // Ctrl-C reaches all of a terminal's processes
    await once(stack, 'exit');
  });
  const { oidcIssuer, api } = await vi.waitFor(
    () => {
      const endpoints = readEndpoints(testDir);
      if (endpoints === undefined) throw new Error('no stack yet');
      return endpoints;
    },
    { timeout: 120_000, interval: 250 },
  );
  const token = await fetchToken(oidcIssuer, placesIn(testDir).issuerKeys, 'management');
  await vi.waitFor(
    async () => {
      const progress = await fetch(`${api}/sync`, { headers: { authorization: `Bearer ${token}` } });
      expect(await progress.json()).toMatchObject({ phase: expect.stringMatching(/care-records|done/) });
    },
    { timeout: 120_000, interval: 500 },
  );
  return env;
}

/** The JSON texts of an output, one after the other, each on a line or some. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at whatever came back
function answersIn(output: string): any[] {
  const answers: unknown[] = [];
  let begun = '';
  for (const line of output.split('\n')) {
    begun += line;
    try {
      answers.push(JSON.parse(begun));
      begun = '';
    } catch {
      // it goes on
    }
  }
  expect(begun).toBe('');
  return answers;
}

test('a day with curl goes as the README has it, word for word', async () => {
  const env = await npmStart();
  const commands = commandsOf('A day with `curl`');
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', commands], { cwd: root, env }).catch((error) => {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  });
  const answers = answersIn(stdout);
  const patientRef = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(answers).toMatchObject([
    { runId: expect.any(String) },
    { runId: expect.any(String), state: expect.any(String) },
    { state: 'paused', busy: false },
    { state: 'paused', reason: 'the insurer called' },
    { state: 'open' },
    { patientRef, syncId: expect.any(String) },
    { syncId: expect.any(String) },
    { patient: {}, careRecords: expect.any(Array) },
    { entries: expect.any(Array) },
    { valid: true },
  ]);
  const operations = answers.at(-2).entries.map(({ operation }: { operation: string }) => operation);
  expect(operations).toEqual(expect.arrayContaining(['lookup', 'request-sync', 'read-sync', 'read-patient']));
});
