import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import startStack from '../global-setup.ts';
import { checkHistories } from './check.ts';
import { ruleMutants, storeMutants } from './mutants.ts';

/**
 * `npm run model`: checks random histories in memory against the reference model. `--seed` sets the first seed, by default a
 * random one, and `--runs` the number of histories. `--path` replays one history of a report. `--mutant` applies one mutant
 * to the source first (mutants.ts). `--mutants` tries all of them and prints which seed finds each. `--emulator` runs the real
 * activities and stores on the emulator instead.
 */
const text = { type: 'string' } as const;
const { seed, runs, path, mutant, ...flags } = parseArgs({
  options: {
    seed: text,
    runs: text,
    path: text,
    mutant: text,
    mutants: { type: 'boolean' },
    emulator: { type: 'boolean' },
  },
}).values;
const options = {
  world: flags.emulator === true ? 'emulator' : 'memory',
  seed: seed === undefined ? randomInt(1, 1_000_000) : Number(seed),
  runs: Number(runs ?? 10_000),
} as const;

const stopStack =
  options.world === 'emulator' && process.env['AWS_ENDPOINT_URL'] === undefined ? await startStack() : undefined;
if (flags.mutants === true) {
  process.stdout.write('| fault in the source | seed | histories until found | what is broken |\n|---|---|---|---|\n');
  for (const name of Object.keys(options.world === 'memory' ? ruleMutants : storeMutants)) {
    const { failure } = await checkHistories({ ...options, mutant: name });
    const found = failure === undefined ? 'not found | |' : `${failure.histories} | ${failure.what} |`;
    process.stdout.write(`| ${name} | ${options.seed} | ${found}\n`);
    if (failure === undefined) process.exitCode = 1;
  }
} else {
  const { failure, ...sums } = await checkHistories({
    ...options,
    shrinks: options.world === 'memory',
    ...(path !== undefined && { path }),
    ...(mutant !== undefined && { mutant }),
  });
  process.stdout.write(`${failure?.report ?? `seed ${options.seed}: nothing is broken`}\n${JSON.stringify(sums)}\n`);
  if (failure !== undefined) process.exitCode = 1;
}
await stopStack?.();
