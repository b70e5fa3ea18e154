import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { syncTaskQueue, urgentLineTaskQueue } from '../../core/contract/names.ts';
import type { MetricName } from '../../core/telemetry/metrics.ts';
import { appMetric, minute } from './app-metric.ts';
import type { MonitoredResources } from './dashboard.ts';
import { workerTasks } from './worker-service.ts';

export interface AlarmsProps extends MonitoredResources {
  readonly topic: Topic;
  readonly workers: FargateService;
  /** RUN_DUE_HOUR */
  readonly runDueHour: number;
}

interface AlarmSpec {
  /** what happened, and what to do first */
  readonly description: string;
  readonly metric: IMetric;
  /** the alarm starts at this value */
  readonly threshold: number;
  /** minutes for which the alarm lasts after its last value at the threshold; by default until the next value */
  readonly lastsMinutes?: number;
  /** number of consecutive values at the threshold with which the alarm starts */
  readonly consecutiveValues?: number;
  /** the alarm starts below the threshold instead, and if there is no data */
  readonly isFloor?: boolean;
}

const fiveMinutes = Duration.minutes(5);
const pausedTooLongMinutes = 30;
const anchorLagMaxMinutes = 10;
/** They repeat what has failed. The others tell the caller. */
const streamLambdas = ['anchors', 'change-feed', 'events'];
const changeLagMaxMinutes = 15;
const eventLagMaxMinutes = 15;
/** People found by search within an hour. Eight counters that find one person a minute each stay below it. */
const foundMax = 500;
const checkAgeMaxDays = 35; // a check starts each month, and needs some days at most
/** Waiting tasks. With running workers, a window of patients causes some dozens for seconds. */
const backlogMax = 100;
/** Waiting syncs on demand. Each normally waits one or two seconds for the line. */
const urgentBacklogMax = 20;

