import { Command, CommanderError } from 'commander';
import { ConfigError } from '../core/config.ts';
import { errorLine } from '../terminal/start-failure.ts';
import { CommandError, exitCodes } from './command-error.ts';

/**
 * Creates a command-line program. Commands that are added to it inherit how it reports errors.
 * @param name what people type before the arguments, such as `npm run sync --`
 */
export function createProgram(name: string): Command {
  return new Command(name)
    .exitOverride() // throws instead of ending the process, so that runProgram sets the exit code
    .configureOutput({ outputError: () => {} }) // runProgram writes the error
    .addHelpText('before', ({ error }) => (error ? 'epa-sync: a command is needed\n' : ''));
}

/** Messages by the code of a CommanderError, in place of those of commander. */
export type UsageMessages = Readonly<Record<string, string>>;

/** Commander's message would list all arguments, and a KVNR may be among them. */
const withoutArguments: UsageMessages = { 'commander.excessArguments': 'too many arguments' };

/**
 * Runs a program. Writes an error to stderr as one line.
 * @returns the exit code
 */
export async function runProgram(
  program: Command,
  args: readonly string[],
  usageMessages: UsageMessages = withoutArguments,
): Promise<number> {
  const complain = (message: string): void => program.configureOutput().writeErr?.(`epa-sync: ${message}\n`);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0; // --help
      if (error.code !== 'commander.help')
        complain(`${usageMessage(error, usageMessages)}. See ${program.name()} --help.`);
      return exitCodes.usage;
    }
    complain(error instanceof CommandError || error instanceof ConfigError ? error.message : errorLine(error));
    return error instanceof CommandError ? exitCodes[error.fault] : exitCodes.failed;
  }
}

function usageMessage({ code, message }: CommanderError, usageMessages: UsageMessages): string {
  const [line = '', suggestion] = (usageMessages[code] ?? message.replace(/^error: /, '')).split('\n');
  return `${line.replace(/\.$/, '')}${suggestion === undefined ? '' : ` ${suggestion}`}`;
}
