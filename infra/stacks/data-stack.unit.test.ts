import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, type Stack, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import type { Stage } from '../stage.ts';
import { DataStack } from './data-stack.ts';

const stackFor = (stage: Stage): Stack =>
  new DataStack(new App(), 'EpaSyncData', { deployment: defaultDeployment, stage });
const templateFor = (stage: Stage): Template => Template.fromStack(stackFor(stage));
const tables = (template: Template) => Object.values(template.findResources('AWS::DynamoDB::Table'));

const bucketOf = (stage: Stage, id: RegExp) => {
  const found = Object.entries(templateFor(stage).findResources('AWS::S3::Bucket')).find(([name]) => id.test(name));
  // biome-ignore lint/suspicious/noExplicitAny: properties of a template have no types
  return found?.[1] as { Properties: Record<string, any> };
};

const keysOf = (properties: { KeySchema: readonly { AttributeName: string; KeyType: string }[] }) =>
  properties.KeySchema.map(({ AttributeName, KeyType }) => `${KeyType} ${AttributeName}`);

test('the six tables have the names and keys that the stores use', () => {
  const found = Object.fromEntries(
    tables(templateFor('prod')).map((table) => [table['Properties'].TableName, keysOf(table['Properties'])]),
  );
  expect(found).toEqual({
    Patients: ['HASH shard', 'RANGE patientRef'],
    CareRecords: ['HASH patientRef', 'RANGE sk'],
    AuditLog: ['HASH patientRef', 'RANGE seq'],
    Line: ['HASH insurerId'],
    SyncRuns: ['HASH insurerId', 'RANGE runId'],
    Changes: ['HASH feed', 'RANGE seq'],
  });
});

test('the stacks of the last release can be deployed again over this data stack: it has all their imports, in the same place', () => {
  const release = join(import.meta.dirname, '..', '..', 'test', 'releases', '0.2.0', 'EpaSyncData.template.json');
  const exportsOf = ({ Outputs }: { Outputs: Record<string, { Export?: unknown }> }) =>
    Object.fromEntries(Object.entries(Outputs).filter(([, { Export }]) => Export !== undefined));
  const before = exportsOf(JSON.parse(readFileSync(release, 'utf8')));
  expect(Object.keys(before)).not.toEqual([]);
  expect(exportsOf(templateFor('local').toJSON() as never)).toMatchObject(before);
});

test('every table has on-demand capacity, point-in-time recovery, and encryption with the customer-managed key', () => {
  for (const { Properties } of tables(templateFor('prod')))
    expect(Properties).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 35 },
      SSESpecification: {
        SSEEnabled: true,
        SSEType: 'KMS',
        KMSMasterKeyId: { 'Fn::GetAtt': [expect.stringMatching(/^KeyData/), 'Arn'] },
      },
    });
});

test('only the access log, the changes, and the table of patients its tombstones, delete items by themselves', () => {
  const forgetful = tables(templateFor('prod')).filter((table) => 'TimeToLiveSpecification' in table['Properties']);
  expect(forgetful.map((table) => table['Properties'].TableName)).toEqual(['Patients', 'AuditLog', 'Changes']);
  for (const { Properties } of forgetful)
    expect(Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expiresAt', Enabled: true });
});

test('both keys are rotated', () => {
  templateFor('prod').allResourcesProperties('AWS::KMS::Key', { EnableKeyRotation: true });
});

test('the bucket is private, encrypted with the customer-managed key, and keeps no old versions', () => {
  const template = templateFor('prod');
  template.hasResourceProperties('AWS::S3::Bucket', {
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [
        {
          BucketKeyEnabled: true,
          ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: Match.anyValue() },
        },
      ],
    },
    VersioningConfiguration: Match.absent(),
  });
  template.hasResourceProperties('AWS::S3::BucketPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        }),
      ]),
    },
  });
});

