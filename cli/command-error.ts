/** Exit codes of the commands (docs/reference/cli.md, "Exit codes"). */
export const exitCodes = { failed: 1, usage: 2, notFound: 3, notRunning: 4, hasProblems: 5 } as const;

export type CommandFault = keyof typeof exitCodes;

/** Ends a command. Its message is the one line on stderr: what happened, and what to do. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  readonly fault: CommandFault;
  constructor(fault: CommandFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
