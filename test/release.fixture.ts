import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { type AttributeValue, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { emulatorClientOptions } from '../local/emulator.ts';

const read = (file: string): string => readFileSync(join(import.meta.dirname, 'releases', '0.2.0', file), 'utf8');

/**
 * What `npm start` of the last release has left after a first day with invented people, and what its insurer has answered
 * on that day.
 */
export interface ReleaseData {
  /** of `.local/keys.json`. They protect nothing, because the people are invented */
  readonly keys: { readonly PSEUDONYM_KEY: string; readonly PAYLOAD_KEYS: string };
  /** items by table, as DynamoDB returns them */
  readonly tables: Readonly<Record<string, readonly Record<string, AttributeValue>[]>>;
  readonly objects: readonly { readonly key: string; readonly base64: string; readonly contentType?: string }[];
  readonly insurer: {
    readonly list: { readonly etag: string; readonly text: string };
    /** answers by KVNR, as JSON; absent if the insurer has answered 404 or 410 */
    readonly careRecords: Readonly<Record<string, string>>;
  };
}

export const readReleaseData = (): ReleaseData => JSON.parse(read('data.json')) as ReleaseData;

/** Deploys the data stack of the last release to an emulator, with its data. */
export async function createRelease(emulator: { readonly endpoint: string; readonly region: string }): Promise<void> {
  const options = emulatorClientOptions(emulator);
  const formation = new CloudFormationClient(options);
  const dynamo = new DynamoDBClient(options);
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  try {
    // removes the check of the bootstrap version: a template without cdk has no bootstrap stack
    const {
      Parameters: _,
      Rules: __,
      ...template
    } = JSON.parse(read('EpaSyncData.template.json')) as object & {
      Parameters?: unknown;
      Rules?: unknown;
    };
    const StackName = 'EpaSyncData';
    await formation.send(new CreateStackCommand({ StackName, TemplateBody: JSON.stringify(template) }));
    await waitUntilStackCreateComplete({ client: formation, maxWaitTime: 60, minDelay: 1 }, { StackName });
    const { Stacks = [] } = await formation.send(new DescribeStacksCommand({ StackName }));
    const Bucket = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === 'BucketName')?.OutputValue;
    const { tables, objects } = readReleaseData();
    for (const [TableName, items] of Object.entries(tables))
      for (const Item of items) await dynamo.send(new PutItemCommand({ TableName, Item }));
    for (const { key: Key, base64, contentType: ContentType } of objects)
      await s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(base64, 'base64'), ContentType }));
  } finally {
    formation.destroy();
    dynamo.destroy();
    s3.destroy();
  }
}
