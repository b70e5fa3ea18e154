import { Stack, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { payloadKeyContext } from '../../core/crypto/kms-key-wrapper.ts';
import { checkPartition } from '../../core/stores/access-log-checks.ts';
import { exportPartitions } from '../../core/stores/exports.ts';
import { issuerKeysObject, issuerUses } from '../../core/stores/issuer-keys.ts';
import { searchesPartition } from '../../core/stores/search-limits.ts';
import { birthIndex, tablesOf } from '../../core/stores/tables.ts';
import type { Group } from '../../lambdas/http/routes.ts';

export interface Resources {
  readonly deployment: string;
  readonly insurerId: string;
  readonly encryptionKey: Key;
  readonly bucket: Bucket;
  /** anchors of the access log */
  readonly anchorBucket: Bucket;
  readonly secret: Secret;
  /** undefined if keys of the secret replace it */
  readonly payloadKey: Key | undefined;
  /** ARNs of earlier wrapping keys */
  readonly oldPayloadKeyArns: readonly string[];
}

export const allow = (actions: string[], ...resources: string[]): PolicyStatement =>
  new PolicyStatement({ actions, resources });

/** Allows actions on a table. */
const tableIn =
  (scope: Construct) =>
  (actions: string[], tableName: string): PolicyStatement =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      Stack.of(scope).formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName }),
    );

/**
 * Restricts a permission on a table to items of some partitions. `*` stands for any characters.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
 */
function onlyPartitions(statement: PolicyStatement, ...partitions: string[]): PolicyStatement {
  statement.addCondition('ForAllValues:StringLike', { 'dynamodb:LeadingKeys': partitions });
  return statement;
}

/** Allows reading all streams of a table: a restored table has another one. See acceptStreams. */
export const readStreams = (scope: Construct, tableName: string): PolicyStatement =>
  tableIn(scope)(['DescribeStream', 'GetRecords', 'GetShardIterator'], `${tableName}/stream/*`);

/** Accepts the findings about a role that has readStreams of some tables, and may list streams. */
export function acceptStreams(role: Construct, ...tableNames: string[]): void {
  Validations.of(role).acknowledge(
    { id: 'AwsSolutions-IAM5[Resource::*]', reason: 'Streams can only be listed without a resource.' },
    ...tableNames.map((tableName) => ({
      id: `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:dynamodb:<AWS::Region>:<AWS::AccountId>:table/${tableName}/stream/*]`,
      reason: 'All streams of one table. If the table is restored, its stream has another name.',
    })),
  );
}

/** Allows the key for all data at rest, but only through the given services. */
export const dataKeyUse = (
  scope: Construct,
  encryptionKey: IKey,
  actions: string[],
  ...services: string[]
): PolicyStatement =>
  new PolicyStatement({
    actions: actions.map((action) => `kms:${action}`),
    resources: [encryptionKey.keyArn],
    conditions: {
      StringEquals: {
        'kms:ViaService': services.map((service) => `${service}.${Stack.of(scope).region}.amazonaws.com`),
      },
    },
  });

const encryptionIn =
  (scope: Construct, encryptionKey: IKey) =>
  (actions: string[], ...services: string[]): PolicyStatement =>
    dataKeyUse(scope, encryptionKey, actions, ...services);

/** Allows the payload keys for data keys of payloads only. Returns nothing if keys of the secret replace them. */
const payloadKeyUse =
  ({ payloadKey, oldPayloadKeyArns }: Pick<Resources, 'payloadKey' | 'oldPayloadKeyArns'>) =>
  (...actions: ('GenerateDataKey' | 'Decrypt')[]): PolicyStatement[] => {
    if (payloadKey === undefined) return [];
    const use = (used: readonly string[], ...resources: string[]) =>
      new PolicyStatement({
        actions: used.map((action) => `kms:${action}`),
        resources,
        conditions: {
          StringEquals: Object.fromEntries(
            Object.entries(payloadKeyContext).map(([name, value]) => [`kms:EncryptionContext:${name}`, value]),
          ),
        },
      });
    const old = oldPayloadKeyArns.length === 0 ? [] : [use(['Decrypt'], ...oldPayloadKeyArns)];
    return [use(actions, payloadKey.keyArn), ...old];
  };

const reading = ['Decrypt', 'DescribeKey'];
const writing = [...reading, 'Encrypt', 'GenerateDataKey'];

