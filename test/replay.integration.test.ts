import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { expect, test } from 'vitest';
import * as workflows from '../worker/workflows/index.ts';
import { replay } from './histories.fixture.ts';
import { historyKeys } from './record-histories.ts';

const histories = globSync(join(import.meta.dirname, 'histories', '*.json')).map((file) => ({
  name: basename(file, '.json'),
  history: historyFromJSON(JSON.parse(readFileSync(file, 'utf8'))),
}));

test('each workflow has a recorded history', () => {
  const recorded = histories.map(
    ({ history }) => history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name,
  );
  expect([...new Set(recorded)].sort()).toEqual(Object.keys(workflows).sort());
});

for (const { name, history } of histories) {
  test(`the recorded history ${name} can be replayed`, async () => {
    await replay(history, historyKeys);
  });
}
