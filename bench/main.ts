import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// Runs all benchmarks, one table each: `npm run bench`. Runs one: `npm run bench -- line`.
const benches = ['line', 'memory', 'export', 'actions', 'on-demand', 'read', 'search'];
const [wanted] = process.argv.slice(2);
if (wanted !== undefined && !benches.includes(wanted)) {
  process.stderr.write(`unknown benchmark "${wanted}". Use one of: ${benches.join(', ')}\n`);
  process.exit(2);
}
for (const bench of benches.filter((name) => wanted === undefined || name === wanted)) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${bench}.ts`)], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
