import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { dailySyncWorkflow } from '../contract/daily-sync.ts';
import { syncTaskQueue } from '../contract/names.ts';
import type { Stores } from '../stores/open-stores.ts';
import { createDailySyncClient } from './daily-sync-client.ts';

/** Starts a run while Temporal describes the workflow with its ID so. */
async function startWhile(described: { type: string; taskQueue: string }) {
  const description = {
    ...{ workflowId: 'daily-sync:kk-nord', status: { name: 'RUNNING' }, memo: { runId: 'of-before' }, raw: {} },
    ...described,
  };
  const temporal = {
    connection: { withDeadline: async (_: number, call: () => Promise<unknown>) => await call() },
    workflow: { signalWithStart: async () => ({ describe: async () => description }) },
  } as unknown as Client;
  const stores = {
    syncRuns: { readProgress: async () => undefined },
    liveProgress: { noteCommand: async () => {} },
    gateOf: () => ({}),
  } as unknown as Stores;
  const config = {
    ...{ INSURER_ID: 'kk-nord', SYNC_WINDOW: 8, CARE_MAX_ATTEMPTS: 40 },
    ...{ REMOVAL_LIMIT_PERCENT: 5, REMOVAL_LIMIT_PEOPLE: 1_000, UNREADABLE_LIMIT_PERCENT: 5 },
  };
  return await createDailySyncClient(temporal, stores, config).start();
}

test('a trigger joins the run in progress', async () => {
  const run = { type: dailySyncWorkflow, taskQueue: syncTaskQueue };
  expect(await startWhile(run)).toEqual({ runId: 'of-before', joined: true });
});

test.each([
  { type: dailySyncWorkflow, taskQueue: 'elsewhere' },
  { type: 'another', taskQueue: syncTaskQueue },
])('a trigger does not join a foreign workflow that has the ID of the run (%o)', async (foreign) => {
  await expect(startWhile(foreign)).rejects.toMatchObject({
    fault: 'temporal-unavailable',
    cause: { code: 'foreign-workflow', message: expect.stringContaining('daily-sync:kk-nord is a foreign workflow') },
  });
});
