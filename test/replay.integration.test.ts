import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { expect, test } from 'vitest';
import { replay } from './histories.fixture.ts';
import { historyKeys } from './record-histories.ts';

const files = globSync(join(import.meta.dirname, 'histories', '*.json'));

test('recorded histories exist', () => {
  expect(files.length).toBeGreaterThan(0);
});

for (const file of files) {
  test(`the recorded history ${basename(file, '.json')} can be replayed`, async () => {
    const history = historyFromJSON(JSON.parse(readFileSync(file, 'utf8')));
    await replay(history, historyKeys);
  });
}
