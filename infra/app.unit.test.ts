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

test('the runbook names everything with a fixed name that stays after a first deployment has failed', () => {
  const { Resources } = JSON.parse(
    readFileSync(join(root, 'infra', 'stacks', 'snapshots', 'EpaSyncData.json'), 'utf8'),
  ) as { Resources: Record<string, { DeletionPolicy?: string; Properties: { TableName?: string } }> };
  const tables = Object.values(Resources).flatMap(({ DeletionPolicy, Properties: { TableName } }) =>
    DeletionPolicy === 'Retain' && TableName !== undefined ? [TableName] : [],
  );
  expect(tables.length).toBeGreaterThan(0);
  const runbook = readFileSync(join(root, 'docs', 'operations', 'runbook.md'), 'utf8');
  const section = runbook.split(/^## /m).find((text) => text.startsWith('A first deployment has failed')) ?? '';
  const loops = [...section.matchAll(/^for table in (.+); do$/gm)].map(([, names = '']) => names.split(' ').toSorted());
  expect(loops).toEqual([tables.toSorted(), tables.toSorted()]); // to look at them, and to delete them
  for (const command of ['--no-enable-termination-protection', 'delete-stack', '--no-deletion-protection-enabled'])
    expect(section).toContain(command);
});
