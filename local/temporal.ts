import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { StartFailure } from '../terminal/start-failure.ts';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';
import type { PythonTools } from './python-tools.ts';

const run = promisify(execFile);

export interface TemporalSpec {
  readonly command: string;
  readonly port: number;
  /** without it, there is no web UI */
  readonly uiPort?: number;
  /** without it, there are no metrics of the server */
  readonly metricsPort?: number | undefined;
  /** without it, all data is lost at the end */
  readonly databaseFile?: string;
  readonly logDir: string;
  /**
   * Number of partitions of each task queue; 4 by default. With 1, the server needs a tenth less CPU, because tasks and
   * polls need not be forwarded. Must not decrease for a database: tasks in the other partitions would be lost.
   */
  readonly partitions?: number;
  /** Number of builds of a worker that the server takes. Without it, the server's own limit applies. */
  readonly versionsMax?: number;
}

/**
 * Returns the `temporal` to use: TEMPORAL_CLI_PATH, or one on the PATH of version 1.5 or newer, or that of the Python
 * tools.
 */
export async function findTemporal(environment: NodeJS.ProcessEnv, tools: PythonTools): Promise<string> {
  const configured = environment['TEMPORAL_CLI_PATH'];
  if (configured !== undefined && configured !== '') {
    if (await isNewEnough(configured)) return configured;
    throw new StartFailure(`TEMPORAL_CLI_PATH (${configured}) is not a Temporal CLI of version 1.5 or newer`);
  }
  return (await isNewEnough('temporal')) ? 'temporal' : tools.temporal;
}

async function isNewEnough(command: string): Promise<boolean> {
  const answer = await run(command, ['--version']).catch(() => undefined);
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(answer?.stdout ?? '') ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 5);
}

/**
 * By default SQLite syncs each write to disk twice, which slows every call. A write-ahead log is as safe if the server
 * is killed.
 */
const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'].flatMap((pragma) => ['--sqlite-pragma', pragma]);

/** Returns the arguments for settings of the matching service. */
const matching = (settings: Readonly<Record<string, number | undefined>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : ['--dynamic-config-value', `matching.${name}=${value}`],
  );

/** Starts a dev server, and waits until its namespace `default` answers. @throws StartFailure */
export async function startTemporal({
  command,
  port,
  uiPort,
  metricsPort,
  databaseFile,
  logDir,
  partitions,
  versionsMax,
}: TemporalSpec): Promise<ManagedProcess> {
  if (databaseFile !== undefined) mkdirSync(dirname(databaseFile), { recursive: true });
  const server = startProcess({
    name: 'temporal',
    command,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'warn'],
      ...(uiPort === undefined ? ['--headless'] : ['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)]),
      ...(metricsPort === undefined ? [] : ['--metrics-port', String(metricsPort)]),
      ...(databaseFile === undefined ? [] : ['--db-filename', databaseFile, ...pragmas]),
      ...matching({
        numTaskqueueReadPartitions: partitions,
        numTaskqueueWritePartitions: partitions,
        maxVersionsInDeployment: versionsMax,
      }),
    ],
    env: { ...process.env, TEMPORAL_CONFIG_FILE: '', TEMPORAL_API_KEY: '', TEMPORAL_NAMESPACE: '' },
    logDir,
    graceMs: 8_000,
  });
  await untilReady(server, () => namespaceAnswers(`127.0.0.1:${port}`, 'default'), { timeoutMs: 30_000 }).catch(
    async (error: unknown) => {
      await server.stop();
      throw error;
    },
  );
  return server;
}

/** Returns whether a namespace answers at an address without TLS. @throws if the connection fails, or `timeoutMs` are over */
export async function namespaceAnswers(address: string, namespace: string, timeoutMs = 1_000): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: timeoutMs });
  try {
    await connection.withDeadline(Date.now() + timeoutMs, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return true;
  } finally {
    await connection.close();
  }
}
