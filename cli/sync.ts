import type { Command } from 'commander';
import { addAccessLogCommands } from './commands/access-log.ts';
import { addChangesCommand } from './commands/changes.ts';
import { addExportCommands } from './commands/export.ts';
import { addLineCommands } from './commands/line.ts';
import { addPatientCommands } from './commands/patient.ts';
import { addRunCommands } from './commands/run.ts';
import { createProgram } from './program.ts';

const notes = `
Connects to the API of the stack in LOCAL_DIR, as the demo user of the command's role.
If API_URL and EPA_SYNC_TOKEN are set, connects to that API with the rights of that token.
Commands that read patient data are recorded in the patient's access log.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 no stack runs,
5 completed with problems`;

/** Creates the program of `npm run sync`. */
export function createSyncProgram(): Command {
  const program = createProgram('npm run sync --').addHelpText('after', notes);
  program.commandsGroup('Operator:');
  addRunCommands(program);
  addLineCommands(program);
  program.commandsGroup('Clinician:');
  addPatientCommands(program);
  program.commandsGroup('Auditor:');
  addAccessLogCommands(program);
  program.commandsGroup('Integration:');
  addChangesCommand(program);
  addExportCommands(program);
  return program;
}
