import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = dirname(import.meta.dirname);

test('docs/reference/permissions.md lists exactly the roles of the templates', () => {
  const snapshots = join(root, 'infra', 'stacks', 'snapshots');
  const roles = readdirSync(snapshots).flatMap((file) => {
    const template = JSON.parse(readFileSync(join(snapshots, file), 'utf8')) as {
      Resources: Record<string, { Type: string }>;
    };
    const ids = Object.entries(template.Resources).filter(([, { Type }]) => Type === 'AWS::IAM::Role');
    return ids.map(([id]) => `${file.replace('.json', '')}-${id.replace(/[0-9A-F]{8}$/, '')}`);
  });
  const page = readFileSync(join(root, 'docs', 'reference', 'permissions.md'), 'utf8');
  const listed = [...page.matchAll(/^\|[^|]+\| `(EpaSync[^`]+)` \|/gm)].map(([, role]) => role);
  expect(listed.toSorted()).toEqual(roles.toSorted());
});
