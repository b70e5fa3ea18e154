import { createInterface } from 'node:readline/promises';
import {
  DescribeTableCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  RestoreTableToPointInTimeCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateScan, type ScanCommandInput } from '@aws-sdk/lib-dynamodb';
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { readConfig } from '../core/config.ts';
import { shards } from '../core/domain/shard.ts';
import { batchWrite } from '../core/stores/batch-write.ts';
import { openStores, type Stores } from '../core/stores/open-stores.ts';
import { forEachParallel } from '../core/stores/parallel.ts';
import { tablesOf } from '../core/stores/tables.ts';
import { keepLoopbackDirect } from '../local/proxy.ts';
import { CommandError } from './command-error.ts';
import { readDataOutputs } from './data-outputs.ts';
import { say } from './output.ts';
import { createProgram, runProgram } from './program.ts';

keepLoopbackDirect(process.env);

const notes = `
Settings: INSURER_ID and AWS_REGION must be set, and DEPLOYMENT if the account holds several. The account comes from the variables of AWS (AWS_PROFILE, AWS_ENDPOINT_URL
and so on). The line must be paused. While a command runs, nothing else may write: no worker, no Lambda.
The whole procedure: docs/operations/runbook.md, "Restore from a backup".

Exit codes: 0 done, 1 failed, 2 wrong usage, the line is not paused, or the restore was not confirmed`;

const settings = z.object({ INSURER_ID: z.string().min(1), AWS_REGION: z.string().min(1) });

/** The restoration of a large table takes hours. */
const maxRestoreSeconds = 24 * 60 * 60;
const parallelScans = 8;
const parallelShards = 8;

