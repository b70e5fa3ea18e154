import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import startStack from '../global-setup.ts';
import { checkHistories } from './check.ts';
import { memoryMutants } from './mutants.ts';

/**
 * `npm run model`: checks random histories in memory against the reference model. `--seed` sets the first seed, by default a
 * random one, and `--runs` the number of histories. `--path` replays one history of a report. `--mutant` applies one mutant
 * to the source first (mutants.ts). `--mutants` tries those of the memory and prints which seed finds each. `--emulator` runs the real
 * activities and stores on the emulator instead. `--size` is `small` or `large`: the emulator's histories are small by default.
 */
const text = { type: 'string' } as const;
const { seed, runs, path, mutant, size, ...flags } = parseArgs({
  options: {
    seed: text,
    runs: text,
    path: text,
    mutant: text,
    mutants: { type: 'boolean' },
    emulator: { type: 'boolean' },
    size: text,
  },
}).values;
const options = {
  world: flags.emulator === true ? 'emulator' : 'memory',
  seed: seed === undefined ? randomInt(1, 1_000_000) : Number(seed),
  runs: Number(runs ?? 10_000),
  ...(size !== undefined && { size: size === 'large' ? ('large' as const) : ('small' as const) }),
} as const;

const stopStack =
  options.world === 'emulator' && process.env['AWS_ENDPOINT_URL'] === undefined ? await startStack() : undefined;
if (flags.mutants === true) {
  process.stdout.write(
    '| fault in the source | seed, size | histories until found | what is broken |\n|---|---|---|---|\n',
  );
  for (const [name, { seed: ofMutant = 1, size: sizeOfMutant = 'large' }] of Object.entries(memoryMutants)) {
    const history = { world: 'memory', seed: ofMutant, size: sizeOfMutant, runs: options.runs } as const;
    const { failure } = await checkHistories({ ...history, mutant: name });
    const found = failure === undefined ? 'not found | |' : `${failure.histories} | ${failure.what} |`;
    process.stdout.write(`| ${name} | ${ofMutant}, ${sizeOfMutant} | ${found}\n`);
    if (failure === undefined) process.exitCode = 1;
  }
} else {
  const { failure, ...sums } = await checkHistories({
    ...options,
    shrinks: options.world === 'memory',
    ...(path !== undefined && { paths: [path] }),
    ...(mutant !== undefined && { mutant }),
  });
  process.stdout.write(`${failure?.report ?? `seed ${options.seed}: nothing is broken`}\n${JSON.stringify(sums)}\n`);
  if (failure !== undefined) process.exitCode = 1;
}
await stopStack?.();
