import { ConfigError } from '../core/config.ts';
import { errorLine, StartFailure } from '../terminal/start-failure.ts';
import { replaceIds } from './dev-environment.ts';
import { findRunningStack, updateProcesses } from './endpoints.ts';
import { lastLogLine } from './processes.ts';
import { keepLoopbackDirect } from './proxy.ts';
import { pathsIn, readSettings } from './settings.ts';
import { startWorker, type WorkerIds } from './worker-process.ts';

keepLoopbackDirect(process.env);

/** Runs an additional worker for the running stack, until Ctrl-C or until the stack ends. @returns the exit code */
async function main(): Promise<number> {
  const { localDir } = readSettings(process.env);
  const stack = findRunningStack(localDir);
  if (stack === undefined)
    throw new StartFailure(`no stack runs in ${localDir}. Start one with npm start, or set LOCAL_DIR.`);
  const interrupted = new Promise<number>((resolve) => {
    process
      .on('SIGINT', () => resolve(130))
      .on('SIGTERM', () => resolve(143))
      .on('SIGHUP', () => resolve(143));
  });
  let known: WorkerIds | undefined;
  const worker = await startWorker({
    name: `worker-${process.pid}`,
    env: { ...process.env, ...stack.environment },
    logDir: pathsIn(localDir).logs,
    onIds: (ids) => {
      const before = known;
      known = ids;
      void updateProcesses(localDir, replaceIds(before, ids));
    },
    onLine: (line) => process.stdout.write(`${line}\n`),
  });
  const stackEnded = new Promise<number>((resolve) => {
    setInterval(() => findRunningStack(localDir) === undefined && resolve(0), 1_000).unref();
  });
  try {
    const exitCode = await Promise.race([interrupted, stackEnded, worker.ended.then(() => 1)]);
    if (exitCode === 1) throw new StartFailure(`the worker has ended: ${lastLogLine(worker)}`);
    return exitCode;
  } finally {
    await worker.stop();
    await updateProcesses(localDir, replaceIds(known, undefined));
  }
}

process.exit(
  await main().catch((error: unknown) => {
    process.stderr.write(`epa-sync: ${error instanceof ConfigError ? error.message : errorLine(error)}\n`);
    return 1;
  }),
);
