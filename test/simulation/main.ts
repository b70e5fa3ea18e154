import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, faults: { type: 'string', default: '1000' }, trace: { type: 'boolean', default: false } },
});
const t = performance.now();
const result = await simulate({ seed: Number(values.seed), faults: Number(values.faults), ...(values.trace && { trace: (l) => console.log(l) }) });
console.log(result, ((performance.now() - t) / 1000).toFixed(2), 's');
