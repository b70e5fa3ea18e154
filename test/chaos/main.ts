// `npm run test:chaos` runs the long chaos suite with a new seed. CHAOS_SEED=N repeats one.
import { randomInt } from 'node:crypto';

process.env['CHAOS_SEED'] ??= String(randomInt(1_000_000_000));
process.env['CHAOS_FAULTS'] ??= '2000';
process.argv.push('--project', 'chaos');
await import('../../tools/test.ts');