/** All alarms. Each one notifies the topic when it starts and when it ends. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { topic, ...props }: AlarmsProps) {
    super(scope, id);
    const action = new SnsAction(topic);
    for (const [name, spec] of Object.entries(alarmSpecs(props))) {
      const { description, metric, threshold, consecutiveValues = 1, lastsMinutes, isFloor = false } = spec;
      const alarm = new Alarm(this, name, {
        alarmName: `${props.deployment} ${name}`,
        alarmDescription: description,
        metric,
        threshold,
        evaluationPeriods: lastsMinutes ?? consecutiveValues,
        ...(lastsMinutes !== undefined && { datapointsToAlarm: 1 }),
        comparisonOperator: isFloor
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        // Without a lease holder there are no other metrics. That must be one alarm, not ten.
        treatMissingData: isFloor ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
  }
}

function alarmSpecs({
  deployment,
  insurerId,
  api,
  lambdas,
  missedDays,
  anchorFailures,
  changeFailures,
  eventFailures,
  workers,
  runDueHour,
}: Omit<AlarmsProps, 'topic'>): Record<string, AlarmSpec> {
  const appMetricOf = (name: MetricName, statistic: 'Sum' | 'Maximum', period = minute) =>
    appMetric(name, {}, { deployment, insurerId, statistic, period });
  const backlogOf = (taskQueue: string) =>
    appMetric('QueueBacklog', { taskQueue }, { deployment, insurerId, statistic: 'Maximum', period: fiveMinutes });
  const isOfStream = (name: string): boolean => streamLambdas.includes(name);
  /** An alarm sums ten metrics at most. */
  const errorsOf = (isMeant: (name: string) => boolean, label: string): MathExpression => {
    const meant = Object.entries(lambdas).flatMap(([name, lambda]) => (isMeant(name) ? [lambda] : []));
    const errors = meant.map(
      (lambda, index) => [`e${index}`, lambda.metricErrors({ statistic: 'Sum', period: fiveMinutes })] as const,
    );
    return new MathExpression({
      expression: errors.map(([name]) => name).join(' + '),
      usingMetrics: Object.fromEntries(errors),
      label,
      period: fiveMinutes,
    });
  };
  return {
    'no worker holds the line': {
      description:
        'No worker has held the line for a minute, so nothing is fetched. Check that workers run, and read their log.',
      metric: appMetricOf('LineHeld', 'Maximum'),
      threshold: 1,
      isFloor: true,
    },
    'a worker is missing': {
      description: `Fewer than ${workerTasks} workers have run for 15 minutes. If the last one ends, the line stops. Find out why tasks end.`,
      metric: new Metric({
        namespace: 'ECS/ContainerInsights',
        metricName: 'RunningTaskCount',
        dimensionsMap: { ClusterName: workers.cluster.clusterName, ServiceName: workers.serviceName },
        statistic: 'Minimum',
        period: fiveMinutes,
      }),
      threshold: workerTasks,
      consecutiveValues: 3,
      isFloor: true,
    },
    'line paused by the system': {
      description:
        'The insurer rejects our token (401 or 403), so the line has paused itself. Replace the token, then resume the line.',
      metric: appMetricOf('LinePausedBySystem', 'Maximum'),
      threshold: 1,
    },
    'line paused for long': {
      description: `The line has been paused for ${pausedTooLongMinutes} minutes. GET /line shows who paused it and why. Resume it when the reason no longer applies.`,
      metric: appMetricOf('LinePausedSeconds', 'Maximum'),
      threshold: pausedTooLongMinutes * 60,
    },
    'line in a long cooldown': {
      description:
        'Nothing is sent for more than an hour, because the insurer asks for that. GET /line shows until when. Ask the insurer, and lift the cooldown if it is a mistake.',
      metric: appMetricOf('LineCooldownSeconds', 'Maximum'),
      threshold: 3_600,
    },
    'run overdue': {
      description: `No run of today was completed by ${runDueHour}:00 German time. GET /sync shows the progress.`,
      metric: appMetricOf('RunOverdueMinutes', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'run failed': {
      description: 'The newest run has failed. GET /sync and GET /sync/issues show why. POST /sync starts a new run.',
      metric: appMetricOf('RunFailed', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'run has problems': {
      description:
        'The newest run is completed, but too much of what came was unreadable. GET /sync shows the shares and the most frequent problems, and GET /sync/issues where they are.',
      metric: appMetricOf('RunHasProblems', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'run awaits a decision': {
      description:
        'A run would remove more patients than the limit allows. Approve or reject the removals: POST /sync/removals.',
      metric: appMetricOf('RunAwaitsDecision', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'day could not be started': {
      description:
        'The schedule could not start the daily run, or the monthly check of the access logs. Start it with POST /sync or POST /access-logs/check, then delete the message from the queue.',
      metric: missedDays.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes }),
      threshold: 1,
    },
    'access log failed': {
      description:
        'An access entry could not be written or read, so data was withheld. Check the table AuditLog and DynamoDB.',
      metric: appMetricOf('AccessLogFailures', 'Sum'),
      threshold: 1,
    },
    'many people found': {
      description: `Searches by name have found ${foundMax} or more people within an hour. Somebody may be collecting data. The runbook says how to see whose token it was ("Many people were found").`,
      metric: appMetricOf('PatientsFound', 'Sum', Duration.hours(1)),
      threshold: foundMax,
    },
    'issuer away': {
      description:
        'The keys of the OIDC issuer could not be fetched for a quarter of an hour. Its last keys are used for up to 12 hours, then nobody can sign in. Ask the team of the issuer.',
      metric: appMetricOf('IssuerFailures', 'Sum', Duration.minutes(15)), // a container tries again after ten minutes
      threshold: 1,
      consecutiveValues: 2, // not for one lost answer
    },
    'access log changed': {
      description:
        'An entry of the access log was changed, replaced or deleted. epa-sync never does that. Check all logs: POST /access-logs/check, and ask CloudTrail who wrote to the table.',
      metric: appMetricOf('AccessLogTampered', 'Sum'),
      threshold: 1,
      lastsMinutes: 24 * 60, // an incident must not look over after a minute. CloudWatch allows a day at most
    },
    'access log anchored late': {
      description: `Entries of the access log have waited for their anchors for ${anchorLagMaxMinutes} minutes. Check that the stream of AuditLog and its mapping are on, and read the log of the Lambda anchors. After 23 hours they get none.`,
      // IteratorAge would be missing if the stream or the mapping were off
      metric: appMetricOf('AnchorLagSeconds', 'Maximum', fiveMinutes),
      threshold: anchorLagMaxMinutes * 60,
    },
    'access logs not checked': {
      description: `No check of all access logs was completed for ${checkAgeMaxDays} days. Start one: POST /access-logs/check. If it does not end, read the log of the workers.`,
      metric: appMetricOf('AccessLogCheckAgeDays', 'Maximum', fiveMinutes),
      threshold: checkAgeMaxDays,
    },
    'export failed': {
      description:
        'An export of all patients has failed, and has no files. GET /exports says why. Read the log of the workers, then start it again: POST /exports.',
      metric: appMetricOf('ExportFailures', 'Sum'),
      threshold: 1,
    },
    'access entries without anchors': {
      description:
        'Entries of the access log got no anchor within 23 hours. A verification lists them. Read the log of the Lambda anchors, then delete the message from the queue.',
      metric: anchorFailures.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes }),
      threshold: 1,
    },
    'changes recorded late': {
      description: `Changes of patients have waited for ${changeLagMaxMinutes} minutes to be recorded for other programs. Read the log of the Lambda change-feed. After 23 hours they are lost.`,
      metric: lambdas['change-feed'].metric('IteratorAge', { statistic: 'Maximum', period: fiveMinutes }), // ms
      threshold: changeLagMaxMinutes * 60_000,
    },
    'changes lost': {
      description:
        'Changes of patients could not be recorded within 23 hours. Begin a new feed, so that other programs fetch everything again (runbook). Then delete the message from the queue.',
      metric: changeFailures.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes }),
      threshold: 1,
    },
    'events published late': {
      description: `Writes have waited for ${eventLagMaxMinutes} minutes to become events for other programs. Read the log of the Lambda events. After 23 hours they are lost.`,
      metric: lambdas.events.metric('IteratorAge', { statistic: 'Maximum', period: fiveMinutes }), // ms
      threshold: eventLagMaxMinutes * 60_000,
    },
    'events lost': {
      description:
        'Writes did not become events within 23 hours. Tell the teams with rules on the bus to compare with the API. Then delete the message from the queue.',
      metric: eventFailures.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes }),
      threshold: 1,
    },
    'Lambda failed': {
      description: 'A Lambda has failed. Its log shows the error.',
      metric: errorsOf((name) => !isOfStream(name), 'errors of the Lambdas of API and schedule'),
      threshold: 1,
    },
    'stream Lambda failed': {
      description:
        'A Lambda that reads the stream of a table has failed. It repeats the batch for 23 hours. Its log shows the error.',
      metric: errorsOf(isOfStream, 'errors of the Lambdas of streams'),
      threshold: 1,
    },
    'API fails': {
      description:
        'Ten requests in five minutes were answered with 5xx. The logs of the Lambdas show why, by correlation ID.',
      metric: api.metricServerError({ statistic: 'Sum', period: fiveMinutes }),
      threshold: 10,
    },
    'Temporal not reachable': {
      description:
        'For five minutes, Temporal has answered no worker or has known none on all its queues. Syncs and runs stand still; a pause of the line works. Read the log of the workers, and the status of Temporal.',
      metric: appMetricOf('TemporalReachable', 'Maximum', fiveMinutes),
      threshold: 1,
      isFloor: true,
    },
    'payloads refused': {
      description:
        'Temporal holds messages that epa-sync has not written, and they were refused. Somebody may be using Temporal with write permission, or a payload key is missing. The log of the workers names the workflows.',
      metric: appMetricOf('PayloadsRefused', 'Sum'),
      threshold: 1,
    },
    'tasks wait': {
      description: `${backlogMax} or more tasks have waited for workers for 15 minutes. Start more workers, or read their log.`,
      metric: backlogOf(syncTaskQueue),
      threshold: backlogMax,
      consecutiveValues: 3,
    },
    'people wait for the line': {
      description: `${urgentBacklogMax} or more syncs on demand have waited for the line for ten minutes. GET /line shows its state.`,
      metric: backlogOf(urgentLineTaskQueue),
      threshold: urgentBacklogMax,
      consecutiveValues: 2,
    },
  };
}