/** Returns the permissions of each Lambda: only what its operations need. */
export function permissionsFor(
  scope: Construct,
  { deployment, insurerId, encryptionKey, bucket, anchorBucket, secret, ...keys }: Resources,
): Record<Group | 'schedule' | 'change-feed', PolicyStatement[]> {
  const table = tableIn(scope);
  const tables = tablesOf(deployment);
  const encryption = encryptionIn(scope, encryptionKey);
  const payloads = payloadKeyUse(keys);
  const temporal = payloads('GenerateDataKey', 'Decrypt');
  const settings = allow(['secretsmanager:GetSecretValue'], secret.secretArn);
  /** the last keys of the issuers. Workers have no access, so that they cannot make tokens valid */
  const issuerKeys = allow(
    ['s3:GetObject', 's3:PutObject'],
    ...issuerUses.map((use) => bucket.arnForObjects(issuerKeysObject(use))),
  );
  /** Entries can be appended and read. PutItem could also replace one, which its anchor shows. */
  const accessLog = table(['PutItem', 'Query'], tables.accessLog);
  return {
    sync: [
      settings,
      issuerKeys,
      // acknowledgements of issues; what Temporal has answered, for all viewers
      table(['GetItem', 'Query', 'UpdateItem', 'BatchGetItem', 'BatchWriteItem'], tables.syncRuns),
      table(['GetItem'], tables.line),
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    line: [
      settings,
      issuerKeys,
      table(['GetItem', 'PutItem'], tables.line),
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    patients: [
      settings,
      issuerKeys,
      table(['GetItem', 'UpdateItem'], tables.patients), // the marker of a sync on demand
      table(['Query'], `${tables.patients}/index/${birthIndex}`), // a search by name
      onlyPartitions(table(['UpdateItem'], tables.syncRuns), searchesPartition(insurerId)), // how often somebody has searched
      table(['GetItem', 'Query'], tables.careRecords),
      table(['GetItem'], tables.line),
      accessLog,
      allow(['s3:GetObject'], bucket.arnForObjects('documents/*')),
      allow(['s3:ListBucket'], bucket.bucketArn), // without it, S3 answers 403 instead of 404 for a missing object
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    'access-log': [
      settings,
      issuerKeys,
      accessLog,
      allow(['s3:ListBucketVersions'], anchorBucket.bucketArn), // the keys of the anchors hold all
      onlyPartitions(table(['GetItem'], tables.syncRuns), checkPartition(insurerId)), // the last check of all logs
      allow(['s3:GetObject', 's3:PutObject'], bucket.arnForObjects('reports/*')), // reading is for the link
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    fhir: [
      settings,
      issuerKeys,
      table(['GetItem'], tables.patients),
      table(['GetItem', 'Query'], tables.careRecords),
      accessLog,
      allow(['s3:GetObject'], bucket.arnForObjects('documents/*')),
      allow(['s3:ListBucket'], bucket.bucketArn), // without it, S3 answers 403 instead of 404 for a missing object
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    changes: [
      settings,
      issuerKeys,
      table(['GetItem', 'Query'], tables.changes),
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
    ],
    exports: [
      settings,
      issuerKeys,
      onlyPartitions(
        table(['GetItem', 'Query', 'PutItem', 'UpdateItem'], tables.syncRuns),
        ...exportPartitions(insurerId),
      ),
      allow(['s3:GetObject'], bucket.arnForObjects('exports/*')), // what the links allow is signed with this role
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    codec: [
      settings,
      issuerKeys,
      accessLog,
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...payloads('Decrypt'),
    ],
    openapi: [],
    schedule: [
      settings,
      table(['Query', 'UpdateItem'], tables.syncRuns), // the refresh that a new run stops; the start, for those who look
      encryption(writing, 'dynamodb', 'secretsmanager'),
      ...temporal,
    ],
    'change-feed': [table(['GetItem', 'Query', 'PutItem'], tables.changes), encryption(writing, 'dynamodb')],
  };
}

/** Returns the permissions of the worker's code. ECS puts the secrets into its environment, with another role. */
export function workerPermissions(
  scope: Construct,
  { deployment, encryptionKey, bucket, anchorBucket, ...keys }: Omit<Resources, 'secret' | 'insurerId'>,
): PolicyStatement[] {
  const table = tableIn(scope);
  const tables = tablesOf(deployment);
  return [
    table(['GetItem', 'Query', 'Scan', 'UpdateItem'], tables.patients),
    table(['GetItem', 'Query', 'PutItem', 'DeleteItem', 'BatchWriteItem'], tables.careRecords),
    table(['GetItem', 'PutItem'], tables.line),
    table(['GetItem', 'Query', 'PutItem', 'UpdateItem', 'BatchGetItem', 'BatchWriteItem'], tables.syncRuns),
    table(['PutItem', 'Query', 'Scan'], tables.accessLog), // PutItem could also replace an entry, which its anchor shows
    allow(['s3:ListBucketVersions'], anchorBucket.bucketArn),
    allow(
      ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
      ...['payloads', 'lists', 'documents', 'exports'].map((prefix) => bucket.arnForObjects(`${prefix}/*`)),
    ),
    allow(['s3:ListBucket'], bucket.bucketArn),
    encryptionIn(scope, encryptionKey)(writing, 'dynamodb', 's3'),
    ...payloadKeyUse(keys)('GenerateDataKey', 'Decrypt'),
  ];
}

/** Returns the permissions of ECS to start a worker: fetch the image, read the secrets, write the log. */
export function workerStartPermissions(
  scope: Construct,
  { encryptionKey, secrets, repositoryArn, logGroupArn }: WorkerStart,
): PolicyStatement[] {
  return [
    allow(['secretsmanager:GetSecretValue'], ...secrets.map(({ secretArn }) => secretArn)),
    encryptionIn(scope, encryptionKey)(reading, 'secretsmanager'),
    allow(['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'], repositoryArn),
    allow(['ecr:GetAuthorizationToken'], '*'), // applies to the account's registry, not to an image
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroupArn),
  ];
}

export interface WorkerStart {
  readonly encryptionKey: Key;
  readonly secrets: readonly Secret[];
  readonly repositoryArn: string;
  readonly logGroupArn: string;
}
