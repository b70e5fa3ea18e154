import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { mutants } from './mutants.ts';
import { reportOf } from './report.ts';
import { simulateSeeds } from './seeds.ts';

/**
 * `npm run simulate`: the line's code on simulated time. Seeds from a random one on, unless `--seed` says which; in all as
 * many faults as `--faults` says. `--mutant` puts a fault into the source first (mutants.ts).
 */
const usage = `usage: npm run simulate -- [--seed N] [--faults M] [--mutant "NAME"]
mutants:
${Object.keys(mutants)
  .map((name) => `  ${name}`)
  .join('\n')}
`;

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (/^\d{1,9}$/.test(text) && number > 0) return number;
  process.stderr.write(`--${option} ${text}: not a whole number from 1 to 999 999 999\n${usage}`);
  process.exit(2);
}

function readOptions() {
  try {
    const text = { type: 'string' } as const;
    return parseArgs({ options: { seed: text, faults: text, mutant: text } }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}`);
    process.exit(2);
  }
}

const { seed, faults, mutant } = readOptions();
if (mutant !== undefined && !Object.hasOwn(mutants, mutant)) {
  process.stderr.write(`no mutant "${mutant}"\n${usage}`);
  process.exit(2);
}
const result = await simulateSeeds({
  firstSeed: seed === undefined ? randomInt(1, 1_000_000_000) : wholeNumber('seed', seed),
  faults: wholeNumber('faults', faults ?? '100000'),
  ...(mutant !== undefined && { mutant }),
});
process.stdout.write(`${reportOf(result)}\n`);
if (result.results.some(({ broken }) => broken !== undefined)) process.exitCode = 1;
