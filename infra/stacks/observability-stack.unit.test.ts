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
// biome-ignore lint/suspicious/noExplicitAny: a template's properties are what they are
const alarms: any[] = Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(
  ({ Properties }) => Properties,
);
const alarm = (name: string) => alarms.find(({ AlarmName }) => AlarmName === `epa-sync ${name}`);

test('the dashboard shows every metric of the table, and of ours no other', () => {
  expect(alarmMetrics(template)).toHaveLength(9);
  expect(new Set(dashboardMetrics(template).map(({ name }) => name))).toEqual(new Set(Object.keys(metrics)));
});

test('what is shown and watched has the dimensions that the table says, of this insurer', () => {
  for (const { name, dimensions } of [...dashboardMetrics(template), ...alarmMetrics(template)]) {
    expect(Object.keys(dimensions).sort()).toEqual(['insurerId', ...metrics[name as MetricName].dimensions].sort());
    expect(dimensions['insurerId']).toBe(insurerId);
  }
  const faults = dashboardMetrics(template).flatMap(({ dimensions: { fault } }) => fault ?? []);
  expect(faults).toEqual(lineFaults);
});

test('what goes wrong on the line is shown by its share of all requests', () => {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const body = JSON.stringify(dashboard?.['Properties'].DashboardBody);
  expect(body.match(/100 \* FILL\(f\d+, 0\) \/ requests/g)).toHaveLength(lineFaults.length);
});

test('there is an alarm for whatever somebody has to know of by night', () => {
  expect(alarms.map(({ AlarmName }) => AlarmName.replace('epa-sync ', '')).toSorted()).toEqual([
    'API fails',
    'Lambda failed',
    'a worker is missing',
    'access log failed',
    'day could not be started',
    'line paused by the system',
    'line paused for long',
    'no worker holds the line',
    'people wait for the line',
    'run awaits a decision',
    'run failed',
    'run overdue',
    'tasks wait',
  ]);
  expect(alarm('line paused for long')).toMatchObject({ MetricName: 'LinePausedSeconds', Threshold: 1_800 });
  expect(alarm('run overdue').AlarmDescription).toContain('7:00 German time');
});

test('that nobody says to hold the line, or that workers run, is the alarm, and silence of all else is none', () => {
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
  const others = alarms.filter(({ MetricName }) => !['LineHeld', 'RunningTaskCount'].includes(MetricName));
  expect(others.map(({ TreatMissingData }) => TreatMissingData)).toEqual(others.map(() => 'notBreaching'));
});

test('each alarm is told when it begins and when it is over, to one topic', () => {
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'));
  for (const { AlarmActions, OKActions } of alarms)
    expect([AlarmActions, OKActions]).toEqual([[{ Ref: topic }], [{ Ref: topic }]]);
});

test('the topic is encrypted with a key of its own that alarms may use, takes TLS only, and is published to by alarms only', () => {
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

test('the AWS Solutions checks find nothing that is not accepted with a reason', () => {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const { directory } = app.synth({ force: true }); // it has been synthesised before, without the checks
  const report = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as unknown;
  expect(report).toMatchObject({ pluginReports: [] });
});
