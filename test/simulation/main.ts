import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { mutants } from './mutants.ts';
import { reportOf, sumOf } from './report.ts';
import { simulateSeeds } from './seeds.ts';

/**
 * `npm run simulate`: runs the line's code on simulated time. `--seed` sets the first seed, by default a random one, and
 * `--faults` the total number of faults. `--mutant` applies one mutant to the source first (mutants.ts). `--mutants` tries
 * all mutants and prints the seed that finds each.
 */
const usage = 'usage: npm run simulate -- [--seed N] [--faults M] [--mutant "NAME" | --mutants]\n';

function fail(why: string): never {
  process.stderr.write(`simulate: ${why}\n${usage}`);
  process.exit(2);
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number > 0) return number;
  fail(`--${option} ${text}: not a whole number from 1 to 999 999 999`);
}

function readOptions() {
  try {
    const text = { type: 'string' } as const;
    return parseArgs({ options: { seed: text, faults: text, mutant: text, mutants: { type: 'boolean' } } }).values;
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

const { seed, faults = '100000', mutant, mutants: isEachMutant } = readOptions();
if (mutant !== undefined && !Object.hasOwn(mutants, mutant))
  fail(`no mutant "${mutant}"; there are:\n${Object.keys(mutants).join('\n')}`);
const options = {
  firstSeed: seed === undefined ? randomInt(1, 900_000_000) : wholeNumber('seed', seed),
  faults: wholeNumber('faults', faults),
};

if (isEachMutant === true) {
  process.stdout.write('| fault in the source | seed | events | seconds |\n|---|---|---|---|\n');
  for (const name of Object.keys(mutants)) {
    const { results, broken, seconds } = await simulateSeeds({ ...options, mutant: name });
    const found = broken === undefined ? 'not found' : broken.seed;
    process.stdout.write(`| ${name} | ${found} | ${sumOf(results).events} | ${seconds.toFixed(1)} |\n`);
    if (broken === undefined) process.exitCode = 1;
  }
} else {
  const result = await simulateSeeds({ ...options, ...(mutant !== undefined && { mutant }) });
  process.stdout.write(`${reportOf(result)}\n`);
  if (result.broken !== undefined) process.exitCode = 1;
}
