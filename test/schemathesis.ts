import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Role, roles } from '../core/domain/access.ts';
import { operations } from '../lambdas/routes.ts';
import { kvnr as kvnrSchema, patientRef as patientRefSchema } from '../lambdas/schemas.ts';
import { fetchToken } from '../local/oidc/token.ts';
import { ensureSchemathesis } from '../local/wheels.ts';
import { startDay } from './day.fixture.ts';
import { testDir } from './stack.ts';

// `npm run test:api`: Schemathesis against the API of a whole stack with a day's data, with the token of each role and
// with none. One line for each, «✓ …» or «✗ …»; the exit code is 0 only if all are good.
const run = promisify(execFile);
/** Of each operation and role, besides the edges of its schemas, whose number the document sets. */
const examplesOfChance = 3;
/** Far more than a role takes, ms: a machine may be busy with something else. */
const roleMs = 10 * 60_000;
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];

const schemathesis = await ensureSchemathesis(testDir);
await using day = await startDay({ patients: 20, rate: 0, notInsuredShare: 0 }, {}, { api: true });
const { api, dir } = day.stack;
if (api === undefined) throw new Error('the stack has no API');
await day.startWorker();
await day.runToEnd();

const [patient] = day.insurer.patients();
if (patient === undefined) throw new Error('the day has no patients');
const published = await (await fetch(`${api.url}/openapi.json`)).text();
const schema = join(dir, 'openapi.json');
// the examples become those of a patient who is stored, or no answer would have data in it
writeFileSync(
  schema,
  published
    .replaceAll(String(patientRefSchema.meta()?.['example']), day.refOf(patient.kvnr))
    .replaceAll(String(kvnrSchema.meta()?.['example']), patient.kvnr),
);

async function fuzz(url: string, token: string | undefined): Promise<{ isGood: boolean; output: string }> {
  const args = [
    ...['run', schema, '--url', url, '--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing'],
    ...['--max-examples', String(examplesOfChance), '--request-timeout', '30'],
    ...['--continue-on-failure', '--no-color'],
    ...['--generation-deterministic', '--warnings', 'off'],
    ...(token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`]),
  ];
  const options = { cwd: dir, timeout: roleMs, maxBuffer: 64 << 20 };
  return await run(schemathesis, args, options).then(
    ({ stdout }) => ({ isGood: isWhole(stdout), output: stdout }),
    ({ stdout = '', stderr = '' }: { stdout?: string; stderr?: string }) => ({
      isGood: false,
      output: stdout + stderr,
    }),
  );
}

/** Whether the edges of all operations were asked. */
const isWhole = (output: string): boolean =>
  new RegExp(`Coverage \\(in [^✅]*✅ +${Object.keys(operations).length} passed`).test(output);

for (const role of [...roles, undefined] satisfies (Role | undefined)[]) {
  const token = role && (await fetchToken(api.issuer, api.issuerKeys, role));
  const { isGood, output } = await fuzz(api.url, token);
  const cases = /(\d[\d,]*) generated/.exec(output)?.[1] ?? 'no';
  console.log(`${isGood ? '✓' : '✗'} schemathesis ${role ? `as ${role}` : 'without a token'}: ${cases} cases`);
  if (isGood) continue;
  console.log(output);
  process.exitCode = 1;
}
