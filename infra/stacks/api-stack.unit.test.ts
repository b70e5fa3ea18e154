import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { ConfigError } from '../../core/config.ts';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { groups, operations } from '../../lambdas/http/routes.ts';
import { readApiSettings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import { ApiStack } from './api-stack.ts';
import { DataStack } from './data-stack.ts';

const context = {
  INSURER_ID: 'kk-nord',
  TEMPORAL_ADDRESS: 'eu.tmprl.cloud:7233',
  TEMPORAL_NAMESPACE: 'epa-sync.a1b2c',
  OIDC_ISSUER: 'https://login.klinik.example',
  OIDC_AUDIENCE: 'epa-sync-api',
  CONSOLE_ORIGIN: 'https://konsole.klinik.example',
};
const temporalUi = { TEMPORAL_UI_ORIGIN: 'https://cloud.temporal.io' };
const withoutBundles = { 'aws:cdk:bundling-stacks': [] };

function appFor(stage: Stage, more: object = {}) {
  const app = new App({ context: { ...context, ...temporalUi, ...withoutBundles, ...more } });
  const data = new DataStack(app, 'EpaSyncData', { deployment: defaultDeployment, stage });
  const { encryptionKey, bucket, secret, payloadKey, anchors, accessLogStreamArn, eventStreamArns, eventBus } = data;
  const shared = {
    deployment: defaultDeployment,
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
  return { app, api };
}
const template = Template.fromStack(appFor('prod').api);

// biome-ignore lint/suspicious/noExplicitAny: properties of a template have no types
type Properties = any;
const resources = Object.entries(
  template.toJSON()['Resources'] as Record<string, { Type: string; Properties: Properties }>,
);
const of = (type: string): [id: string, properties: Properties][] =>
  resources.flatMap(([id, { Type, Properties }]) => (Type === type ? [[id, Properties]] : []));
const idsIn = (value: unknown): string[] =>
  [...JSON.stringify(value).matchAll(/"(?:Fn::GetAtt":\["|Ref":")([^"]+)"/g)].map(([, id = '']) => id);

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}
/** permissions, with the logical ID of the role */
const permissions = (): { role: string; actions: string[]; resource: string }[] => {
  const inline = of('AWS::IAM::Role').flatMap(([role, { Policies = [] }]) =>
    Policies.map(({ PolicyDocument }: Properties) => ({ role, PolicyDocument })),
  );
  const attached = of('AWS::IAM::Policy').map(([, { Roles, PolicyDocument }]) => ({
    role: idsIn(Roles).join(),
    PolicyDocument,
  }));
  return [...inline, ...attached].flatMap(({ role, PolicyDocument }) =>
    (PolicyDocument.Statement as Statement[]).map(({ Effect, Action, Resource }) => {
      expect(Effect).toBe('Allow');
      return { role, actions: [Action].flat(), resource: JSON.stringify(Resource) };
    }),
  );
};

function pathOf(id: string): string {
  const found = of('AWS::ApiGateway::Resource').find(([resource]) => resource === id);
  if (found === undefined) return '';
  const [, { ParentId, PathPart }] = found;
  return `${pathOf(idsIn(ParentId)[0] ?? '')}/${PathPart}`;
}

test('each operation has exactly one route, which calls the Lambda of its group', () => {
  const handlers = new Map(of('AWS::Lambda::Function').map(([id, { Handler }]) => [id, Handler as string]));
  const routes = of('AWS::ApiGateway::Method').flatMap(([, { HttpMethod, ResourceId, Integration }]) => {
    if (HttpMethod === 'OPTIONS') {
      expect(Integration.Type).toBe('MOCK');
      return [];
    }
    const [handler] = idsIn(Integration.Uri).flatMap((id) => handlers.get(id) ?? []);
    return [`${HttpMethod} ${pathOf(idsIn(ResourceId)[0] ?? '')} ${Integration.Type} ${handler}`];
  });
  const expected = Object.values(operations).map(
    ({ method, path, group }) => `${method} ${path} AWS_PROXY ${group}.handler`,
  );
  expect(routes.toSorted()).toEqual(expected.toSorted());
});

test('only the API can call a Lambda without a role', () => {
  const permissions = of('AWS::Lambda::Permission').map(([, properties]) => properties);
  const [[api] = []] = of('AWS::ApiGateway::RestApi');
  expect(permissions).toHaveLength(Object.keys(operations).length);
  for (const { Principal, SourceArn } of permissions)
    expect([Principal, idsIn(SourceArn)]).toEqual(['apigateway.amazonaws.com', expect.arrayContaining([api])]);
  expect(of('AWS::Lambda::Url')).toEqual([]);
});

test('no role has a permission to update or delete an access entry', () => {
  const onAccessLog = permissions().filter(({ resource }) => resource.includes('table/AuditLog'));
  expect(onAccessLog.map(({ role }) => role.replace(/Role.*/, '')).toSorted()).toEqual([
    'accesslog',
    'codec',
    'fhir',
    'patients',
  ]);
  for (const { actions } of onAccessLog) expect(actions).toEqual(['dynamodb:PutItem', 'dynamodb:Query']);
});

test('search counters, exports and the check of the logs are the only items of SyncRuns for the Lambdas that use one kind', () => {
  const onSyncRuns = of('AWS::IAM::Role').flatMap(([role, { Policies = [] }]) =>
    Policies.flatMap(({ PolicyDocument }: Properties) => PolicyDocument.Statement)
      .filter(({ Resource }: Properties) => /table\/SyncRuns"/.test(JSON.stringify(Resource)))
      .map(({ Action, Condition }: Properties) => [role.replace(/Role.*/, ''), [Action].flat(), Condition]),
  );
  const only = (...partitions: string[]) => ({ 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': partitions } });
  const exportActions = ['GetItem', 'Query', 'PutItem', 'UpdateItem'].map((action) => `dynamodb:${action}`);
  const restricted = onSyncRuns.filter(([role]) => role !== 'sync' && role !== 'schedule');
  expect(restricted.toSorted()).toEqual([
    ['accesslog', ['dynamodb:GetItem'], only('kk-nord#access-logs')],
    ['exports', exportActions, only('kk-nord#exports', 'kk-nord#export-in-progress', 'kk-nord#export#*')],
    ['patients', ['dynamodb:UpdateItem'], only('kk-nord#searches')],
  ]);
});

test('no role has all actions, or actions on all resources', () => {
  for (const { actions, resource } of permissions()) {
    if (actions.join() === 'dynamodb:ListStreams') continue; // has no resource
    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
    expect(resource.replace(/\/(documents|reports|exports|stream)\/\*/, '')).not.toContain('*');
  }
});

test('only the Lambdas for patients and for FHIR may read patients, and two others the stream of their writes', () => {
  const readersIn = (of: ReturnType<typeof permissions>) => (what: string) =>
    of.flatMap(({ role, resource }) => (resource.includes(what) ? [role.replace(/Role.*/, '')] : []));
  expect(readersIn(permissions())('table/Patients/stream/')).toEqual(['ChangeFeed', 'Events']);
  const readers = readersIn(permissions().filter(({ resource }) => !resource.includes('/stream/')));
  for (const what of ['table/Patients', 'table/CareRecords', '/documents/*'])
    expect([...new Set(readers(what))].toSorted()).toEqual(['fhir', 'patients']); // that for patients also reads the index
  expect(readers('/exports/*')).toEqual(['exports']);
  const writes = permissions().filter(({ resource }) => /table\/(Patients|CareRecords)/.test(resource));
  expect(writes.flatMap(({ actions }) => actions)).not.toContain('dynamodb:DeleteItem');
});

test('each Lambda that needs secrets reads them from Secrets Manager, and no template holds any', () => {
  const functions = of('AWS::Lambda::Function').filter(
    ([, { Handler }]) => !['anchors.handler', 'change-feed.handler', 'events.handler'].includes(Handler),
  );
  expect(functions).toHaveLength(groups.length + 1);
  for (const [, { Environment }] of functions) {
    const telling = Object.keys(Environment.Variables).filter((name) => /KEY|TOKEN|PASSWORD/.test(name));
    expect(telling.toSorted()).toEqual(['OLD_PAYLOAD_KEY_ARNS', 'PAYLOAD_KMS_KEY']); // only ARNs of keys
    expect(JSON.stringify(Environment.Variables.SECRET_ID)).toContain('EpaSyncData:ExportsOutputRefSecret');
  }
  const readers = permissions().filter(({ actions }) => actions.includes('secretsmanager:GetSecretValue'));
  expect(readers).toHaveLength(groups.length); // without openapi, with schedule
});

test('every Lambda runs on Node 24, and all logs are deleted after three months', () => {
  for (const [, properties] of of('AWS::Lambda::Function'))
    expect(properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      LoggingConfig: { LogGroup: expect.anything() },
    });
  expect(of('AWS::Logs::LogGroup').map(([, { RetentionInDays }]) => RetentionInDays)).toEqual(
    Array.from({ length: groups.length + 4 }, () => 90),
  );
});

test('nothing is traced by X-Ray, which would store keys of objects and pseudonyms', () => {
  for (const [, { TracingConfig }] of of('AWS::Lambda::Function')) expect(TracingConfig).toBeUndefined();
  expect(JSON.stringify(template.toJSON())).not.toContain('xray:');
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  expect(Object.keys(dependencies).filter((name) => /tracer|xray/.test(name))).toEqual([]);
});

test('only the Lambdas that check tokens may use the last keys of the issuers', () => {
  const users = permissions().filter(({ resource }) => resource.includes('/issuer-keys/'));
  expect(users.map(({ role }) => role.replace(/Role.*/, '')).toSorted()).toEqual([
    'accesslog',
    'changes',
    'codec',
    'exports',
    'fhir',
    'line',
    'patients',
    'sync',
  ]);
  for (const { actions } of users) expect(actions).toEqual(['s3:GetObject', 's3:PutObject']);
});

test('the API stage is throttled, logs requests without caller and patient, and has no traces, which would hold both', () => {
  const [[, stage] = []] = of('AWS::ApiGateway::Stage');
  expect(stage).toMatchObject({
    TracingEnabled: false,
    MethodSettings: [
      expect.objectContaining({
        HttpMethod: '*',
        ResourcePath: '/*',
        ThrottlingRateLimit: 100,
        ThrottlingBurstLimit: 200,
        LoggingLevel: 'OFF',
        DataTraceEnabled: false,
      }),
    ],
  });
  const logged = Object.values(JSON.parse(stage.AccessLogSetting.Format) as Record<string, string>);
  expect(logged).toEqual(
    [
      'requestId',
      'requestTime',
      'httpMethod',
      'resourcePath',
      'status',
      'responseLength',
      'responseLatency',
      'integrationLatency',
      'tlsVersion',
      'cipherSuite',
    ].map((name) => `$context.${name}`),
  );
});

test('API Gateway itself answers with problems, too, without internals', () => {
  const responses = of('AWS::ApiGateway::GatewayResponse').map(([, properties]) => properties);
  const types = responses.map(({ ResponseType, StatusCode }) => `${ResponseType} ${StatusCode}`);
  for (const expected of [
    'DEFAULT_4XX 404',
    'MISSING_AUTHENTICATION_TOKEN 404',
    'THROTTLED 429',
    'REQUEST_TOO_LARGE 413',
    'WAF_FILTERED 403', // a firewall blocks: the operation exists
    'ACCESS_DENIED 403',
    'DEFAULT_5XX 500',
  ])
    expect(types).toContain(expected);
  for (const { StatusCode, ResponseTemplates, ResponseParameters } of responses) {
    expect(JSON.parse(ResponseTemplates['application/json'])).toEqual({
      type: expect.stringMatching(/^urn:epa-sync:problem:/),
      title: expect.any(String),
      status: Number(StatusCode),
      ...(StatusCode === '403' && { detail: expect.stringContaining('firewall') }),
      correlationId: '$context.requestId',
    });
    expect(ResponseParameters).toMatchObject({
      'gatewayresponse.header.Content-Type': "'application/problem+json'",
      'gatewayresponse.header.access-control-allow-origin': `'${context.CONSOLE_ORIGIN}'`,
    });
  }
});

test('only pages of the console may call the API, and only pages of the Temporal UI may call the codec endpoint', () => {
  const preflights = of('AWS::ApiGateway::Method').filter(([, { HttpMethod }]) => HttpMethod === 'OPTIONS');
  const paths = new Set(Object.values(operations).map(({ path }) => path));
  expect(preflights.map(([, { ResourceId }]) => pathOf(idsIn(ResourceId)[0] ?? ''))).toEqual(
    expect.arrayContaining([...paths]),
  );
  for (const [, { Integration, ResourceId }] of preflights) {
    const isCodec = pathOf(idsIn(ResourceId)[0] ?? '').startsWith('/codec');
    const headers = `authorization,content-type,${isCodec ? 'x-namespace' : 'accept,x-correlation-id'}`;
    expect(Integration.IntegrationResponses[0].ResponseParameters).toMatchObject({
      'method.response.header.Access-Control-Allow-Origin': `'${isCodec ? temporalUi.TEMPORAL_UI_ORIGIN : context.CONSOLE_ORIGIN}'`,
      'method.response.header.Access-Control-Allow-Headers': `'${headers}'`,
    });
  }
});

test('Lambdas that call Temporal may wrap and unwrap data keys, and the codec Lambda may only unwrap them', () => {
  const users = of('AWS::IAM::Role').flatMap(([role, { Policies = [] }]) =>
    Policies.flatMap(({ PolicyDocument }: Properties) => PolicyDocument.Statement)
      .filter(({ Resource }: Properties) => JSON.stringify(Resource).includes('PayloadKey'))
      .map(({ Action, Condition }: Properties) => {
        expect(Condition).toEqual({
          StringEquals: { 'kms:EncryptionContext:purpose': 'epa-sync temporal payload' },
        });
        return `${role.replace(/Role.*/, '')} ${[Action].flat().join()}`;
      }),
  );
  expect(users.toSorted()).toEqual([
    'accesslog kms:GenerateDataKey,kms:Decrypt',
    'codec kms:Decrypt',
    'exports kms:GenerateDataKey,kms:Decrypt',
    'fhir kms:GenerateDataKey,kms:Decrypt',
    'line kms:GenerateDataKey,kms:Decrypt',
    'patients kms:GenerateDataKey,kms:Decrypt',
    'schedule kms:GenerateDataKey,kms:Decrypt',
    'sync kms:GenerateDataKey,kms:Decrypt',
  ]);
});

test('an old key may unwrap data keys, but not wrap them, and Lambdas know its ARN', () => {
  const old = 'arn:aws:kms:eu-central-1:123456789012:key/1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e';
  const after = Template.fromStack(appFor('prod', { OLD_PAYLOAD_KEY_ARNS: old }).api);
  const users = Object.values(after.findResources('AWS::IAM::Role')).flatMap(({ Properties: { Policies = [] } }) =>
    Policies.flatMap(({ PolicyDocument }: Properties) => PolicyDocument.Statement).filter(
      ({ Resource }: Properties) => Resource === old,
    ),
  );
  expect(users.map(({ Action }: Properties) => Action)).toEqual(Array.from({ length: 8 }, () => 'kms:Decrypt'));
  const knowing = Object.values(after.findResources('AWS::Lambda::Function')).filter(
    ({ Properties: { Environment } }) => Environment?.Variables?.OLD_PAYLOAD_KEY_ARNS === old,
  );
  expect(knowing).toHaveLength(groups.length + 1); // with schedule
});

test('the API has a firewall if the account has one', () => {
  const WEB_ACL_ARN = 'arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/klinik/1234-abcd';
  const { app, api } = appFor('prod', { WEB_ACL_ARN });
  expect(findingsOf(app)).toEqual([]);
  Template.fromStack(api).hasResourceProperties('AWS::WAFv2::WebACLAssociation', { WebACLArn: WEB_ACL_ARN });
  expect(of('AWS::WAFv2::WebACLAssociation')).toEqual([]);
  expect(() => appFor('prod', { WEB_ACL_ARN: WEB_ACL_ARN.replace('regional', 'global') })).toThrow(/WEB_ACL_ARN/);
});

test('the outputs that the runbook uses exist, and the address of the API has no slash at the end', () => {
  const outputs = template.toJSON()['Outputs'] as Record<string, { Value: unknown }>;
  expect(JSON.stringify(outputs['ApiUrl'])).toMatch(/"HttpApiDeploymentStagev1\w+"\}\]\]\}\}$/);
  const [[queue] = []] = of('AWS::SQS::Queue');
  expect(outputs['MissedDaysUrl']).toEqual({ Value: { Ref: queue } });
  const listed = ['LambdaLogGroupNames', 'AccessLogGroupName', 'EventLogGroupName'].flatMap((name) =>
    idsIn(outputs[name]),
  );
  expect(listed.toSorted()).toEqual(
    of('AWS::Logs::LogGroup')
      .map(([id]) => id)
      .toSorted(),
  );
});

