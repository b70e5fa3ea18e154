import { keepLoopbackDirect } from '../local/proxy.ts';
import { runProgram } from './program.ts';
import { createSyncProgram } from './sync.ts';

keepLoopbackDirect(process.env);

process.on('SIGINT', () => process.exit(130));
process.stdout.on('error', () => process.exit()); // the reader, such as head, has closed the pipe
process.exitCode = await runProgram(createSyncProgram(), process.argv.slice(2));
