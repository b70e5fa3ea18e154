import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { readApiSettings } from '../settings.ts';
import { ApiStack } from './api-stack.ts';
import { DataStack } from './data-stack.ts';

/**
 * Resource types that the free edition of LocalStack supports (its resource providers,
 * localstack-core/localstack/services, 4.14).
 */
const inLocalStack = new Set([
  ...['Account', 'Deployment', 'GatewayResponse', 'Method', 'Resource', 'RestApi', 'Stage'].map(
    (type) => `AWS::ApiGateway::${type}`,
  ),
  'AWS::DynamoDB::Table',
  'AWS::Events::EventBus',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::KMS::Alias',
  'AWS::KMS::Key',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::Queue',
  'AWS::SQS::QueuePolicy',
  'AWS::SSM::Parameter',
  'AWS::Scheduler::Schedule',
  'AWS::SecretsManager::Secret',
]);

test('docker-compose.yml starts the service of each of these types', () => {
  const compose = parse(readFileSync(join(import.meta.dirname, '..', '..', 'docker-compose.yml'), 'utf8')) as {
    readonly services: { readonly aws: { readonly environment: { readonly SERVICES: string } } };
  };
  const started = compose.services.aws.environment.SERVICES.split(',');
  const needed = [...inLocalStack].map((type) => type.split('::')[1]?.toLowerCase() ?? '');
  expect([...new Set(needed)].filter((service) => !started.includes(service))).toEqual([]);
});

test('a laptop deploys only resource types that LocalStack supports', () => {
  const context = {
    INSURER_ID: 'demo',
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    OIDC_ISSUER: 'http://127.0.0.1:9090',
    OIDC_AUDIENCE: 'epa-sync-api',
    CONSOLE_ORIGIN: 'http://127.0.0.1:9030',
    'aws:cdk:bundling-stacks': [],
  };
  const app = new App({ context });
  const stage = 'local' as const;
  const deployment = defaultDeployment;
  const data = new DataStack(app, 'EpaSyncData', { deployment, stage });
  const { encryptionKey, bucket, secret, payloadKey, anchors, accessLogStreamArn, eventStreamArns, eventBus } = data;
  const shared = {
    deployment,
    stage,
    encryptionKey,
    bucket,
    secret,
    payloadKey,
    anchors,
    accessLogStreamArn,
    eventStreamArns,
    eventBus,
  };
  const settings = readApiSettings(app.node, stage);
  const api = new ApiStack(app, 'EpaSyncApi', { ...shared, settings });
  const types = [data, api].flatMap((stack) => {
    const { Resources } = Template.fromStack(stack).toJSON() as { Resources: Record<string, { Type: string }> };
    return Object.values(Resources).map(({ Type }) => Type);
  });
  expect([...new Set(types)].filter((type) => !inLocalStack.has(type))).toEqual([]);
});