test('on a laptop, keys of the secret wrap data keys, and no Lambda knows a KMS key', () => {
  const local = JSON.stringify(Template.fromStack(appFor('local').api).toJSON());
  expect(local).not.toMatch(/PAYLOAD_KMS_KEY|PayloadKey|undefined/);
});

test('the daily run starts at the configured hour in German time, the check of the access logs each month, and failed starts are kept in a queue', () => {
  const schedules = of('AWS::Scheduler::Schedule').map(([, schedule]) => schedule);
  const [[queue] = []] = of('AWS::SQS::Queue');
  const ofAll = {
    ScheduleExpressionTimezone: 'Europe/Berlin',
    FlexibleTimeWindow: { Mode: 'OFF' },
    Target: { DeadLetterConfig: { Arn: { 'Fn::GetAtt': [queue, 'Arn'] } }, RetryPolicy: { MaximumRetryAttempts: 10 } },
  };
  expect(schedules).toMatchObject([
    { ...ofAll, ScheduleExpression: 'cron(0 3 * * ? *)' },
    { ...ofAll, ScheduleExpression: 'cron(0 12 1 * ? *)' },
  ]);
  expect(schedules.map(({ Target }) => Target.Input)).toEqual([
    undefined,
    JSON.stringify({ start: 'access-log-check' }),
  ]);
  expect(of('AWS::Lambda::EventInvokeConfig').map(([, { DestinationConfig }]) => idsIn(DestinationConfig)[0])).toEqual([
    queue,
  ]);
});

