import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parseSync } from 'oxc-parser';
import { ensureGoTools } from './go-tools.ts';

const root = dirname(import.meta.dirname);

/** Texts that must stay as they are: recorded, released, or generated from elsewhere. */
const excluded = /(^|\/)(node_modules|cdk\.out)\/|^\.local|^test\/(histories|releases)\//;

/** A comment as Vale reads it: lines of Markdown, each with its line number in the source file. */
interface ProseLine {
  readonly text: string;
  readonly line: number;
}

/**
 * Checks Markdown files and the comments of TypeScript and JavaScript files with Vale (.vale.ini).
 * Vale's own readers of source code do not split comments into sentences, so comments are handed over as Markdown.
 * @param paths files or folders below the current directory; without any, the whole project
 * @returns one line for each problem: `file:line: message`
 */
export async function findProseProblems(vale: string, paths: readonly string[] = []): Promise<readonly string[]> {
  const mirror = mkdtempSync(join(tmpdir(), 'epa-sync-prose-'));
  try {
    const sources = new Map<string, readonly ProseLine[]>();
    for (const file of filesToCheck(paths)) {
      const source = readFileSync(join(root, file), 'utf8');
      const lines = extname(file) === '.md' ? undefined : commentLines(file, source);
      const target = lines ? `${file}.md` : file;
      if (lines) sources.set(target, lines);
      mkdirSync(dirname(join(mirror, target)), { recursive: true });
      writeFileSync(join(mirror, target), lines ? lines.map(({ text }) => text).join('\n') : source);
    }
    const { stdout } = await promisify(execFile)(
      vale,
      ['--config', join(root, '.vale.ini'), '--no-exit', '--output=JSON', '.'],
      { cwd: mirror, maxBuffer: 64 << 20 },
    );
    const alerts = JSON.parse(stdout) as Record<string, readonly { Line: number; Message: string }[]>;
    return Object.entries(alerts).flatMap(([name, found]) => {
      const target = name.replace(/^\.\//, '');
      const lines = sources.get(target);
      return found.map(({ Line, Message }) =>
        lines
          ? `${target.slice(0, -'.md'.length)}:${lines[Line - 1]?.line ?? 1}: ${Message}`
          : `${target}:${Line}: ${Message}`,
      );
    });
  } finally {
    rmSync(mirror, { recursive: true, force: true });
  }
}

function filesToCheck(paths: readonly string[]): readonly string[] {
  const wanted = paths.map((path) => relative(root, resolve(path)));
  const patterns =
    wanted.length === 0
      ? ['**/*.{md,ts,tsx,mjs,cjs}', '.*.cjs', '.github/**/*.md']
      : wanted.map((path) =>
          statSync(join(root, path)).isDirectory() ? join(path, '**/*.{md,ts,tsx,mjs,cjs}') : path,
        );
  const found = globSync(patterns, { cwd: root, exclude: (name) => excluded.test(`${name}/`) });
  return [...new Set(found)].filter((file) => !excluded.test(file)).sort();
}

/** Returns the comments of a source file: neighbouring `//` lines are one text, each JSDoc tag is one. */
function commentLines(file: string, source: string): readonly ProseLine[] {
  const lines: ProseLine[] = [];
  let previousEndLine = -1;
  for (const { type, value, start } of parseSync(file, source).comments) {
    const firstLine = source.slice(0, start).split('\n').length;
    const isAlone = /^\s*$/.test(source.slice(source.lastIndexOf('\n', start - 1) + 1, start));
    const continues = type === 'Line' && isAlone && firstLine === previousEndLine + 1;
    if (!continues) lines.push({ text: '', line: firstLine });
    const texts = value.split('\n');
    for (const [index, raw] of texts.entries()) {
      const text = raw.replace(/^\s*\*?\s*/, '').trim();
      const line = firstLine + index;
      // the name of a parameter is no part of the sentence
      const tags = text.split(/(?=@(?:param|returns?|throws|see|example|default)\b)/);
      for (const tag of tags) {
        const isTag = /^@\w/.test(tag);
        if (isTag) lines.push({ text: '', line });
        lines.push({ text: isTag ? tag.replace(/^@(param \S+|\w+)\s*/, '') : tag.replace(/^#/, '\\#'), line });
      }
    }
    previousEndLine = type === 'Line' && isAlone ? firstLine : -1;
  }
  return lines;
}

if (process.argv[1] === import.meta.filename) {
  const localDir = process.env['LOCAL_DIR'] ?? join(root, '.local', 'test');
  const { vale } = await ensureGoTools(resolve(localDir));
  const problems = await findProseProblems(vale, process.argv.slice(2));
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
