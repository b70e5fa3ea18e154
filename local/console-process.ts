import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { buildCommand } from '../console/build.ts';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';

const root = dirname(import.meta.dirname);

export interface ConsoleProcessSpec {
  readonly port: number;
  /** folder of the built page */
  readonly dir: string;
  readonly apiUrl: string;
  readonly oidcIssuer: string;
  readonly logDir: string;
}

/** Starts a server for the built console. @throws StartFailure */
export async function startConsole({
  port,
  dir,
  apiUrl,
  oidcIssuer,
  logDir,
}: ConsoleProcessSpec): Promise<ManagedProcess> {
  let isListening = false;
  const server = startProcess({
    name: 'console',
    command: process.execPath,
    args: [join(import.meta.dirname, 'console', 'main.ts')],
    env: { ...process.env, CONSOLE_PORT: String(port), CONSOLE_DIR: dir, API_URL: apiUrl, OIDC_ISSUER: oidcIssuer },
    logDir,
    graceMs: 5_000,
    onLine: (line) => {
      isListening ||= line.startsWith('console listening');
    },
  });
  await untilReady(server, async () => isListening, { timeoutMs: 30_000, pollMs: 25 }).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return server;
}

/**
 * Builds the console with Vite if its sources have changed.
 * @returns the folder of the built console
 * @throws StartFailure
 */
export async function ensureConsole(consolesDir: string, signal?: AbortSignal): Promise<string> {
  const dir = join(consolesDir, sourcesHash());
  if (existsSync(dir)) return dir;
  rmSync(consolesDir, { recursive: true, force: true });
  mkdirSync(consolesDir, { recursive: true });
  const building = `${dir}.building`;
  const { command, args, env } = buildCommand(building);
  await promisify(execFile)(command, args, { cwd: root, env, ...(signal && { signal }) }).catch((error: unknown) => {
    const output = (error as { stderr?: string }).stderr ?? '';
    if (isDiskFull(output)) throw new StartFailure(diskFull, { cause: error });
    throw new StartFailure(`the console could not be built: ${output.trim() || String(error)}`, { cause: error });
  });
  renameSync(building, dir);
  return dir;
}

function sourcesHash(): string {
  const sources = globSync(['console/**/*.{ts,tsx,css,html,svg}', 'core/**/*.ts'], { cwd: root });
  const hash = createHash('sha256');
  for (const path of [...sources.filter((path) => !/\.(test|fixture)\.ts$/.test(path)).sort(), 'package-lock.json'])
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 32);
}