test('the API accepts TLS 1.2 or newer; an emulator does not know the setting', () => {
  const [[, api] = []] = of('AWS::ApiGateway::RestApi');
  expect(api).toMatchObject({
    SecurityPolicy: 'SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09',
    EndpointAccessMode: 'BASIC',
  });
  const [local] = Object.values(Template.fromStack(appFor('local').api).findResources('AWS::ApiGateway::RestApi'));
  expect(local?.['Properties']).not.toHaveProperty('SecurityPolicy');
});

test.each(['OIDC_ISSUER', 'CODEC_OIDC_ISSUER', 'CONSOLE_ORIGIN', 'TEMPORAL_UI_ORIGIN', 'OTEL_EXPORTER_OTLP_ENDPOINT'])(
  '%s must be https in AWS, and may be http on a laptop',
  (name) => {
    const { node } = new App({ context: { ...context, [name]: 'http://login.klinik.example' } });
    for (const stage of ['prod', 'dev'] as const)
      expect(() => readApiSettings(node, stage)).toThrow(
        new RegExp(`^invalid configuration: ${name}: must begin with https`),
      );
    expect(readApiSettings(node, 'local')).toHaveProperty(name);
  },
);

test('TLS to Temporal cannot be switched off in AWS, but on a laptop', () => {
  const { node } = new App({ context: { ...context, TEMPORAL_TLS: 'false' } });
  for (const stage of ['prod', 'dev'] as const)
    expect(() => readApiSettings(node, stage)).toThrow(
      /^invalid configuration: TEMPORAL_TLS: must not be false in AWS/,
    );
  expect(readApiSettings(node, 'local')).toMatchObject({ TEMPORAL_TLS: false });
});

