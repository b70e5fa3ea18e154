import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Role, roles } from '../../core/domain/access.ts';
import { type Operation, operations } from '../../lambdas/http/routes.ts';
import { kvnr as kvnrSchema, patientRef as patientRefSchema } from '../../lambdas/http/schemas.ts';
import { fetchToken } from '../../local/oidc/token.ts';
import { ensureSchemathesis } from '../../local/python-tools.ts';
import { testDir } from '../../tools/test-dir.ts';
import { type Day, startDay } from '../day.fixture.ts';

// Runs Schemathesis against the API of a whole stack with the data of a day, with the token of each role and without
// one. A role that may not call an operation gets the same answers as any other such role, so the edge cases are tried
// with one of them.
const run = promisify(execFile);
/** Random examples per operation and role, in addition to the edge cases of the schemas. */
const randomExamples = 3;
/** Timeout per role. Far more than a role takes, because the machine may be busy. */
const roleTimeoutMs = 10 * 60_000;
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
];

let schemathesis: string;
let day: Day;
let api: NonNullable<Day['stack']['api']>;
/** file of the OpenAPI document */
let schema: string;
beforeAll(async () => {
  schemathesis = await ensureSchemathesis(testDir);
  day = await startDay({ patients: 20, rate: 0, notInsuredShare: 0 }, {}, { api: true });
  if (day.stack.api === undefined) throw new Error('the stack has no API');
  api = day.stack.api;
  await day.startWorker();
  await day.runToEnd();
  const [patient] = day.insurer.patients();
  if (patient === undefined) throw new Error('the day has no patients');
  const published = await (await fetch(`${api.url}/openapi.json`)).text();
  schema = join(day.stack.dir, 'openapi.json');
  // the examples name a stored patient, so that answers contain data
  writeFileSync(
    schema,
    published
      .replaceAll(String(patientRefSchema.meta()?.['example']), day.refOf(patient.kvnr))
      .replaceAll(String(kvnrSchema.meta()?.['example']), patient.kvnr),
  );
}, 300_000);
afterAll(async () => await day?.[Symbol.asyncDispose]());

/** Operations whose edge cases a role tries: those it may call, and those that it is the first to be refused. */
const withEdgeCases = (role: Role | undefined): string[] =>
  Object.entries<Operation>(operations)
    .filter(([, { roles: allowed }]) => {
      if (role === undefined || typeof allowed === 'string') return true;
      return allowed.includes(role) || roles.find((each) => !allowed.includes(each)) === role;
    })
    .map(([name]) => name);

test.each([...roles, undefined])(
  'as %s, each operation answers as documented, at the edge cases of its schemas',
  {
    timeout: roleTimeoutMs + 10_000,
  },
  async (role) => {
    const token = role && (await fetchToken(api.issuer, api.issuerKeys, role));
    const tried = withEdgeCases(role);
    const config = join(day.stack.dir, `schemathesis-${role}.toml`);
    writeFileSync(
      config,
      `[[operations]]\nexclude-operation-id = ${JSON.stringify(tried)}\nphases.coverage.enabled = false\n`,
    );
    const args = [
      ...['--config-file', config],
      ...['run', schema, '--url', api.url, '--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing'],
      ...['--max-examples', String(randomExamples), '--request-timeout', '30'],
      ...['--continue-on-failure', '--no-color'],
      ...['--generation-deterministic', '--warnings', 'off'],
      ...(token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`]),
    ];
    const options = { cwd: day.stack.dir, timeout: roleTimeoutMs, maxBuffer: 64 << 20 };
    const { stdout } = await run(schemathesis, args, options).catch((error: { stdout?: string; stderr?: string }) => {
      throw new Error(`${error.stdout ?? ''}${error.stderr ?? ''}`, { cause: error });
    });
    expect(stdout).toMatch(new RegExp(`Coverage \\(in [^✅]*✅ +${tried.length} passed`));
    expect(stdout).toMatch(new RegExp(`Fuzzing \\(in [^✅]*✅ +${Object.keys(operations).length} passed`)); // all operations were called
  },
);
