import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';

const run = promisify(execFile);

/** Paths of the programs in the two pinned Python packages (docs/explanation/architecture.md, "On a laptop"). */
export interface PythonTools {
  readonly temporal: string;
  readonly ministack: string;
}

/** Size of the virtual environment with both packages, doubled because pip unpacks them there. */
const installBytes = 700e6;

const root = dirname(import.meta.dirname);

/**
 * Installs the Python tools into `{localDir}/venv`, unless they are already there.
 * @throws StartFailure without Python 3.10, or if pip cannot install them
 */
export async function ensurePythonTools(
  localDir: string,
  onInstall: () => void = () => {},
  signal?: AbortSignal,
): Promise<PythonTools> {
  const requirements = join(root, 'local', 'requirements.txt');
  const bin = await ensurePythonEnvironment(join(localDir, 'venv'), requirements, 'temporal', onInstall, signal);
  return { temporal: join(bin, 'temporal'), ministack: join(bin, 'ministack') };
}

/**
 * Installs Schemathesis, which only a test needs, into a separate environment, because it has many packages.
 * @throws StartFailure
 */
export async function ensureSchemathesis(localDir: string): Promise<string> {
  const requirements = join(root, 'test', 'api', 'schemathesis-requirements.txt');
  const bin = await ensurePythonEnvironment(
    join(localDir, 'venv-schemathesis'),
    requirements,
    'schemathesis',
    () => {},
  );
  return join(bin, 'schemathesis');
}

/**
 * Installs cfn-lint, which checks CloudFormation templates against AWS's schemas, into a separate environment. It needs
 * no network later.
 * @throws StartFailure
 */
export async function ensureCfnLint(localDir: string): Promise<string> {
  const requirements = join(root, 'tools', 'cfn-lint', 'requirements.txt');
  return join(await ensurePythonEnvironment(join(localDir, 'venv-cfn-lint'), requirements, 'cfn-lint'), 'cfn-lint');
}

/**
 * Installs packages into a virtual environment.
 * @param proof a command that exists once the installation is complete
 * @returns the folder of the commands
 */
export async function ensurePythonEnvironment(
  venv: string,
  requirements: string,
  proof: string,
  onInstall: () => void = () => {},
  signal?: AbortSignal,
): Promise<string> {
  const bin = join(venv, process.platform === 'win32' ? 'Scripts' : 'bin');
  const stamp = join(venv, '.installed');
  const wanted = createHash('sha256').update(readFileSync(requirements)).update(venv).digest('hex');
  const installed = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
  // a system update may have removed the Python that the environment uses
  if (installed && existsSync(join(bin, proof)) && existsSync(join(bin, 'python'))) return bin;

  const python = await findPython();
  onInstall();
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(dirname(venv), { recursive: true });
  const { bavail, bsize } = statfsSync(dirname(venv));
  if (bavail * bsize < installBytes) throw new StartFailure(diskFull); // checked first, because ensurepip does not say why it fails
  const options = { ...(signal && { signal }) };
  await run(python, ['-m', 'venv', venv], options).catch((error: unknown) => {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    if (isDiskFull(stdout + stderr)) throw new StartFailure(diskFull, { cause: error });
    throw new StartFailure(
      `${python} cannot create a virtual environment. Install its venv module (Debian, Ubuntu: apt install python3-venv).`,
      { cause: error },
    );
  });
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--require-hashes',
    '-r',
    requirements,
  ];
  await run(join(bin, 'python'), pip, options).catch((error: unknown) => {
    if (isDiskFull(String((error as { stderr?: string }).stderr))) throw new StartFailure(diskFull, { cause: error });
    throw new StartFailure(`pip could not install the Python tools: ${pipProblem(error)}`, { cause: error });
  });
  writeFileSync(stamp, wanted);
  return bin;
}

async function findPython(): Promise<string> {
  for (const python of ['python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10']) {
    const probe = await run(python, ['-c', 'import sys; print(sys.version_info >= (3, 10))']).catch(() => undefined);
    if (probe?.stdout.trim() === 'True') return python;
  }
  throw new StartFailure('Python 3.10 or newer is required (python3 on the PATH). Install it, then start again.');
}

function pipProblem(error: unknown): string {
  const text = (error as { stderr?: string }).stderr ?? '';
  if (/NameResolution|Connection|Temporary failure|timed out|ProxyError|No matching distribution|SSLError/i.test(text))
    return 'the Python package index is unreachable. Start again when the network is back.';
  return text.trim().split('\n').at(-1) ?? 'no reason given';
}
