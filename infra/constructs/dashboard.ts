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
import { accessLogTable } from '../../core/stores/access-log.ts';
import { careRecordsTable } from '../../core/stores/care-records.ts';
import { lineTable } from '../../core/stores/gate.ts';
import { patientsTable } from '../../core/stores/patients.ts';
import { syncRunsTable } from '../../core/stores/sync-runs.ts';
import { type Metric as MetricFacts, type MetricName, metrics, metricTopics } from '../../core/telemetry/metrics.ts';
import { allOf, failureRates, minute } from './own-metric.ts';

export interface Watched {
  readonly insurerId: string;
  readonly api: RestApi;
  readonly lambdas: Readonly<Record<string, LambdaFunction>>;
  readonly missedDays: Queue;
}

const tables = [patientsTable, careRecordsTable, accessLogTable, lineTable, syncRunsTable];
/** of the 24 columns of a dashboard */
const graphColumns = 6;
const graphRows = 5;

/** What the table of metrics has, topic by topic, then what AWS itself measures. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, watched: Watched) {
    super(scope, id);
    const dashboard = new CloudWatchDashboard(this, 'Dashboard', {
      dashboardName: `epa-sync-${Stack.of(this).region}`,
    });
    for (const topic of metricTopics) {
      const names = (Object.keys(metrics) as MetricName[]).filter((name) => metrics[name].topic === topic);
      const says = names.map((name) => `**${name}**: ${metrics[name].description}  `);
      dashboard.addWidgets(text(`## ${topic}\n${says.join('\n')}`, 1 + Math.ceil(says.length / 1.5)));
      dashboard.addWidgets(...names.map((name) => graphOf(name, watched.insurerId)));
    }
    dashboard.addWidgets(text('## AWS, and what costs', 1));
    for (const row of ownOfAws(watched)) dashboard.addWidgets(...row);
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

/** Of all gateways of the account: they are the workers'. */
const throughNat = (metricName: string, label: string): MathExpression =>
  new MathExpression({
    expression: `SUM(SEARCH('{AWS/NATGateway,NatGatewayId} MetricName="${metricName}"', 'Sum', ${minute.toSeconds()}))`,
    usingMetrics: {},
    label,
    period: minute,
  });

/** As far as AWS has billed, some times a day; told once the account asks for billing alerts, in this region only (docs/reference/metrics.md). */
const accountCosts = new Metric({
  namespace: 'AWS/Billing',
  metricName: 'EstimatedCharges',
  dimensionsMap: { Currency: 'USD' },
  region: 'us-east-1',
  statistic: 'Maximum',
  period: Duration.hours(6),
  label: 'USD',
});

/** A metric of the table as it is, but what goes wrong on the line by its share of all requests. */
const graphOf = (name: MetricName, insurerId: string): GraphWidget =>
  name === 'LineFailuresByFault'
    ? graph(`${name}, of a hundred LineRequests`, { unit: 'Percent' }, failureRates(insurerId))
    : graph(name, metrics[name], allOf(name, insurerId));

/** Graphs of what AWS measures by itself, row by row. */
function ownOfAws({ api, lambdas, missedDays }: Watched): GraphWidget[][] {
  const count = { unit: 'Count' } as const;
  const ms = { unit: 'Milliseconds' } as const;
  const ofLambdas = (of: (lambda: LambdaFunction) => Metric): Metric[] =>
    Object.entries(lambdas).map(([label, lambda]) => of(lambda).with({ label }));
  const ofTables = (metricName: string): Metric[] =>
    tables.map(
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
      graph('Days that could not be started', count, [
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
      graph('Bytes through NAT gateways', { unit: 'Bytes' }, [
        throughNat('BytesInFromDestination', 'in'),
        throughNat('BytesOutToDestination', 'out'),
      ]),
      graph('Costs of the account this month', { unit: 'None' }, [accountCosts]),
    ],
  ];
}
