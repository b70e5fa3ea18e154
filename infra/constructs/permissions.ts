import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey, Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { payloadKeyContext } from '../../core/crypto/kms-key-wrapper.ts';
import { accessLogTable } from '../../core/stores/access-log.ts';
import { careRecordsTable } from '../../core/stores/care-records.ts';
import { lineTable } from '../../core/stores/gate.ts';
import { patientsTable } from '../../core/stores/patients.ts';
import { syncRunsTable } from '../../core/stores/sync-runs.ts';
import type { Group } from '../../lambdas/http/routes.ts';

export interface Resources {
  readonly encryptionKey: Key;
  readonly bucket: Bucket;
  readonly secret: Secret;
  /** absent where keys of the secret wrap */
  readonly payloadKey: Key | undefined;
  /** of the keys that have wrapped before it */
  readonly oldPayloadKeyArns: readonly string[];
}

export const allow = (actions: string[], ...resources: string[]): PolicyStatement =>
  new PolicyStatement({ actions, resources });

/** What a table allows, by its name. */
const tableIn =
  (scope: Construct) =>
  (actions: string[], tableName: string): PolicyStatement =>
    allow(
      actions.map((action) => `dynamodb:${action}`),
      Stack.of(scope).formatArn({ service: 'dynamodb', resource: 'table', resourceName: tableName }),
    );

/** The key of all data at rest is used by way of these services only. */
const encryptionIn =
  (scope: Construct, encryptionKey: IKey) =>
  (actions: string[], ...services: string[]): PolicyStatement =>
    new PolicyStatement({
      actions: actions.map((action) => `kms:${action}`),
      resources: [encryptionKey.keyArn],
      conditions: {
        StringEquals: {
          'kms:ViaService': services.map((service) => `${service}.${Stack.of(scope).region}.amazonaws.com`),
        },
      },
    });

/** Data keys of payloads, and nothing else that the keys may ever be used for; nothing where the secret has keys instead. */
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

/** What each Lambda may do: what its operations need, and nothing else. */
export function permissionsFor(
  scope: Construct,
  { encryptionKey, bucket, secret, ...keys }: Resources,
): Record<Group | 'schedule', PolicyStatement[]> {
  const table = tableIn(scope);
  const encryption = encryptionIn(scope, encryptionKey);
  const payloads = payloadKeyUse(keys);
  const temporal = payloads('GenerateDataKey', 'Decrypt');
  const settings = allow(['secretsmanager:GetSecretValue'], secret.secretArn);
  /** an entry can be appended and read; nobody can change or delete one */
  const accessLog = table(['PutItem', 'Query'], accessLogTable);
  return {
    sync: [
      settings,
      table(['GetItem', 'Query'], syncRunsTable),
      table(['GetItem'], lineTable),
      encryption(reading, 'dynamodb', 'secretsmanager'),
      ...temporal,
    ],
    line: [
      settings,
      table(['GetItem', 'PutItem'], lineTable),
      encryption(writing, 'dynamodb', 'secretsmanager'),
      ...temporal,
    ],
    patients: [
      settings,
      table(['GetItem', 'UpdateItem'], patientsTable), // the mark of a sync that somebody asked for
      table(['GetItem', 'Query'], careRecordsTable),
      table(['GetItem'], lineTable),
      accessLog,
      allow(['s3:GetObject'], bucket.arnForObjects('documents/*')),
      allow(['s3:ListBucket'], bucket.bucketArn), // or S3 says of what is gone that it is forbidden
      encryption(writing, 'dynamodb', 's3', 'secretsmanager'),
      ...temporal,
    ],
    'access-log': [settings, accessLog, encryption(writing, 'dynamodb', 'secretsmanager'), ...temporal],
    codec: [settings, accessLog, encryption(writing, 'dynamodb', 'secretsmanager'), ...payloads('Decrypt')],
    openapi: [],
    schedule: [settings, encryption(reading, 'secretsmanager'), ...temporal],
  };
}

/** What the worker's code may do. Its secrets are put into its environment by ECS, which is another role's to read. */
export function workerPermissions(
  scope: Construct,
  { encryptionKey, bucket, ...keys }: Omit<Resources, 'secret'>,
): PolicyStatement[] {
  const table = tableIn(scope);
  return [
    table(['GetItem', 'Query', 'UpdateItem', 'DeleteItem', 'BatchWriteItem'], patientsTable),
    table(['GetItem', 'Query', 'BatchWriteItem'], careRecordsTable),
    table(['GetItem', 'PutItem'], lineTable),
    table(['GetItem', 'Query', 'PutItem', 'BatchWriteItem'], syncRunsTable),
    table(['PutItem', 'Query'], accessLogTable), // as everyone: nobody can change or delete an entry
    allow(
      ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
      ...['payloads', 'lists', 'documents'].map((prefix) => bucket.arnForObjects(`${prefix}/*`)),
    ),
    allow(['s3:ListBucket'], bucket.bucketArn),
    encryptionIn(scope, encryptionKey)(writing, 'dynamodb', 's3'),
    ...payloadKeyUse(keys)('GenerateDataKey', 'Decrypt'),
  ];
}

/** What ECS may do to start a worker: fetch its image, read its secrets, write its log. */
export function workerStartPermissions(
  scope: Construct,
  { encryptionKey, secrets, repositoryArn, logGroupArn }: WorkerStart,
): PolicyStatement[] {
  return [
    allow(['secretsmanager:GetSecretValue'], ...secrets.map(({ secretArn }) => secretArn)),
    encryptionIn(scope, encryptionKey)(reading, 'secretsmanager'),
    allow(['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'], repositoryArn),
    allow(['ecr:GetAuthorizationToken'], '*'), // of the account's registry, whatever image it is for
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroupArn),
  ];
}

export interface WorkerStart {
  readonly encryptionKey: Key;
  readonly secrets: readonly Secret[];
  readonly repositoryArn: string;
  readonly logGroupArn: string;
}
