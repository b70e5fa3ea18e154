// `npm run test:chaos`: the long form of the chaos suite, another one each time. CHAOS_SEED=N repeats one.
import { randomInt } from 'node:crypto';

process.env['CHAOS_SEED'] ??= String(randomInt(1_000_000_000));
process.env['CHAOS_FAULTS'] ??= '2000';
process.argv.push('--project', 'chaos');
await import('../../tools/test.ts');
