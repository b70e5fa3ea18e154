import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { createDataConverter } from '../core/codec.ts';
import { dailySyncId } from '../core/contract/names.ts';
import { workflowSource } from '../worker/workflow-source.ts';
import { historyKeys } from './record-histories.ts';

const files = globSync(join(import.meta.dirname, 'histories', '*.json'));

test('there are recorded histories to replay', () => {
  expect(files.length).toBeGreaterThan(0);
});

for (const file of files) {
  test(`what was recorded as ${basename(file, '.json')} goes the same way today`, async () => {
    const history = historyFromJSON(JSON.parse(readFileSync(file, 'utf8')));
    await Worker.runReplayHistory(
      { ...workflowSource(), dataConverter: createDataConverter(historyKeys) },
      history,
      dailySyncId('test-kk'),
    );
  });
}
