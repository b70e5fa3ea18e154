import { parseArgs } from 'node:util';
import { mutants } from './mutants.ts';
import { simulateSeeds } from './seeds.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    faults: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean' },
  },
});
if (values.mutants) {
  for (const mutant of Object.keys(mutants)) {
    const { results, seconds } = await simulateSeeds({
      firstSeed: Number(values.seed ?? 1),
      faults: 1e9,
      mutant,
      limitMs: 10_000,
    });
    const broken = results.find((r) => r.broken);
    console.log(
      mutant.padEnd(60),
      broken ? `seed ${broken.seed} events ${results.reduce((s, r) => s + r.events, 0)}` : 'NOT FOUND',
      seconds.toFixed(1),
      broken?.broken,
    );
  }
} else {
  const { results, seconds, trace } = await simulateSeeds({
    firstSeed: Number(values.seed ?? 1),
    faults: Number(values.faults ?? 100000),
    ...(values.mutant && { mutant: values.mutant }),
  });
  console.log(trace.join('\n'));
  console.log(
    results.filter((r) => r.broken),
    results.length,
    seconds,
  );
}
