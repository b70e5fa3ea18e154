import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, test } from 'vitest';
import { ensureCfnLint } from '../local/python-tools.ts';
import { cfnLintArgs } from '../tools/cfn-lint/args.ts';
import { testDir } from '../tools/test-dir.ts';
import { apiDestinationTemplate, blockOf, lambdaTemplate } from './event-guide.fixture.ts';

test('the templates of the guide to events fit the schemas of AWS', async () => {
  mkdirSync(testDir, { recursive: true });
  const dir = mkdtempSync(join(testDir, 'guide-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const templates = {
    'queue.yaml': blockOf('yaml', '# rule.yaml'),
    'lambda.yaml': lambdaTemplate('https://team.example/events'),
    'api-destination.yaml': apiDestinationTemplate(),
  };
  const files = Object.entries(templates).map(([name, template]) => {
    const file = join(dir, name);
    writeFileSync(file, template);
    return file;
  });
  await promisify(execFile)(await ensureCfnLint(testDir), [...cfnLintArgs, ...files]); // throws with the findings
}, 120_000);
