import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, type OnTestFinishedHandler, test } from 'vitest';
import { ensureCfnLint } from '../local/python-tools.ts';
import { cfnLintArgs } from '../tools/cfn-lint/args.ts';
import { testDir } from '../tools/test-dir.ts';

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

interface Synthesised {
  readonly templates: ReadonlyMap<string, string>;
  readonly dir: string;
  /** findings of AWS's rules for templates */
  readonly findings: readonly unknown[];
  readonly said: string;
}

/**
 * Synthesizes the app as cdk does. AWS's rules for templates take three times as long as everything else, so they
 * run only on request.
 */
async function synthesise(
  more: object,
  onTestFinished: (end: OnTestFinishedHandler) => void,
  { isValidated = false } = {},
): Promise<Synthesised> {
  const dir = mkdtempSync(join(tmpdir(), 'epa-sync-app-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const env = {
    ...process.env,
    CDK_OUTDIR: dir,
    CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...more }),
    CDK_VALIDATION: String(isValidated),
  };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['infra/app.ts'], { cwd: root, env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  const files = readdirSync(dir);
  const read = (file: string): string => readFileSync(join(dir, file), 'utf8');
  const report = files.includes('validation-report.json') ? JSON.parse(read('validation-report.json')) : {};
  return {
    dir,
    templates: new Map(
      files
        .filter((file) => file.endsWith('.template.json'))
        .map((file) => [file.replace('.template.json', ''), read(file)] as const),
    ),
    findings: report.pluginReports ?? [],
    said: stdout + stderr,
  };
}

/** Replaces hashes of assets, because they change with every line of code. */
const withoutHashes = (template: string): string =>
  template.replace(/\b[0-9a-f]{64}\b/g, 'hash').replace(/"[0-9a-f]{16}"/g, '"hash"');

test.concurrent('the templates of production match their snapshots (after an intended change, run npm test -- infra/app.integration.test.ts -u)', {
  timeout: 150_000,
}, async ({ expect, onTestFinished }) => {
  const { templates, findings, said } = await synthesise({ stage: 'prod' }, onTestFinished, { isValidated: true });
  expect([...templates.keys()].sort(), said).toEqual([
    'EpaSyncApi',
    'EpaSyncConsole',
    'EpaSyncData',
    'EpaSyncObservability',
    'EpaSyncWorker',
  ]);
  expect(findings).toEqual([]);
  for (const [stack, template] of templates)
    await expect(withoutHashes(template)).toMatchFileSnapshot(`stacks/snapshots/${stack}.json`);
});

test.concurrent('a laptop gets the stacks that its emulator supports, the stage dev gets all stacks, all are clean and tagged', {
  timeout: 150_000,
}, async ({ onTestFinished }) => {
  const [laptop, dev] = await Promise.all([
    synthesise({ stage: 'local' }, onTestFinished, { isValidated: true }),
    synthesise({ stage: 'dev' }, onTestFinished, { isValidated: true }),
  ]);
  expect([...laptop.templates.keys()].sort()).toEqual(['EpaSyncApi', 'EpaSyncData']);
  const { templates } = dev;
  expect(templates.size).toBe(5);
  const { Resources } = JSON.parse(templates.get('EpaSyncData') ?? '') as {
    Resources: Record<string, { Type: string; Properties: { Tags?: unknown } }>;
  };
  const tables = Object.values(Resources).filter(({ Type }) => Type === 'AWS::DynamoDB::Table');
  for (const { Properties } of tables)
    expect(Properties.Tags).toEqual([
      { Key: 'app', Value: 'epa-sync' },
      { Key: 'deployment', Value: 'epa-sync' },
      { Key: 'stage', Value: 'dev' },
    ]);
  const files = [laptop, dev].flatMap(({ dir }) => globSync(join(dir, '*.template.json')));
  await promisify(execFile)(await ensureCfnLint(testDir), [...cfnLintArgs, ...files]);
  expect([...laptop.findings, ...dev.findings]).toEqual([]);
});

test.concurrent('a stage without settings is rejected, with a list of everything that is missing', {
  timeout: 150_000,
}, async ({ onTestFinished }) => {
  const missing = { stage: 'prod', OIDC_ISSUER: undefined, TEMPORAL_NAMESPACE: undefined };
  const { said, templates } = await synthesise(missing, onTestFinished);
  expect(templates.size).toBe(0);
  for (const name of ['OIDC_ISSUER', 'TEMPORAL_NAMESPACE']) expect(said).toContain(name);
});

/** Names that are unique within another resource only. */
const innerNames = ['MetricName', 'PolicyName', 'ServiceName', 'StageName'];

interface WholeTemplate {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: object }>>;
  readonly Outputs?: Readonly<Record<string, { readonly Export?: { readonly Name: string } }>>;
}

/** Returns how a name begins; undefined if CloudFormation or another resource decides. */
function beginningOf(name: unknown): string | undefined {
  if (typeof name === 'string') return name;
  const { 'Fn::Join': [, [first] = []] = [], 'Fn::Sub': text } = name as Record<
    string,
    [string, unknown[]] | undefined
  >;
  return [text, first].flat().find((part) => typeof part === 'string');
}

/** Returns all names that a template gives itself: of resources, exports, own metrics, and tables that a role may use. */
function namesIn(template: string): string[] {
  const { Resources, Outputs = {} } = JSON.parse(template) as WholeTemplate;
  const ofResources = Object.values(Resources).flatMap(({ Type, Properties = {} }) => {
    const configs = Object.entries(Properties).filter(([key]) => key.endsWith('Config'));
    return [Properties, ...configs.map(([, config]) => config as object)]
      .flatMap((part) => Object.entries(part))
      .filter(([key]) => key.endsWith('Name') && !innerNames.includes(key))
      .flatMap(([key, name]) => (beginningOf(name) === undefined ? [] : `${Type} ${key}: ${beginningOf(name)}`));
  });
  const exported = Object.values(Outputs).flatMap(({ Export }) => (Export ? `export: ${Export.Name}` : []));
  const used = [...template.matchAll(/(:table\/|alias\/|"Namespace": ?")([^"]+)/g)].map(
    ([, kind, name]) => `${kind}: ${name}`,
  );
  return [...ofResources, ...exported, ...used.filter((each) => !/: (AWS|ECS)\//.test(each))];
}

test.concurrent('every name in the templates of a second deployment begins with its own name', {
  timeout: 150_000,
}, async ({ expect, onTestFinished }) => {
  const { templates, said } = await synthesise(
    { stage: 'prod', deployment: 'kk-nord', 'kk-nord': { stage: 'prod' } },
    onTestFinished,
  );
  expect([...templates.keys()].sort(), said).toEqual(
    ['Api', 'Console', 'Data', 'Observability', 'Worker'].map((part) => `KkNord${part}`),
  );
  const names = [...templates.values()].flatMap(namesIn);
  expect(names.filter((name) => !/: (kk-nord|KkNord)/.test(name))).toEqual([]);
  for (const name of ['AWS::DynamoDB::Table TableName: kk-nord-Patients', ':table/: kk-nord-Patients'])
    expect(names).toContain(name);
});
