import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { ConfigError } from '../../core/config.ts';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { readWorkerSettings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import { DataStack } from './data-stack.ts';
import { WorkerStack } from './worker-stack.ts';

const context = {
  INSURER_ID: 'kk-nord',
  INSURER_BASE_URL: 'https://leitung.kk-nord.example:8443',
  TEMPORAL_ADDRESS: 'eu.tmprl.cloud:7233',
  TEMPORAL_NAMESPACE: 'epa-sync.a1b2c',
};

function appFor(stage: Stage, more: object = {}) {
  const app = new App({ context: { ...context, ...more } });
  const data = new DataStack(app, 'EpaSyncData', { deployment: defaultDeployment, stage });
  const { encryptionKey, bucket, secret, insurerSecret, payloadKey, anchors } = data;
  const settings = readWorkerSettings(app.node, stage);
  const resources = { encryptionKey, bucket, secret, insurerSecret, payloadKey, anchorBucket: anchors.bucket };
  const worker = new WorkerStack(app, 'EpaSyncWorker', {
    deployment: defaultDeployment,
    stage,
    settings,
    ...resources,
  });
  return { app, worker };
}
const template = Template.fromStack(appFor('prod').worker);
// biome-ignore lint/suspicious/noExplicitAny: properties of a template have no types
type Properties = any;
const of = (type: string, from = template): Properties[] =>
  Object.values(from.findResources(type)).map(({ Properties }) => Properties);
const [task] = of('AWS::ECS::TaskDefinition');
const [container] = task.ContainerDefinitions;
const statementsOf = (role: RegExp): { Action: string | string[]; Resource: unknown }[] =>
  Object.entries(template.findResources('AWS::IAM::Role'))
    .filter(([id]) => role.test(id))
    .flatMap(([, { Properties }]) =>
      Properties.Policies.flatMap((policy: Properties) => policy.PolicyDocument.Statement),
    );

test('two workers run on Graviton; new ones start before old ones stop, and a failed deployment is rolled back', () => {
  const [service] = of('AWS::ECS::Service');
  expect(service).toMatchObject({
    DesiredCount: 2,
    LaunchType: 'FARGATE',
    DeploymentConfiguration: {
      MinimumHealthyPercent: 100,
      MaximumPercent: 200,
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    },
    NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
  });
  expect(task.RuntimePlatform).toEqual({ CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' });
});

test('there is no autoscaling, because only one worker holds the line', () => {
  expect(of('AWS::ApplicationAutoScaling::ScalableTarget')).toEqual([]);
});

test('a worker has one minute to end its requests and release the line', () => {
  expect(container.StopTimeout).toBe(60);
  expect(container.LinuxParameters.InitProcessEnabled).toBe(true);
});

test('a worker that fails its health check is replaced', () => {
  expect(container.HealthCheck.Command).toEqual(['CMD', 'node', 'worker/ask-health.mjs', '8080']);
  expect(container.Environment).toContainEqual({ Name: 'HEALTH_PORT', Value: '8080' });
});

test('the build ID for Temporal is the hash of the image’s sources', () => {
  expect(container.Environment).toContainEqual({
    Name: 'WORKER_BUILD_ID',
    Value: expect.stringMatching(/^[0-9a-f]{16}$/),
  });
});

test('a worker has a read-only root file system and no shell access', () => {
  expect(container.ReadonlyRootFilesystem).toBe(true);
  const [service] = of('AWS::ECS::Service');
  expect(service.EnableExecuteCommand ?? false).toBe(false);
});

test('secret settings come from Secrets Manager under their own names, and are in no environment', () => {
  expect(container.Secrets.map(({ Name }: Properties) => Name).toSorted()).toEqual([
    'INSURER_API_TOKEN',
    'INSURER_CA',
    'INSURER_CLIENT_CERT',
    'INSURER_CLIENT_KEY',
    'INSURER_PROXY_URL',
    'PSEUDONYM_KEY',
    'TEMPORAL_API_KEY',
    'TEMPORAL_CLIENT_CERT',
    'TEMPORAL_CLIENT_KEY',
  ]);
  for (const { Name, ValueFrom } of container.Secrets) expect(JSON.stringify(ValueFrom)).toContain(`:${Name}::`);
  const names = container.Environment.map(({ Name }: Properties) => Name);
  expect(names.filter((name: string) => /TOKEN|API_KEY|SECRET|_KEYS?$|_CERT$|PROXY/.test(name))).toEqual([
    'PAYLOAD_KMS_KEY',
  ]);
});

test('workers can connect to the insurer, Temporal and AWS, and accept no connections', () => {
  const [group] = of('AWS::EC2::SecurityGroup');
  expect(group.SecurityGroupEgress.map(({ FromPort }: Properties) => FromPort).toSorted()).toEqual([443, 7_233, 8_443]);
  expect(group.SecurityGroupIngress).toBeUndefined();
  expect(of('AWS::EC2::SecurityGroupIngress')).toEqual([]);
});

test('with a proxy, workers can connect to it and not to the insurer', () => {
  const proxied = Template.fromStack(appFor('prod', { INSURER_PROXY_PORT: '3128' }).worker);
  const [group] = of('AWS::EC2::SecurityGroup', proxied);
  expect(group.SecurityGroupEgress.map(({ FromPort }: Properties) => FromPort).toSorted()).toEqual([3_128, 443, 7_233]);
});

test('production has a NAT gateway in both availability zones', () => {
  expect(of('AWS::EC2::NatGateway')).toHaveLength(2);
  expect(of('AWS::EC2::NatGateway', Template.fromStack(appFor('dev').worker))).toHaveLength(1);
});

test('workers start after the NAT gateways, whose addresses are an output for the insurer', () => {
  const [service] = Object.values(template.findResources('AWS::ECS::Service'));
  const routes = Object.entries(template.findResources('AWS::EC2::Route'));
  const toNat = routes.flatMap(([id, { Properties }]) => ('NatGatewayId' in Properties ? [id] : []));
  expect(toNat).toHaveLength(2);
  expect(service?.['DependsOn']).toEqual(expect.arrayContaining(toNat));
  const addresses = Object.keys(template.findResources('AWS::EC2::EIP'));
  const [output] = Object.values(template.findOutputs('OutboundAddresses'));
  expect(addresses).toHaveLength(2);
  for (const address of addresses) expect(JSON.stringify(output)).toContain(`{"Ref":"${address}"}`);
});

test('the outputs hold what an operator needs to roll back a deployment', () => {
  const [output] = Object.values(template.findOutputs('BuildId'));
  expect(container.Environment).toContainEqual({ Name: 'WORKER_BUILD_ID', Value: output?.['Value'] });
});

test('with a collector, its headers come from the secret; without one, the secret needs no headers', () => {
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.klinik.example:4318', OTEL_TRACES_SAMPLER_ARG: '0.1' };
  const [traced] = of('AWS::ECS::TaskDefinition', Template.fromStack(appFor('prod', settings).worker));
  const [{ Environment, Secrets }] = traced.ContainerDefinitions;
  expect(Environment).toContainEqual({ Name: 'OTEL_TRACES_SAMPLER_ARG', Value: '0.1' });
  expect(Secrets).toContainEqual({
    Name: 'OTEL_EXPORTER_OTLP_HEADERS',
    ValueFrom: { 'Fn::Join': ['', [expect.anything(), ':OTEL_EXPORTER_OTLP_HEADERS::']] },
  });
});

test('an old key may unwrap data keys, but not wrap them, and workers know its ARN', () => {
  const old = 'arn:aws:kms:eu-central-1:123456789012:key/1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e';
  const after = Template.fromStack(appFor('prod', { OLD_PAYLOAD_KEY_ARNS: `${old}, ${old}` }).worker);
  const [role] = Object.entries(after.findResources('AWS::IAM::Role')).filter(([id]) => /TaskRole/.test(id));
  const statements: Properties[] = role?.[1]['Properties'].Policies[0].PolicyDocument.Statement;
  expect(statements.filter(({ Resource }) => JSON.stringify(Resource).includes(old))).toEqual([
    expect.objectContaining({
      Action: 'kms:Decrypt',
      Condition: { StringEquals: { 'kms:EncryptionContext:purpose': 'epa-sync temporal payload' } },
    }),
  ]);
  expect(of('AWS::ECS::TaskDefinition', after)[0].ContainerDefinitions[0].Environment).toContainEqual({
    Name: 'OLD_PAYLOAD_KEY_ARNS',
    Value: `${old},${old}`,
  });
  expect(() => appFor('prod', { OLD_PAYLOAD_KEY_ARNS: 'alias/old' })).toThrow(/OLD_PAYLOAD_KEY_ARNS/);
});

test('the worker’s code may neither change access entries nor read its own secrets, and has no action on all resources', () => {
  const statements = statementsOf(/TaskRole/);
  for (const { Action, Resource } of statements) {
    expect([Action].flat().filter((action) => action.includes('*'))).toEqual([]);
    expect(Resource).not.toBe('*');
  }
  const onAccessLog = statements.filter(({ Resource }) => JSON.stringify(Resource).includes('table/AuditLog'));
  expect(onAccessLog.map(({ Action }) => Action)).toEqual([['dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:Scan']]);
  expect(JSON.stringify(statements)).not.toContain('secretsmanager:');
});

test('missing settings are reported together, by name', () => {
  expect(() => readWorkerSettings(new App().node, 'prod')).toThrow(ConfigError);
  for (const name of Object.keys(context))
    expect(() => readWorkerSettings(new App().node, 'prod')).toThrow(new RegExp(name));
});

test('cdk.json holds the settings of each stage, and -c overrides them', () => {
  const app = new App({ context: { prod: context, dev: { ...context, INSURER_ID: 'kk-probe' } } });
  expect(readWorkerSettings(app.node, 'dev').INSURER_ID).toBe('kk-probe');
  const overridden = new App({ context: { prod: context, INSURER_ID: 'kk-sued' } });
  expect(readWorkerSettings(overridden.node, 'prod').INSURER_ID).toBe('kk-sued');
});

test('all findings of the AWS Solutions checks are accepted with a reason', () => {
  const { app } = appFor('prod');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const { directory } = app.synth();
  const report = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as unknown;
  expect(report).toMatchObject({ pluginReports: [] });
});

test.each([
  [
    'INSURER_BASE_URL',
    'http://leitung.kk-nord.example',
    /^invalid configuration: INSURER_BASE_URL: must begin with https/,
  ],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://traces.example', /OTEL_EXPORTER_OTLP_ENDPOINT: must begin with https/],
  ['LEASE_MS', '15001', /^invalid configuration: LEASE_MS: must be 15000 or less in AWS/],
  [
    'PAUSE_GRACE_MS',
    '13501',
    /^invalid configuration: PAUSE_GRACE_MS: must be 13500 or less in AWS if LEASE_MS is 10000/,
  ],
  ['TEMPORAL_TLS', 'false', /^invalid configuration: TEMPORAL_TLS: must not be false in AWS/],
])('%s has a narrower limit in AWS', (name, value, problem) => {
  for (const stage of ['prod', 'dev'] as const) expect(() => appFor(stage, { [name]: value })).toThrow(problem);
});