test('objects that a crash has left expire after the longest retry and the history, reports after a day, and documents stay', () => {
  const bucket = bucketOf('prod', /^BucketData/);
  const rules: {
    Prefix?: string;
    ExpirationInDays?: number;
    AbortIncompleteMultipartUpload?: object;
    Status: string;
  }[] = bucket.Properties['LifecycleConfiguration'].Rules;
  expect(rules.every(({ Status }) => Status === 'Enabled')).toBe(true);
  const expiring = rules.filter(({ ExpirationInDays }) => ExpirationInDays !== undefined);
  expect(expiring.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])).toEqual([
    ['payloads/', 67],
    ['lists/', 67],
    ['reports/', 1], // their links last minutes
    ['exports/', 8], // an export fails after six days, and its files stay for one more
  ]);
  expect(rules.filter(({ AbortIncompleteMultipartUpload }) => AbortIncompleteMultipartUpload)).toHaveLength(1);
});

test('production keeps all resources with data if a stack is deleted; other stages delete them', () => {
  const holders = ['AWS::DynamoDB::Table', 'AWS::S3::Bucket', 'AWS::KMS::Key', 'AWS::SecretsManager::Secret'];
  const policies = (stage: Stage) => {
    const found = holders.flatMap((type) => Object.values(templateFor(stage).findResources(type)));
    return new Set(found.flatMap((each) => [each['DeletionPolicy'], each['UpdateReplacePolicy']]));
  };
  expect(policies('prod')).toEqual(new Set(['Retain']));
  expect(policies('local')).toEqual(new Set(['Delete']));
  const isProtected = (stage: Stage) =>
    tables(templateFor(stage)).map((t) => t['Properties'].DeletionProtectionEnabled);
  expect(new Set(isProtected('prod'))).toEqual(new Set([true]));
});

// CloudFormation replaces a resource with a new logical ID, which would lose its data
test('the logical IDs of resources with data never change', () => {
  const { Resources } = templateFor('prod').toJSON() as { Resources: Record<string, { Type: string }> };
  expect(
    Object.entries(Resources)
      .map(([id, { Type }]) => `${Type} ${id}`)
      .sort(),
  ).toEqual([
    'AWS::DynamoDB::Table TablesAuditLog5AA97AA9',
    'AWS::DynamoDB::Table TablesCareRecords43B60183',
    'AWS::DynamoDB::Table TablesChangesCE5E7F7A',
    'AWS::DynamoDB::Table TablesLine67A6E1C3',
    'AWS::DynamoDB::Table TablesPatients7635EB4A',
    'AWS::DynamoDB::Table TablesSyncRunsDBA55917',
    'AWS::Events::EventBus EventsD32975C2',
    'AWS::IAM::Role AnchorsRole8F1A180F',
    'AWS::KMS::Key KeyData14C30924',
    'AWS::KMS::Key PayloadKeyPayloadB82E3CCC',
    'AWS::Logs::LogGroup AnchorsLogA52CDC40',
    'AWS::S3::Bucket AnchorsBucketE0A93AD3',
    'AWS::S3::Bucket BucketData05616C16',
    'AWS::S3::BucketPolicy AnchorsBucketPolicy71B14DE5',
    'AWS::S3::BucketPolicy BucketDataPolicyB475B683',
    'AWS::SQS::Queue AnchorsFailuresE820796D',
    'AWS::SQS::QueuePolicy AnchorsFailuresPolicy99F99283',
    'AWS::SecretsManager::Secret InsurerToken191D1D96',
    'AWS::SecretsManager::Secret SecretSettings88B5A688',
  ]);
});

test('the secret settings are not in the template', () => {
  const secrets = Object.values(templateFor('prod').findResources('AWS::SecretsManager::Secret'));
  expect(secrets.map((secret) => secret['Properties'].SecretString)).toEqual([undefined, undefined]);
});

test('the names of bucket, keys and secret are outputs', () => {
  const template = templateFor('prod');
  template.hasOutput('SecretArn', {});
  template.hasOutput('InsurerSecretArn', {});
  template.hasOutput('BucketName', {});
  template.hasOutput('KeyArn', {});
  template.hasOutput('PayloadKeyArn', {});
});

