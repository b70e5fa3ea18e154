import { startChecks } from './checks.ts';

process.exitCode = (await startChecks().areGood) ? 0 : 1;
