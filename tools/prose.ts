import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Argument, type Expression, parseSync, Visitor } from 'oxc-parser';
import { ensureGoTools } from './go-tools.ts';
import { testDir } from './test-dir.ts';

const root = dirname(import.meta.dirname);

/** Texts that must stay as they are: recorded, released, or generated from elsewhere. */
const excluded = /(^|\/)(node_modules|cdk\.out)\/|^\.local|^test\/(histories|releases)\//;

/** The calls whose first argument people read: titles of tests, messages of errors, lines in a terminal. */
const callsWithProse = /^(test|describe|say|\w*Error)$/;

/** Text as Vale reads it: lines of Markdown, each with its line number in the source file. */
interface ProseLine {
  readonly text: string;
  readonly line: number;
}

/**
 * Checks Markdown files with Vale (.vale.ini), and of TypeScript and JavaScript files the comments, test titles and error
 * messages. Vale's own readers of source code do not split comments into sentences, so both are handed over as Markdown.
 * @param paths files or folders below the current directory; without any, the whole project
 * @returns one line for each problem: `file:line: message`
 */
export async function findProseProblems(vale: string, paths: readonly string[] = []): Promise<readonly string[]> {
  const mirror = mkdtempSync(join(tmpdir(), 'epa-sync-prose-'));
  try {
    const sources = new Map<string, { readonly file: string; readonly lines: readonly ProseLine[] }>();
    const write = (target: string, text: string): void => {
      mkdirSync(dirname(join(mirror, target)), { recursive: true });
      writeFileSync(join(mirror, target), text);
    };
    for (const file of filesToCheck(paths)) {
      const source = readFileSync(join(root, file), 'utf8');
      if (extname(file) === '.md') {
        write(file, source);
        continue;
      }
      for (const [suffix, lines] of [
        ['.comments.md', commentLines(file, source)],
        ['.strings.md', stringLines(file, source)],
      ] as const) {
        sources.set(`${file}${suffix}`, { file, lines });
        write(`${file}${suffix}`, lines.map(({ text }) => text).join('\n'));
      }
    }
    const { stdout } = await promisify(execFile)(
      vale,
      ['--config', join(root, '.vale.ini'), '--no-exit', '--output=JSON', '.'],
      { cwd: mirror, maxBuffer: 64 << 20 },
    );
    const alerts = JSON.parse(stdout) as Record<string, readonly { Line: number; Message: string }[]>;
    return Object.entries(alerts).flatMap(([name, found]) => {
      const target = name.replace(/^\.\//, '');
      const { file, lines } = sources.get(target) ?? { file: target };
      return found.map(({ Line, Message }) => `${file}:${lines ? (lines[Line - 1]?.line ?? 1) : Line}: ${Message}`);
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

/** Returns the first arguments of the calls with prose, each as a paragraph. */
function stringLines(file: string, source: string): readonly ProseLine[] {
  const lines: ProseLine[] = [];
  const collect = ({ callee, arguments: [first], start }: CallWithArguments): void => {
    const text = callsWithProse.test(nameOf(callee)) ? textOf(first) : undefined;
    if (text === undefined) return;
    const line = source.slice(0, first?.start ?? start).split('\n').length;
    for (const part of text.split('\n'))
      lines.push({ text: part.trim().replace(/^#/, '\\#'), line }, { text: '', line });
  };
  new Visitor({ CallExpression: collect, NewExpression: collect }).visit(parseSync(file, source).program);
  return lines;
}

interface CallWithArguments {
  readonly callee: Expression;
  readonly arguments: readonly Argument[];
  readonly start: number;
}

/** Returns the name of what is called: `test` for `test.each(rows)(title)`, `say` for `world.say(text)`. */
function nameOf(callee: Expression): string {
  if (callee.type === 'Identifier') return callee.name;
  if (callee.type === 'CallExpression') return nameOf(callee.callee);
  if (callee.type !== 'MemberExpression') return '';
  if (callee.property.type === 'Identifier' && callee.property.name === 'say') return 'say';
  return nameOf(callee.object);
}

/** Returns the text of a string, with code in place of its expressions. */
function textOf(expression: Argument | undefined): string | undefined {
  if (expression?.type === 'Literal') return typeof expression.value === 'string' ? expression.value : undefined;
  if (expression?.type === 'TemplateLiteral')
    return expression.quasis.map(({ value }) => value.cooked ?? value.raw).join('`x`');
  if (expression?.type === 'BinaryExpression' && expression.operator === '+')
    return `${textOf(expression.left as Expression) ?? '`x`'}${textOf(expression.right) ?? '`x`'}`;
  return undefined;
}

if (process.argv[1] === import.meta.filename) {
  const { vale } = await ensureGoTools(testDir);
  const problems = await findProseProblems(vale, process.argv.slice(2));
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