test('all findings of the AWS Solutions checks are accepted with a reason', () => {
  const app = new App();
  new DataStack(app, 'EpaSyncData', { deployment: defaultDeployment, stage: 'prod' });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const { directory } = app.synth();
  const report = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as unknown;
  expect(report).toMatchObject({ pluginReports: [] });
});

test('anchors are locked for three years and a month in production, and then deleted', () => {
  const { ObjectLockEnabled, ObjectLockConfiguration, VersioningConfiguration, LifecycleConfiguration } = bucketOf(
    'prod',
    /^AnchorsBucket/,
  ).Properties;
  expect({ ObjectLockEnabled, ObjectLockConfiguration, VersioningConfiguration }).toEqual({
    ObjectLockEnabled: true,
    ObjectLockConfiguration: {
      ObjectLockEnabled: 'Enabled',
      Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1_127 } },
    },
    VersioningConfiguration: { Status: 'Enabled' },
  });
  expect(LifecycleConfiguration.Rules).toMatchObject([
    { ExpirationInDays: 1_127, NoncurrentVersionExpiration: { NoncurrentDays: 1 } },
    { ExpiredObjectDeleteMarker: true },
  ]);
  for (const stage of ['dev', 'local'] as const) // a locked bucket cannot be deleted
    expect(bucketOf(stage, /^AnchorsBucket/).Properties).not.toHaveProperty('ObjectLockConfiguration');
});

test('only the role of the anchoring Lambda may write anchors, and nobody may delete or release one', () => {
  const template = templateFor('prod');
  const policy = Object.entries(template.findResources('AWS::S3::BucketPolicy')).find(([id]) => /^Anchors/.test(id));
  const statements: { Effect: string; Action: string | string[]; Principal: unknown; Condition?: object }[] =
    policy?.[1]['Properties'].PolicyDocument.Statement;
  const of = (action: string) => statements.filter(({ Action }) => [Action].flat().includes(action));
  expect(of('s3:PutObject')).toMatchObject([
    {
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Condition: {
        ArnNotEquals: { 'aws:PrincipalArn': { 'Fn::GetAtt': [expect.stringMatching(/^AnchorsRole/), 'Arn'] } },
      },
    },
  ]);
  for (const action of ['DeleteObject', 'DeleteObjectVersion', 'PutObjectRetention', 'BypassGovernanceRetention'])
    expect(of(`s3:${action}`)).toMatchObject([{ Effect: 'Deny', Principal: { AWS: '*' } }]);
  const [replicas, ...more] = of('s3:ReplicateObject');
  expect(replicas).toMatchObject({ Effect: 'Deny', Principal: { AWS: '*' } });
  expect([replicas?.Condition, more]).toEqual([undefined, []]);
  const roles = Object.values(template.findResources('AWS::IAM::Role'));
  const actions = roles.flatMap(({ Properties }) =>
    Properties.Policies.flatMap(({ PolicyDocument }: { PolicyDocument: { Statement: { Action: string[] }[] } }) =>
      PolicyDocument.Statement.flatMap(({ Action }) => Action),
    ),
  );
  expect(actions.filter((action: string) => action.startsWith('s3:'))).toEqual(['s3:PutObject']);
});

test('streams show what was written; those of the events also what was there before', () => {
  const streams = tables(templateFor('prod')).flatMap(({ Properties }) =>
    Properties.StreamSpecification ? [[Properties.TableName, Properties.StreamSpecification]] : [],
  );
  const both = { StreamViewType: 'NEW_AND_OLD_IMAGES' };
  expect(streams).toEqual([
    ['Patients', both],
    ['AuditLog', { StreamViewType: 'NEW_IMAGE' }],
    ['Line', both],
    ['SyncRuns', both],
  ]);
});

test('the bus has the name of the deployment, and each deployment has one', () => {
  const nameIn = (deployment: string) => {
    const template = Template.fromStack(new DataStack(new App(), 'Data', { deployment, stage: 'prod' }));
    return Object.values(template.findResources('AWS::Events::EventBus')).map(({ Properties }) => Properties.Name);
  };
  expect([nameIn(defaultDeployment), nameIn('kk-nord')]).toEqual([['epa-sync'], ['kk-nord']]);
});
