import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import {
  DescribeTableCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  RestoreTableToPointInTimeCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateScan, type ScanCommandInput } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { ConfigError, readConfig } from '../core/config.ts';
import { shards } from '../core/domain/shard.ts';
import { batchWrite } from '../core/stores/batch-write.ts';
import { careRecordsTable } from '../core/stores/care-records.ts';
import { openStores, type Stores } from '../core/stores/open-stores.ts';
import { forEachParallel } from '../core/stores/parallel.ts';
import { patientsTable } from '../core/stores/patients.ts';
import { keepLoopbackDirect } from '../local/proxy.ts';
import { explain } from '../terminal/start-failure.ts';
import { readDataOutputs } from './data-outputs.ts';

keepLoopbackDirect(process.env);

const usage = `npm run restore -- <command>   (docs/operations/runbook.md, "Restore from a backup")
  copy <time>   brings Patients and CareRecords back as they were at that second, such as 2026-11-25T08:00:00Z: restores both
                beside the tables in use, shows how much is in them, asks, and copies it over; nothing is deleted. Then as refetch
  refetch       has the next run take in the whole list, and fetch everybody's care records anew
For the insurer of INSURER_ID, in the account and the region of AWS's own variables (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL …).
The line has to be paused. Nothing else may write meanwhile: no worker, no Lambda.
Exit codes: 0 done, 1 failed, 2 wrong usage`;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

const settings = z.object({ INSURER_ID: z.string().min(1), AWS_REGION: z.string().min(1) });

/** In this order: who reads meanwhile follows a patient's careVersion, and finds its records. */
const tables = [careRecordsTable, patientsTable] as const;
/** A large table takes hours. */
const longestRestoreSeconds = 24 * 60 * 60;
const scansAtOnce = 8;
const shardsAtOnce = 8;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function copy(dynamo: DynamoDBDocumentClient, at: Date): Promise<void> {
  const besideOf = (table: string): string => `${table}-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  await Promise.all(tables.map((table) => restoreBeside(dynamo, table, besideOf(table), at)));
  for (const table of tables) {
    const [now, then] = await Promise.all([countOf(dynamo, table), countOf(dynamo, besideOf(table))]);
    say(`${table}: ${now} items now, ${then} at ${at.toISOString()}`);
  }
  await ask('Copied over those in use, they replace what has the same key. Type "restore" to go on: ', 'restore');
  for (const table of tables) say(`${table}: ${await copyItems(dynamo, besideOf(table), table)} items copied`);
  for (const table of tables) say(`no longer needed: aws dynamodb delete-table --table-name ${besideOf(table)}`);
}

/** Restores a table under another name, if that has not been begun before, and waits until it can be read. */
async function restoreBeside(dynamo: DynamoDBClient, table: string, beside: string, at: Date): Promise<void> {
  try {
    await dynamo.send(new DescribeTableCommand({ TableName: beside }));
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error;
    const target = { SourceTableName: table, TargetTableName: beside, RestoreDateTime: at };
    await dynamo.send(new RestoreTableToPointInTimeCommand(target));
  }
  say(`${beside}: is being restored, which can take hours; this command can be ended, and called again`);
  await waitUntilTableExists({ client: dynamo, maxWaitTime: longestRestoreSeconds }, { TableName: beside });
}

async function* pagesOf(client: DynamoDBDocumentClient, TableName: string, more: Partial<ScanCommandInput> = {}) {
  yield* paginateScan({ client }, { TableName, ConsistentRead: true, ...more });
}

async function countOf(dynamo: DynamoDBDocumentClient, table: string): Promise<number> {
  let count = 0;
  for await (const { Count = 0 } of pagesOf(dynamo, table, { Select: 'COUNT' })) count += Count;
  return count;
}

async function copyItems(dynamo: DynamoDBDocumentClient, from: string, to: string): Promise<number> {
  let copied = 0;
  await forEachParallel(Array(scansAtOnce).keys(), scansAtOnce, async (Segment) => {
    for await (const { Items = [] } of pagesOf(dynamo, from, { Segment, TotalSegments: scansAtOnce })) {
      const requests = Items.map((Item) => ({ PutRequest: { Item } }));
      await batchWrite(dynamo, to, requests);
      copied += Items.length;
    }
  });
  return copied;
}

/** @throws UsageError when the answer is another one */
async function ask(question: string, wanted: string): Promise<void> {
  const dialogue = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await Promise.race([
    dialogue.question(question),
    new Promise<string>((resolve) => dialogue.once('close', () => resolve(''))), // nobody is there to answer
  ]);
  dialogue.close();
  if (answer.trim() !== wanted) throw new UsageError('nothing was copied');
}

/** What a backup says of care records is not to be relied on: some may be newer by now, and documents are in no backup. */
async function refetch({ patients, syncRuns }: Stores, insurerId: string): Promise<void> {
  let pending = 0;
  await forEachParallel(shards, shardsAtOnce, async (shard) => {
    for await (const { patientRef } of patients.readShard(shard)) {
      await patients.setCareState(patientRef, 'pending');
      pending += 1;
    }
  });
  await syncRuns.forgetAppliedList(insurerId);
  say(`${pending} patients wait for their care records, and the next run takes in the whole list`);
}

async function main(): Promise<void> {
  const { command, args } = readArguments();
  if (command === 'help') return say(usage);
  const at = command === 'copy' ? timeIn(args) : undefined;
  const { INSURER_ID, AWS_REGION } = readConfig(settings, process.env);
  const { BucketName: BUCKET_NAME } = await readDataOutputs();
  const stores = openStores({ AWS_REGION, BUCKET_NAME });
  if ((await stores.gateOf(INSURER_ID).find()).state !== 'paused')
    throw new UsageError('the line is open: npm run sync -- pause "restore"');
  if (at !== undefined) {
    const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({ region: AWS_REGION }));
    await copy(dynamo, at);
    dynamo.destroy();
  }
  await refetch(stores, INSURER_ID);
  stores.close();
}

function readArguments(): { readonly command: 'copy' | 'refetch' | 'help'; readonly args: readonly string[] } {
  try {
    const options = { help: { type: 'boolean', default: false } } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const [command, ...args] = positionals;
    if (values.help) return { command: 'help', args };
    if (command === 'copy' || (command === 'refetch' && args.length === 0)) return { command, args };
    throw new Error(`copy <time>, or refetch`);
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}\n${usage}`);
  }
}

function timeIn([time, ...rest]: readonly string[]): Date {
  const { success, data } = z.iso.datetime({ offset: true }).safeParse(time);
  if (!success || rest.length > 0) throw new UsageError('a time is needed, such as 2026-11-25T08:00:00Z');
  return new Date(data);
}

try {
  await main();
} catch (error) {
  const isTold = error instanceof UsageError || error instanceof ConfigError;
  process.stderr.write(`epa-sync: ${isTold ? error.message : explain(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
