import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { bundleWorkflowCode } from '@temporalio/worker';
import { failureConverterPath } from '../core/temporal/codec.ts';
import { diskFull, isDiskFull, StartFailure } from '../terminal/start-failure.ts';
import { writeFileAtomically } from './files.ts';

const root = dirname(import.meta.dirname);

/**
 * Bundles the workflows if their sources have changed. Runs in a separate process, because it takes seconds and much
 * memory.
 * @returns the file of the bundle
 * @throws StartFailure
 */
export async function ensureWorkflowBundle(bundleDir: string, signal?: AbortSignal): Promise<string> {
  const file = join(bundleDir, `${sourcesHash()}.js`);
  if (existsSync(file)) return file;
  rmSync(bundleDir, { recursive: true, force: true });
  mkdirSync(bundleDir, { recursive: true });
  await promisify(execFile)(process.execPath, [import.meta.filename, file], {
    cwd: root,
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    const output = (error as { stderr?: string }).stderr ?? '';
    if (isDiskFull(output)) throw new StartFailure(diskFull, { cause: error });
    const first = output.split('\n').find((line) => /not found|Error:/.test(line)) ?? String(error);
    throw new StartFailure(`the workflows could not be bundled: ${first.trim()}`, { cause: error });
  });
  return file;
}

function sourcesHash(): string {
  const sources = globSync(['worker/workflows/**/*.ts', 'core/**/*.ts'], { cwd: root });
  const hash = createHash('sha256');
  for (const path of [...sources.filter((path) => !/\.(test|fixture)\.ts$/.test(path)).sort(), 'package-lock.json'])
    hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest('hex').slice(0, 32);
}

if (import.meta.main) {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(root, 'worker', 'workflows', 'index.ts'),
    failureConverterPath,
    workflowInterceptorModules: [join(root, 'worker', 'workflows', 'interceptors.ts')],
  });
  const [, , file = ''] = process.argv;
  writeFileAtomically(file, code);
}
