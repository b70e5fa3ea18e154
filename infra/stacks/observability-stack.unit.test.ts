import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { Match } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { lineFaults } from '../../core/domain/line.ts';
import { type MetricName, metrics } from '../../core/telemetry/metrics.ts';
import { alarmMetrics, dashboardMetrics, observabilityApp } from './observability.fixture.ts';

const insurerId = 'kk-nord';
const { app, template } = observabilityApp(insurerId);
// biome-ignore lint/suspicious/noExplicitAny: properties of a template have no types
const alarms: any[] = Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(
  ({ Properties }) => Properties,
);
const alarm = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `epa-sync ${name}`);

test('the dashboard shows exactly the metrics of the table', () => {
  expect(alarmMetrics(template)).toHaveLength(19);
  expect(new Set(dashboardMetrics(template).map(({ name }) => name))).toEqual(new Set(Object.keys(metrics)));
});

test('graphs and alarms use the dimensions of the table, for this insurer', () => {
  for (const { name, dimensions } of [...dashboardMetrics(template), ...alarmMetrics(template)]) {
    expect(Object.keys(dimensions).sort()).toEqual(['insurerId', ...metrics[name as MetricName].dimensions].sort());
    expect(dimensions['insurerId']).toBe(insurerId);
  }
  const faults = dashboardMetrics(template).flatMap(({ dimensions: { fault } }) => fault ?? []);
  expect(faults).toEqual(lineFaults);
});

test('faults of the line are shown as a percentage of all requests', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const body = JSON.stringify(dashboard?.['Properties'].DashboardBody);
  expect(body.match(/100 \* FILL\(f\d+, 0\) \/ requests/g)).toHaveLength(lineFaults.length);
});

test('there is an alarm for everything that needs action at night', () => {
  expect(alarms.map(({ AlarmName }) => AlarmName.replace('epa-sync ', '')).toSorted()).toEqual([
    'API fails',
    'Lambda failed',
    'Temporal not reachable',
    'a worker is missing',
    'access entries without anchors',
    'access log anchored late',
    'access log changed',
    'access log failed',
    'access logs not checked',
    'changes lost',
    'changes recorded late',
    'day could not be started',
    'events lost',
    'events published late',
    'export failed',
    'issuer away',
    'line in a long cooldown',
    'line paused by the system',
    'line paused for long',
    'many people found',
    'no worker holds the line',
    'payloads refused',
    'people wait for the line',
    'run awaits a decision',
    'run failed',
    'run has problems',
    'run overdue',
    'stream Lambda failed',
    'tasks wait',
  ]);
  expect(alarm('line paused for long')).toMatchObject({ MetricName: 'LinePausedSeconds', Threshold: 1_800 });
  expect(alarm('access log anchored late')).toMatchObject({ MetricName: 'AnchorLagSeconds', Threshold: 600 });
  expect(alarm('access logs not checked')).toMatchObject({ MetricName: 'AccessLogCheckAgeDays', Threshold: 35 });
  expect(alarm('many people found')).toMatchObject({
    ...{ MetricName: 'PatientsFound', Statistic: 'Sum', Period: 3_600, Threshold: 500 },
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  });
  // one change within a day
  expect(alarm('access log changed')).toMatchObject({ Period: 60, EvaluationPeriods: 1_440, DatapointsToAlarm: 1 });
  expect(alarm('run overdue').AlarmDescription).toContain('7:00 German time');
});

test('missing data is an alarm only for the line lease, the number of workers and Temporal', () => {
  expect(alarm('no worker holds the line')).toMatchObject({
    MetricName: 'LineHeld',
    Period: 60,
    EvaluationPeriods: 1,
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 1,
    TreatMissingData: 'breaching',
  });
  expect(alarm('a worker is missing')).toMatchObject({
    Namespace: 'ECS/ContainerInsights',
    MetricName: 'RunningTaskCount',
    Dimensions: [
      { Name: 'ClusterName', Value: expect.anything() },
      { Name: 'ServiceName', Value: expect.anything() },
    ],
    Statistic: 'Minimum',
    Period: 300,
    EvaluationPeriods: 3,
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 2,
    TreatMissingData: 'breaching',
  });
  expect(alarm('Temporal not reachable')).toMatchObject({
    MetricName: 'TemporalReachable',
    Statistic: 'Maximum',
    Period: 300,
    EvaluationPeriods: 1,
    ComparisonOperator: 'LessThanThreshold',
    Threshold: 1,
    TreatMissingData: 'breaching',
  });
  const floors = ['LineHeld', 'RunningTaskCount', 'TemporalReachable'];
  const others = alarms.filter(({ MetricName }) => !floors.includes(MetricName));
  expect(others.map(({ TreatMissingData }) => TreatMissingData)).toEqual(others.map(() => 'notBreaching'));
});

test('no alarm adds up more than ten metrics, which CloudWatch would reject', () => {
  for (const { Metrics = [] } of alarms)
    expect(Metrics.filter(({ MetricStat }: { MetricStat?: object }) => MetricStat).length).toBeLessThanOrEqual(10);
});

test('each alarm notifies one topic when it starts and when it ends', () => {
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'));
  for (const { AlarmActions, OKActions } of alarms)
    expect([AlarmActions, OKActions]).toEqual([[{ Ref: topic }], [{ Ref: topic }]]);
});

test('the topic has its own key, requires TLS, and only alarms may publish to it', () => {
  template.hasResourceProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
  template.hasResourceProperties('AWS::KMS::Key', {
    EnableKeyRotation: true,
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
        }),
      ]),
    },
  });
  const [policy] = Object.values(template.findResources('AWS::SNS::TopicPolicy'));
  const statements = policy?.['Properties'].PolicyDocument.Statement;
  expect(statements).toHaveLength(2);
  expect(statements).toContainEqual(
    expect.objectContaining({
      Effect: 'Deny',
      Action: 'sns:Publish',
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    }),
  );
  expect(statements).toContainEqual(
    expect.objectContaining({
      Effect: 'Allow',
      Action: 'sns:Publish',
      Principal: { Service: 'cloudwatch.amazonaws.com' },
    }),
  );
});

test('all findings of the AWS Solutions checks are accepted with a reason', () => {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const { directory } = app.synth({ force: true }); // it was synthesized before, without the checks
  const report = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as unknown;
  expect(report).toMatchObject({ pluginReports: [] });
});
