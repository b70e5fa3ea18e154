import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { readApiSettings, readWorkerSettings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import { ApiStack } from './api-stack.ts';
import { DataStack } from './data-stack.ts';
import { ObservabilityStack } from './observability-stack.ts';
import { WorkerStack } from './worker-stack.ts';

const deployment = defaultDeployment;

/** Creates the app with its observability stack, without bundling code. */
export function observabilityApp(insurerId: string, stage: Stage = 'prod') {
  const app = new App({
    context: {
      INSURER_ID: insurerId,
      INSURER_BASE_URL: 'https://leitung.kk-nord.example',
      TEMPORAL_ADDRESS: 'eu.tmprl.cloud:7233',
      TEMPORAL_NAMESPACE: 'epa-sync.a1b2c',
      OIDC_ISSUER: 'https://login.klinik.example',
      OIDC_AUDIENCE: 'epa-sync-api',
      CONSOLE_ORIGIN: 'https://konsole.klinik.example',
      RUN_DUE_HOUR: '7',
      'aws:cdk:bundling-stacks': [],
    },
  });
  const settings = readApiSettings(app.node, stage);
  const data = new DataStack(app, 'EpaSyncData', { deployment, stage });
  const {
    encryptionKey,
    bucket,
    secret,
    insurerSecret,
    payloadKey,
    anchors,
    accessLogStreamArn,
    eventStreamArns,
    eventBus,
  } = data;
  const shared = { deployment, stage, encryptionKey, bucket, secret, payloadKey };
  const apiStack = new ApiStack(app, 'EpaSyncApi', {
    ...shared,
    anchors,
    accessLogStreamArn,
    eventStreamArns,
    eventBus,
    settings,
  });
  const { service: workers } = new WorkerStack(app, 'EpaSyncWorker', {
    ...shared,
    insurerSecret,
    anchorBucket: anchors.bucket,
    settings: readWorkerSettings(app.node, stage),
  });
  const stack = new ObservabilityStack(app, 'EpaSyncObservability', {
    ...{ deployment, stage, settings, apiStack, workers },
    anchorFailures: anchors.failures,
  });
  return { app, template: Template.fromStack(stack) };
}

/** A metric of epa-sync as a graph or an alarm uses it. A search expression has only names of dimensions. */
export interface UsedMetric {
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string | undefined>>;
}

/** Returns the metrics of epa-sync that dashboards of the template show. */
export function dashboardMetrics(template: Template): UsedMetric[] {
  return Object.values(template.findResources('AWS::CloudWatch::Dashboard')).flatMap(({ Properties }) => {
    const parts = (Properties as { DashboardBody: { 'Fn::Join': [string, unknown[]] } }).DashboardBody['Fn::Join'][1];
    const body = parts.map((part) => (typeof part === 'string' ? part : 'reference')).join('');
    const { widgets } = JSON.parse(body) as { widgets: { properties: { metrics?: unknown[][] } }[] };
    return widgets.flatMap(({ properties: { metrics = [] } }) => metrics.flatMap(metricsOfLine));
  });
}

/** Parses one line of a graph: `[namespace, name, dimension, value, …, {options}]` or `[{expression}]`. */
function metricsOfLine([first, name, ...rest]: unknown[]): UsedMetric[] {
  if (typeof first === 'object') return metricsOfSearch((first as { expression?: string }).expression ?? '');
  if (first !== deployment) return [];
  const texts = rest.filter((part) => typeof part === 'string');
  const pairs = texts.flatMap((text, index) => (index % 2 === 0 ? [[text, texts[index + 1]] as const] : []));
  return [{ name: String(name), dimensions: Object.fromEntries(pairs) }];
}

function metricsOfSearch(expression: string): UsedMetric[] {
  const [, schema = '', name = '', insurerId] =
    /\{epa-sync,(.+?)\} MetricName="(.+?)" insurerId="(.+?)"/.exec(expression) ?? [];
  if (name === '') return [];
  const dimensions = schema.split(',').map((dimension) => [dimension, undefined] as const);
  return [{ name, dimensions: { ...Object.fromEntries(dimensions), insurerId } }];
}

/** Returns the metrics of epa-sync that alarms of the template use. */
export function alarmMetrics(template: Template): UsedMetric[] {
  return Object.values(template.findResources('AWS::CloudWatch::Alarm')).flatMap(({ Properties }) => {
    const {
      Namespace,
      MetricName,
      Dimensions = [],
    } = Properties as {
      Namespace?: string;
      MetricName: string;
      Dimensions?: { Name: string; Value: string }[];
    };
    if (Namespace !== deployment) return [];
    return [{ name: MetricName, dimensions: Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value])) }];
  });
}
