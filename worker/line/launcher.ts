import { spawnSync } from 'node:child_process';

/** The command that forks a child process, and its arguments before the script. */
export interface Launcher {
  readonly execPath: string;
  /** includes this process's own arguments, so that both processes have the same heap limit */
  readonly execArgv: string[];
}

const setpriv = { command: 'setpriv', args: ['--pdeathsig', 'KILL', '--'] } as const;

/**
 * Returns a launcher whose child ends with its parent, even if the child is frozen when the parent is killed. `setpriv`
 * (util-linux) tells Linux to send SIGKILL then, and becomes node under the same process ID. Without `setpriv`, or with the
 * one of BusyBox, which lacks the option, returns plain node.
 */
export function findLauncher(): Launcher {
  const { command, args } = setpriv;
  const trial = spawnSync(command, [...args, 'true'], { stdio: 'ignore', timeout: 2_000 });
  if (trial.status !== 0) return { execPath: process.execPath, execArgv: process.execArgv };
  return { execPath: command, execArgv: [...args, process.execPath, ...process.execArgv] };
}