test('containers of the Lambda for patients are kept ready on request, and the API calls those', () => {
  const { app, api } = appFor('prod', { PATIENTS_PROVISIONED_CONCURRENCY: '2' });
  expect(findingsOf(app)).toEqual([]);
  const ready = Template.fromStack(api);
  const [[alias, { Properties }] = ['', {}]] = Object.entries(ready.findResources('AWS::Lambda::Alias'));
  expect(Properties).toMatchObject({ ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 } });
  const calls = Object.values(ready.findResources('AWS::ApiGateway::Method')).map((method) => JSON.stringify(method));
  const onPatients = Object.values(operations).filter(({ group }) => group === 'patients');
  expect(calls.filter((call) => call.includes(alias))).toHaveLength(onPatients.length);
  const allowed = Object.values(ready.findResources('AWS::Lambda::Permission')).map((permission) =>
    JSON.stringify(permission),
  );
  expect(allowed.filter((permission) => permission.includes(alias))).toHaveLength(onPatients.length);
  expect(of('AWS::Lambda::Alias')).toEqual([]); // by default, none
  expect(of('AWS::Lambda::Version')).toEqual([]);
});

test('missing settings are reported together, by name', () => {
  expect(() => readApiSettings(new App().node, 'prod')).toThrow(ConfigError);
  for (const name of Object.keys(context))
    expect(() => readApiSettings(new App().node, 'prod')).toThrow(new RegExp(name));
  const { TEMPORAL_NAMESPACE: _, ...unnamed } = context;
  const { node } = new App({ context: { ...unnamed, prod: { TEMPORAL_NAMESPACE: '' } } }); // as in cdk.json
  expect(() => readApiSettings(node, 'prod')).toThrow(/^invalid configuration: TEMPORAL_NAMESPACE: [^;]+$/);
  expect(readApiSettings(node, 'local').TEMPORAL_NAMESPACE).toBe('default');
});

