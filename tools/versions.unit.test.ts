import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = dirname(import.meta.dirname);
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const { updates } = parse(read('.github/dependabot.yml')) as {
  readonly updates: readonly {
    readonly 'package-ecosystem': string;
    readonly directory?: string;
    readonly directories?: readonly string[];
  }[];
};
const watched = (ecosystem: string): string[] =>
  updates
    .filter(({ 'package-ecosystem': of }) => of === ecosystem)
    .flatMap(({ directory = [], directories = [] }) => [directory, directories].flat())
    .toSorted();
const foldersOf = (pattern: string): string[] =>
  [
    ...new Set(
      globSync(pattern, { cwd: root, exclude: ['**/node_modules', '.local'] }).map((file) => `/${dirname(file)}`),
    ),
  ].toSorted();

test('the image of the worker starts from an exact version of Node, the same as everywhere', () => {
  const bases = [...read('worker/Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  const version = read('.nvmrc').trim();
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(JSON.parse(read('package.json')).devDependencies.node, 'package.json and .nvmrc').toBe(version);
  expect(new Set(bases), 'worker/Dockerfile and .nvmrc').toEqual(new Set([`node:${version}-bookworm-slim`]));
});

test('the updates of dependencies watch every Dockerfile and all Python packages', () => {
  expect(watched('docker')).toEqual(foldersOf('**/Dockerfile'));
  expect(watched('pip')).toEqual(foldersOf('**/*requirements.txt'));
});
