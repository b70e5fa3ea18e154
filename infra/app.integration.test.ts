import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = dirname(import.meta.dirname);
const context = {
  ...(JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context: object }).context,
  'aws:cdk:bundling-stacks': [],
  INSURER_ID: 'kk-nord',
  INSURER_BASE_URL: 'https://leitung.kk-nord.example',
  TEMPORAL_ADDRESS: 'eu-central-1.aws.api.temporal.io:7233',
  TEMPORAL_NAMESPACE: 'epa-sync-prod.a1b2c',
  OIDC_ISSUER: 'https://login.klinik.example',
  OIDC_AUDIENCE: 'epa-sync-api',
  CONSOLE_ORIGIN: 'https://konsole.klinik.example',
};

/** Synthesises the app as cdk does. @returns each stack's template as text, or what it has said */
function synthesise(more: object): { readonly templates: ReadonlyMap<string, string>; readonly said: string } {
  const dir = mkdtempSync(join(tmpdir(), 'epa-sync-app-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const env = { ...process.env, CDK_OUTDIR: dir, CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...more }) };
  const { stdout, stderr } = spawnSync(process.execPath, ['infra/app.ts'], { cwd: root, env, encoding: 'utf8' });
  const files = readdirSync(dir).filter((file) => file.endsWith('.template.json'));
  const templates = files.map(
    (file) => [file.replace('.template.json', ''), readFileSync(join(dir, file), 'utf8')] as const,
  );
  return { templates: new Map(templates), said: stdout + stderr };
}

/** Hashes of what is uploaded change with every line of code, and say nothing of what is deployed. */
const withoutHashes = (template: string): string =>
  template.replace(/\b[0-9a-f]{64}\b/g, 'hash').replace(/"[0-9a-f]{16}"/g, '"hash"');

test('what production consists of is what it was, or the change is meant: npm test -- infra/app.integration.test.ts -u', {
  timeout: 60_000,
}, async () => {
  const { templates, said } = synthesise({ stage: 'prod' });
  expect([...templates.keys()].sort(), said).toEqual([
    'EpaSyncApi',
    'EpaSyncConsole',
    'EpaSyncData',
    'EpaSyncObservability',
    'EpaSyncWorker',
  ]);
  for (const [stack, template] of templates)
    await expect(withoutHashes(template)).toMatchFileSnapshot(`stacks/snapshots/${stack}.json`);
});

test('a laptop gets what its emulators know, a team’s first stage all of it, and each resource says whose it is', {
  timeout: 60_000,
}, () => {
  expect([...synthesise({ stage: 'local' }).templates.keys()].sort()).toEqual(['EpaSyncApi', 'EpaSyncData']);
  const { templates } = synthesise({ stage: 'dev' });
  expect(templates.size).toBe(5);
  const { Resources } = JSON.parse(templates.get('EpaSyncData') ?? '') as {
    Resources: Record<string, { Type: string; Properties: { Tags?: unknown } }>;
  };
  const tables = Object.values(Resources).filter(({ Type }) => Type === 'AWS::DynamoDB::Table');
  for (const { Properties } of tables)
    expect(Properties.Tags).toEqual([
      { Key: 'app', Value: 'epa-sync' },
      { Key: 'stage', Value: 'dev' },
    ]);
});

test('a stage that is not filled in is told so, with everything that is missing', { timeout: 60_000 }, () => {
  const { said, templates } = synthesise({
    stage: 'prod',
    OIDC_ISSUER: undefined,
    TEMPORAL_NAMESPACE: undefined,
  });
  expect(templates.size).toBe(0);
  for (const name of ['OIDC_ISSUER', 'TEMPORAL_NAMESPACE']) expect(said).toContain(name);
});