test('each Lambda of the stack is a file of the bundle', () => {
  for (const [, { Handler }] of of('AWS::Lambda::Function')) {
    const [name] = (Handler as string).split('.');
    expect(existsSync(join(import.meta.dirname, '..', '..', 'lambdas', 'functions', `${name}.ts`))).toBe(true);
  }
});

test('all findings of the AWS Solutions checks are accepted with a reason', () => {
  expect(findingsOf(appFor('prod').app)).toEqual([]);
});

function findingsOf(app: App): unknown {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const { directory } = app.synth();
  const report = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as unknown;
  return (report as { pluginReports: unknown }).pluginReports;
}

test('each table whose writes become events is read without an end to the attempts, and only the bus is written', () => {
  const mappings = of('AWS::Lambda::EventSourceMapping').filter(([id]) => id.startsWith('Events'));
  expect(mappings).toHaveLength(3);
  for (const [, mapping] of mappings) {
    expect(mapping).toMatchObject({ StartingPosition: 'TRIM_HORIZON', MaximumRecordAgeInSeconds: 82_800 });
    expect(mapping).toMatchObject({ BisectBatchOnFunctionError: true, DestinationConfig: { OnFailure: {} } });
    expect(mapping).not.toHaveProperty('MaximumRetryAttempts');
  }
  const filters = mappings.map(([, { FilterCriteria }]) => FilterCriteria?.Filters.length ?? 0);
  expect(filters.toSorted()).toEqual([0, 2, 3]); // of patients, every write may be an event
  const own = permissions().filter(({ role }) => role.startsWith('EventsRole'));
  expect([...new Set(own.flatMap(({ actions }) => actions))].toSorted()).toEqual([
    'dynamodb:DescribeStream',
    'dynamodb:GetRecords',
    'dynamodb:GetShardIterator',
    'dynamodb:ListStreams',
    'events:PutEvents',
    'kms:Decrypt',
    'kms:DescribeKey',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    'sqs:SendMessage',
  ]);
});
