import { Duration, Stack } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import {
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { tablesOf } from '../../core/stores/tables.ts';
import { type Metric as MetricFacts, type MetricName, metrics, metricTopics } from '../../core/telemetry/metrics.ts';
import { failureRates, linesOf, type MetricOwner, minute } from './app-metric.ts';

export interface MonitoredResources extends MetricOwner {
  readonly api: RestApi;
  readonly lambdas: Readonly<Record<string, LambdaFunction> & Record<'change-feed' | 'events', LambdaFunction>>;
  readonly missedDays: Queue;
  /** batches of access entries that got no anchor */
  readonly anchorFailures: Queue;
  /** batches of writes of patients that others were not told of */
  readonly changeFailures: Queue;
  /** batches of writes that did not become events */
  readonly eventFailures: Queue;
}

/** width of a graph; a dashboard has 24 columns */
const graphColumns = 6;
const graphRows = 5;

/** The dashboard: the table of metrics, topic by topic, then metrics of AWS itself. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, monitored: MonitoredResources) {
    super(scope, id);
    const dashboard = new CloudWatchDashboard(this, 'Dashboard', {
      dashboardName: `${monitored.deployment}-${Stack.of(this).region}`,
    });
    for (const topic of metricTopics) {
      const names = (Object.keys(metrics) as MetricName[]).filter((name) => metrics[name].topic === topic);
      const descriptions = names.map((name) => `**${name}**: ${metrics[name].description}  `);
      dashboard.addWidgets(text(`## ${topic}\n${descriptions.join('\n')}`, 1 + Math.ceil(descriptions.length / 1.5)));
      dashboard.addWidgets(...names.map((name) => graphOf(name, monitored)));
    }
    dashboard.addWidgets(text('## AWS and costs', 1));
    for (const row of awsGraphs(monitored)) dashboard.addWidgets(...row);
  }
}

const text = (markdown: string, height: number): TextWidget => new TextWidget({ markdown, width: 24, height });

const graph = (title: string, { unit }: Pick<MetricFacts, 'unit'>, left: IMetric[]): GraphWidget =>
  new GraphWidget({
    title,
    left,
    width: graphColumns,
    height: graphRows,
    leftYAxis: { label: unit, min: 0, showUnits: false },
  });

/** Sums all NAT gateways of the account, which belong to the workers of all its deployments. */
const throughNat = (metricName: string, label: string): MathExpression =>
  new MathExpression({
    expression: `SUM(SEARCH('{AWS/NATGateway,NatGatewayId} MetricName="${metricName}"', 'Sum', ${minute.toSeconds()}))`,
    usingMetrics: {},
    label,
    period: minute,
  });

/**
 * Estimated charges, updated a few times a day. Exists only if the account has billing alerts, and only in this region
 * (docs/reference/metrics.md).
 */
const accountCosts = new Metric({
  namespace: 'AWS/Billing',
  metricName: 'EstimatedCharges',
  dimensionsMap: { Currency: 'USD' },
  region: 'us-east-1',
  statistic: 'Maximum',
  period: Duration.hours(6),
  label: 'USD',
});

/** Returns the graph of a metric. Faults of the line are shown as a percentage of all requests. */
const graphOf = (name: MetricName, owner: MetricOwner): GraphWidget =>
  name === 'LineFailuresByFault'
    ? graph(`${name}, percent of LineRequests`, { unit: 'Percent' }, failureRates(owner))
    : graph(name, metrics[name], linesOf(name, owner));

/** Returns the graphs of metrics of AWS, row by row. */
function awsGraphs({ deployment, api, lambdas, missedDays }: MonitoredResources): GraphWidget[][] {
  const count = { unit: 'Count' } as const;
  const ms = { unit: 'Milliseconds' } as const;
  const ofLambdas = (of: (lambda: LambdaFunction) => Metric): Metric[] =>
    Object.entries(lambdas).map(([label, lambda]) => of(lambda).with({ label }));
  const ofTables = (metricName: string): Metric[] =>
    Object.values(tablesOf(deployment)).map(
      (TableName) =>
        new Metric({
          namespace: 'AWS/DynamoDB',
          metricName,
          dimensionsMap: { TableName },
          statistic: 'Sum',
          period: minute,
          label: TableName,
        }),
    );
  const sum = { statistic: 'Sum', period: minute } as const;
  return [
    [
      graph(
        'Lambda errors',
        count,
        ofLambdas((lambda) => lambda.metricErrors(sum)),
      ),
      graph(
        'Lambda throttles',
        count,
        ofLambdas((lambda) => lambda.metricThrottles(sum)),
      ),
      graph(
        'Lambda duration, p99',
        ms,
        ofLambdas((lambda) => lambda.metricDuration({ statistic: 'p99', period: minute })),
      ),
      graph(
        'Lambda invocations',
        count,
        ofLambdas((lambda) => lambda.metricInvocations(sum)),
      ),
    ],
    [
      graph('API requests', count, [api.metricCount(sum)]),
      graph('API answers 4xx, 5xx', count, [api.metricClientError(sum), api.metricServerError(sum)]),
      graph('API latency, p99', ms, [api.metricLatency({ statistic: 'p99', period: minute })]),
      graph('Daily runs that could not be started', count, [
        missedDays.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: minute }),
      ]),
    ],
    [
      graph('DynamoDB read units', count, ofTables('ConsumedReadCapacityUnits')),
      graph('DynamoDB write units', count, ofTables('ConsumedWriteCapacityUnits')),
      graph('DynamoDB reads throttled', count, ofTables('ReadThrottleEvents')),
      graph('DynamoDB writes throttled', count, ofTables('WriteThrottleEvents')),
    ],
    [
      graph('Bytes through all NAT gateways', { unit: 'Bytes' }, [
        throughNat('BytesInFromDestination', 'in'),
        throughNat('BytesOutToDestination', 'out'),
      ]),
      graph('Costs of the account this month', { unit: 'None' }, [accountCosts]),
    ],
  ];
}
