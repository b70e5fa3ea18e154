import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ensureCfnLint } from '../local/python-tools.ts';
import { cfnLintArgs } from './cfn-lint/args.ts';
import { ensureGoTools, type GoTools } from './go-tools.ts';
import { testDir } from './test-dir.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const bin = join(root, 'node_modules', '.bin');

/** The checks that are in progress. */
export interface RunningChecks {
  /** Resolves once only those are left that wait for a build of Go programs. */
  readonly withoutBuild: Promise<unknown>;
  /** Resolves with whether all pass. */
  readonly areGood: Promise<boolean>;
}

type Check = readonly [what: string, command: string | Promise<string>, args: readonly string[]];

/** The name of each check, and its command: a program of node_modules/.bin, a Python program, or a script that Node runs. */
const checksWithout = (cfnLint: Promise<string>): readonly Check[] => [
  ['types', join(bin, 'tsc'), ['-p', '.']],
  ['types of the browser', join(bin, 'tsc'), ['-p', 'console']],
  [
    'format and lint',
    join(bin, 'biome'),
    ['ci', '--error-on-warnings', `--colors=${process.stdout.isTTY ? 'force' : 'off'}`, '.'],
  ],
  ['promises and switches', join(bin, 'oxlint'), ['--type-aware', '--deny-warnings']],
  [
    'dependency rules',
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'check-dependency-rules.ts')],
  ],
  ['dead code', process.execPath, [join(bin, 'knip')]],
  ['compose file', process.execPath, [join(bin, 'dclint'), '--max-warnings', '0', 'docker-compose.yml']],
  // the templates of production, as infra/app.integration.test.ts compares them with the app; it checks those of other stages
  ['templates', cfnLint, [...cfnLintArgs, ...globSync('infra/stacks/snapshots/*.json', { cwd: root })]],
];

/** The checks that are Go programs, or need one. */
const checksOf = (goTools: Promise<GoTools>): readonly Check[] => [
  // waits for the tools, so that only one process builds them
  ['prose', goTools.then(() => process.execPath), [join(import.meta.dirname, 'prose.ts')]],
  // shellcheck and pyflakes are not installed everywhere, so the result must not depend on them
  [
    'GitHub workflows',
    goTools.then(({ actionlint }) => actionlint),
    ['-shellcheck=', '-pyflakes=', ...globSync('.github/workflows/*.yml', { cwd: root })],
  ],
];

/** Starts all checks in parallel, and prints the output of those that fail. */
export function startChecks(): RunningChecks {
  const startedAt = performance.now();
  const runEach = async (checks: readonly Check[]): Promise<boolean> => {
    const results = await Promise.all(checks.map(async (check) => await runCheck(check, startedAt)));
    return results.every(Boolean);
  };
  const others = runEach(checksWithout(ensureCfnLint(testDir)));
  const ofGo = runEach(checksOf(ensureGoTools(testDir)));
  const isAddressKept = isInsurerAddressKept();
  return {
    withoutBuild: others,
    areGood: Promise.all([others, ofGo]).then((results) => isAddressKept && results.every(Boolean)),
  };
}

/** Runs a check once its program is there. @returns whether it passes */
async function runCheck([what, command, args]: Check, startedAt: number): Promise<boolean> {
  const start = async () => await run(await command, args, { cwd: root, maxBuffer: 64 << 20 });
  const failure = await start().then(
    () => undefined,
    ({ stdout = '', stderr = '', message }: Error & { stdout?: string; stderr?: string }) =>
      `${stdout}${stderr}` || `${message}\n`, // a command that could not be installed or started has printed nothing
  );
  say(what, failure === undefined, startedAt);
  if (failure !== undefined) process.stdout.write(failure);
  return failure === undefined;
}

/** Returns whether only worker/line holds the insurer's address (docs/explanation/architecture.md, "Allowed imports"). */
function isInsurerAddressKept(): boolean {
  const startedAt = performance.now();
  const holders = globSync('{core,worker,lambdas}/**/*.ts', { cwd: root })
    .filter(
      (file) =>
        !/\.(test|fixture)\.ts$/.test(file) && !/^(worker\/line\/|worker\/line-main\.ts$|core\/config\.ts$)/.test(file),
    )
    .filter((file) => readFileSync(join(root, file), 'utf8').includes('INSURER_BASE_URL'));
  say("insurer's address", holders.length === 0, startedAt);
  for (const file of holders)
    process.stdout.write(`${file} names INSURER_BASE_URL: only worker/line and worker/line-main.ts may\n`);
  return holders.length === 0;
}

const say = (what: string, isGood: boolean, startedAt: number): void => {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${isGood ? '✓' : '✗'} ${what.padEnd(24)} ${seconds} s\n`);
};
