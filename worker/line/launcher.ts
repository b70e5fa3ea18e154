import { spawnSync } from 'node:child_process';

/** How a child is forked: the command and its arguments before those of node's own. */
export interface Launcher {
  readonly execPath: string;
  /** those of this process are among them: each of the two gets the heap that a worker is started with */
  readonly execArgv: string[];
}

const setpriv = { command: 'setpriv', args: ['--pdeathsig', 'KILL', '--'] } as const;

/**
 * The child is to end with its parent, also when it is frozen and cannot notice that its parent was killed: Linux sends it
 * SIGKILL then, if it is started by `setpriv` (util-linux), which becomes node itself under the same process ID. Elsewhere
 * node is started plainly; so too with BusyBox's setpriv, which does not know the option.
 */
export function findLauncher(): Launcher {
  const { command, args } = setpriv;
  const trial = spawnSync(command, [...args, 'true'], { stdio: 'ignore', timeout: 2_000 });
  if (trial.status !== 0) return { execPath: process.execPath, execArgv: process.execArgv };
  return { execPath: command, execArgv: [...args, process.execPath, ...process.execArgv] };
}
