import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformSync } from 'esbuild';

// dependency-cruiser reads TypeScript with TypeScript 5 or swc. TypeScript 7 has no API for it. The visitor of swc does
// not support `using`, and does not distinguish type-only imports. So two copies are checked: one in which each `using`
// is a `const`, with all imports, and one without types, with the imports that remain at run time.
const root = dirname(import.meta.dirname);
const folders = [
  'core',
  'worker',
  'lambdas',
  'infra',
  'console',
  'cli',
  'terminal',
  'simulator',
  'local',
  'tools',
  'bench',
  'docs',
  'test',
].filter((folder) => existsSync(join(root, folder)));

const withoutUsing = (text: string): string => text.replace(/\b(await\s+)?using\s+(\w+\s*=)/g, 'const $2');
const keepsImports = JSON.stringify({ compilerOptions: { verbatimModuleSyntax: true } });
/** Compiles JSX to calls. Removes type-only imports. */
const withoutMarkup = (text: string): string =>
  transformSync(text, { loader: 'tsx', jsx: 'automatic', tsconfigRaw: keepsImports }).code;
const withTypesAsValues = (text: string): string => text.replace(/^(import|export) type (?=[{*\w].* from )/gm, '$1 ');
const readings = {
  all: (text: string, isMarkup: boolean) => withoutUsing(isMarkup ? withoutMarkup(withTypesAsValues(text)) : text),
  'run-time': (text: string, isMarkup: boolean) =>
    withoutUsing(isMarkup ? withoutMarkup(text) : stripTypeScriptTypes(text)),
} as const;

function cruise(reading: keyof typeof readings): boolean {
  const copy = mkdtempSync(join(tmpdir(), 'epa-sync-dependency-rules-'));
  try {
    for (const file of globSync(
      folders.map((folder) => `${folder}/**/*.{ts,tsx}`),
      { cwd: root },
    )) {
      mkdirSync(join(copy, dirname(file)), { recursive: true });
      const text = readFileSync(join(root, file), 'utf8');
      writeFileSync(join(copy, file), readings[reading](text, file.endsWith('.tsx')));
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir');
    for (const file of ['package.json', '.dependency-cruiser.cjs']) cpSync(join(root, file), join(copy, file));
    const program = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
    const args = [
      program,
      ...folders.filter((folder) => existsSync(join(copy, folder))),
      '--config',
      '.dependency-cruiser.cjs',
    ];
    const env = { ...process.env, DEPENDENCY_RULES: reading };
    return spawnSync(process.execPath, args, { cwd: copy, stdio: 'inherit', env }).status === 0;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const isGood = [cruise('all'), cruise('run-time')];
process.exitCode = isGood.every(Boolean) ? 0 : 1;