async function copy(dynamo: DynamoDBDocumentClient, deployment: string, at: Date): Promise<void> {
  const { careRecords, patients } = tablesOf(deployment);
  const tables = [careRecords, patients]; // in this order: a reader follows the careVersion of a patient, so the care records must be there first
  const copyNameOf = (table: string): string => `${table}-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  await Promise.all(tables.map((table) => restoreTable(dynamo, table, copyNameOf(table), at)));
  for (const table of tables) {
    const [now, then] = await Promise.all([countOf(dynamo, table), countOf(dynamo, copyNameOf(table))]);
    say(`${table}: ${now} items now, ${then} at ${at.toISOString()}`);
  }
  await confirm('The copied items replace those with the same key. Type "restore" to go on: ', 'restore');
  for (const table of tables) say(`${table}: ${await copyItems(dynamo, copyNameOf(table), table)} items copied`);
  for (const table of tables) say(`no longer needed: aws dynamodb delete-table --table-name ${copyNameOf(table)}`);
}

/**
 * Restores a table under another name, and waits until it can be read. Continues a restoration that has already begun.
 */
async function restoreTable(dynamo: DynamoDBClient, table: string, copyName: string, at: Date): Promise<void> {
  try {
    await dynamo.send(new DescribeTableCommand({ TableName: copyName }));
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
    const target = { SourceTableName: table, TargetTableName: copyName, RestoreDateTime: at };
    await dynamo.send(new RestoreTableToPointInTimeCommand(target));
  }
  say(
    `${copyName}: is being restored. This can take hours. You can end this command, and call it again with the same time.`,
  );
  await waitUntilTableExists({ client: dynamo, maxWaitTime: maxRestoreSeconds }, { TableName: copyName });
}

async function* pagesOf(client: DynamoDBDocumentClient, TableName: string, more: Partial<ScanCommandInput> = {}) {
  yield* paginateScan({ client }, { TableName, ConsistentRead: true, ...more });
}

async function countOf(dynamo: DynamoDBDocumentClient, table: string): Promise<number> {
  let count = 0;
  for await (const { Count = 0 } of pagesOf(dynamo, table, { Select: 'COUNT', ...withoutTombstones })) count += Count;
  return count;
}

/** A copied tombstone would delete a patient that a list has stored since. Copies the tombstones of no table. */
const withoutTombstones = { FilterExpression: 'attribute_not_exists(expiresAt)' };

async function copyItems(dynamo: DynamoDBDocumentClient, from: string, to: string): Promise<number> {
  let copied = 0;
  await forEachParallel(Array(parallelScans).keys(), parallelScans, async (Segment) => {
    for await (const { Items = [] } of pagesOf(dynamo, from, {
      Segment,
      TotalSegments: parallelScans,
      ...withoutTombstones,
    })) {
      const requests = Items.map((Item) => ({ PutRequest: { Item } }));
      await batchWrite(dynamo, to, requests);
      copied += Items.length;
    }
  });
  return copied;
}

/** Asks for confirmation. @throws CommandError `usage` if the answer differs */
async function confirm(question: string, wanted: string): Promise<void> {
  const dialogue = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await Promise.race([
    dialogue.question(question),
    new Promise<string>((resolve) => dialogue.once('close', () => resolve(''))), // stdin has ended without an answer
  ]);
  dialogue.close();
  if (answer.trim() !== wanted) throw new CommandError('usage', 'nothing was copied');
}

/**
 * Marks the care records of every patient as pending, and makes the next run take in the whole list. The care records of
 * a backup cannot be relied on: some may be newer, and no backup contains documents.
 */
async function refetch({ patients, syncRuns }: Stores, insurerId: string): Promise<void> {
  let pending = 0;
  await forEachParallel(shards, parallelShards, async (shard) => {
    const { stored, unlisted } = await patients.readShard(shard);
    for (const { patientRef } of [...stored, ...unlisted.filter(({ standing }) => standing === 'provisional')]) {
      await patients.setCareState(patientRef, 'pending');
      pending += 1;
    }
  });
  await syncRuns.forgetAppliedList(insurerId);
  say(`${pending} patients wait for their care records, and the next run takes in the whole list`);
}

/** Restores both tables as of a time, if one is given. Then does what `refetch` does. */
async function restore(at?: Date): Promise<void> {
  const { INSURER_ID, AWS_REGION } = readConfig(settings, process.env);
  const { DEPLOYMENT, BucketName: BUCKET_NAME, AnchorBucketName: ANCHOR_BUCKET_NAME } = await readDataOutputs();
  const stores = openStores({ AWS_REGION, BUCKET_NAME, ANCHOR_BUCKET_NAME, DEPLOYMENT });
  if ((await stores.gateOf(INSURER_ID).find()).state !== 'paused')
    throw new CommandError('usage', 'the line is open. Pause it with npm run sync -- pause "restore".');
  if (at !== undefined) {
    const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({ region: AWS_REGION }));
    await copy(dynamo, DEPLOYMENT, at);
    dynamo.destroy();
  }
  await refetch(stores, INSURER_ID);
  stores.close();
}

function parseTime(text: string): Date {
  const { success, data } = z.iso.datetime({ offset: true }).safeParse(text);
  if (!success) throw new InvalidArgumentError('Use ISO 8601 with an offset, such as 2026-11-25T08:00:00Z.');
  return new Date(data);
}

const program = createProgram('npm run restore --').addHelpText('after', notes);
program
  .command('copy')
  .summary('restore the tables Patients and CareRecords as of a time, then do the same as refetch')
  .description(
    `Restores the tables Patients and CareRecords as of a time under other names. Shows how many items each holds, asks for
confirmation, and copies them over the tables in use. Deletes nothing. Then does the same as refetch.`,
  )
  .argument('<time>', 'ISO 8601 with an offset, such as 2026-11-25T08:00:00Z', parseTime)
  .action(async (at: Date) => await restore(at));
program
  .command('refetch')
  .description(
    'mark the care records of every patient as pending; the next run takes in the whole list and fetches them',
  )
  .action(async () => await restore());
process.exitCode = await runProgram(program, process.argv.slice(2));
