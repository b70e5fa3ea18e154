import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createProgram, runProgram } from './program.ts';
import { createSyncProgram } from './sync.ts';

/** Runs `npm run sync` in this process. */
async function sync(...args: string[]) {
  let out = '';
  let errors = '';
  const program = createSyncProgram();
  for (const each of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)])
    each.configureOutput({ writeOut: (text) => (out += text), writeErr: (text) => (errors += text) });
  return { exitCode: await runProgram(program, args), out, errors };
}

test('--help lists all commands by role, and the exit codes', async () => {
  const { exitCode, out, errors } = await sync('--help');
  expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' });
  for (const { name, text } of [
    { name: 'Operator', text: /\n {2}start .*\n {2}status .*\n {2}line /s },
    { name: 'Clinician', text: /\n {2}patient .*\n {2}sync /s },
    { name: 'Auditor', text: /\n {2}access-log .*\n {2}verify /s },
    { name: 'Integration', text: /\n {2}changes .*\n {2}export /s },
  ])
    expect(out.split(`${name}:`)[1]?.split('\n\n')[0]).toMatch(text);
  expect(out).toContain(
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 no stack runs,\n5 completed with problems\n',
  );
});

const commands: readonly (readonly [command: string, usage: string, ...options: string[]])[] = [
  ['start', '[options]'],
  ['status', '[options]', '--json', '--watch'],
  ['cancel', '[options] <reason...>'],
  ['removals', '[options] <approve|reject> [listId]'],
  ['pause', '[options] <reason...>', '--until'],
  ['resume', '[options] <reason...>'],
  ['lift', '[options] <reason...>'],
  ['pace', '[options] <requests> <reason...>'],
  ['line', '[options]', '--json'],
  ['issues', '[options] [command]', '--json', '--kind', '--acknowledged', '--open'],
  ['issues acknowledge', '[options] <issueId> <note...>'],
  ['insurer-report', '[options]', '--run', '--from', '--to', '--output'],
  ['runs', '[options]', '--json'],
  ['patient', '[options] [pseudonym]'],
  ['find', '[options]'],
  ['sync', '[options] [pseudonym]'],
  ['access-log', '[options] [command] [pseudonym]', '--json', '--fhir'],
  ['access-log report', '[options] [pseudonym]', '--language', '--format', '--from', '--to', '--output'],
  ['verify', '[options] [pseudonym]'],
  ['check-logs', '[options]', '--start', '--json'],
  ['changes', '[options]', '--since', '--json'],
  ['export', '[options] [command]'],
  ['export start', '[options]'],
  ['export status', '[options] [exportId]', '--json'],
  ['export pause', '[options] [exportId]'],
  ['export resume', '[options] [exportId]'],
  ['export cancel', '[options] [exportId]'],
  ['export download', '[options] <folder> [exportId]'],
];

test.each(commands)('%s --help shows its arguments and options only', async (command, usage, ...options) => {
  const words = command.split(' ');
  const { exitCode, out, errors } = await sync(...words, '--help');
  expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' });
  expect(out).toContain(`Usage: npm run sync -- ${command} ${usage}\n`);
  expect(out.match(/^ {2}(--\w+)/gm)?.map((option) => option.trim()) ?? []).toEqual(options);
  if (words.length === 1) expect(await sync('help', command)).toEqual({ exitCode: 0, out, errors });
});

test('every command is tested', () => {
  expect(new Set(createSyncProgram().commands.map((command) => command.name()))).toEqual(
    new Set(commands.map(([command]) => command.split(' ')[0])),
  );
});

test.each([
  ['nonsense', "unknown command 'nonsense'"],
  ['stats', "unknown command 'stats' (Did you mean status?)"],
  ['status --nonsense', "unknown option '--nonsense'"],
  ['pause maintenance --json', "unknown option '--json'"],
  [
    'pause maintenance --until tomorrow',
    "option '--until <end>' argument 'tomorrow' is invalid. Use 30min, 2h, 1d, or ISO 8601 with an offset, such as 2026-12-01T18:00:00+01:00",
  ],
  ['patient A123 456789', 'too many arguments'],
  ['cancel', "missing required argument 'reason'"],
  ['removals', "missing required argument 'approve|reject'"],
])('wrong usage ends with exit code 2 and one line: %s', async (args, message) => {
  expect(await sync(...args.split(' '))).toEqual({
    exitCode: 2,
    out: '',
    errors: `epa-sync: ${message}. See npm run sync -- --help.\n`,
  });
});

test('without a command, the usage goes to standard error', async () => {
  const { exitCode, out, errors } = await sync();
  expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
  expect(errors).toMatch(/^epa-sync: a command is needed\n\nUsage: npm run sync -- /);
});

test('the words of a reason are one text', async () => {
  let reason: unknown;
  const program = createSyncProgram();
  program.commands
    .find((command) => command.name() === 'pause')
    ?.action((text) => {
      reason = text;
    });
  expect(await runProgram(program, ['pause', ' the insurer', 'called ', '--', '-5'])).toBe(0);
  expect(reason).toBe(' the insurer called  -5');
});

test('an unexpected error ends with exit code 1 and its message', async () => {
  let errors = '';
  const program = createProgram('test').configureOutput({ writeErr: (text) => (errors += text) });
  program.command('fail').action(() => {
    throw new Error('it broke');
  });
  expect(await runProgram(program, ['fail'])).toBe(1);
  expect(errors).toBe('epa-sync: it broke\n');
});

test.each([
  ['a folder that is missing', join(tmpdir(), 'epa-sync-no-such-folder', 'auskunft.pdf'), 'there is no folder'],
  ['a folder', tmpdir(), 'is a folder'],
])('a report is not made if its file would be in %s', async (_where, output, error) => {
  const ran = await sync('access-log', 'report', '5d41402abc4b2a76b9719d911017c592', '--output', output);
  expect(ran.exitCode).toBe(2);
  expect(ran.errors).toContain(error);
});
