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
import type { Watched } from './dashboard.ts';
import { minute, ownMetric } from './own-metric.ts';
import { workerTasks } from './worker-service.ts';

export interface AlarmsProps extends Watched {
  readonly topic: Topic;
  readonly workers: FargateService;
  /** RUN_DUE_HOUR */
  readonly runDueHour: number;
}

interface AlarmSpec {
  /** what is the matter, and what to do first: all that somebody reads at night */
  readonly says: string;
  readonly metric: IMetric;
  /** from here on */
  readonly threshold: number;
  /** so many values in a row */
  readonly values?: number;
  /** or below it, and when nothing is told */
  readonly isFloor?: boolean;
}

const fiveMinutes = Duration.minutes(5);
const pausedTooLongMinutes = 30;
/** Tasks that wait while workers run: a window of patients gives each worker some dozens for seconds. */
const backlogMax = 100;
/** People's syncs that wait for the line: they wait for a second or two each. */
const urgentBacklogMax = 20;

/** Whatever somebody has to know of by night; each goes to the topic when it begins and when it is over. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { topic, ...props }: AlarmsProps) {
    super(scope, id);
    const action = new SnsAction(topic);
    for (const [name, spec] of Object.entries(alarmSpecs(props))) {
      const { says, metric, threshold, values = 1, isFloor = false } = spec;
      const alarm = new Alarm(this, name, {
        alarmName: `epa-sync ${name}`,
        alarmDescription: says,
        metric,
        threshold,
        evaluationPeriods: values,
        comparisonOperator: isFloor
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        // without a holder nothing else is told, and that is one alarm, not ten
        treatMissingData: isFloor ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
      });
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
  }
}

function alarmSpecs({
  insurerId,
  api,
  lambdas,
  missedDays,
  workers,
  runDueHour,
}: Omit<AlarmsProps, 'topic'>): Record<string, AlarmSpec> {
  const own = (name: MetricName, statistic: 'Sum' | 'Maximum', period = minute) =>
    ownMetric(name, {}, { insurerId, statistic, period });
  const backlogOf = (taskQueue: string) =>
    ownMetric('QueueBacklog', { taskQueue }, { insurerId, statistic: 'Maximum', period: fiveMinutes });
  const errors = Object.values(lambdas).map(
    (lambda, index) => [`e${index}`, lambda.metricErrors({ statistic: 'Sum', period: fiveMinutes })] as const,
  );
  return {
    'no worker holds the line': {
      says: 'For a minute no worker has held the line. Nothing is fetched. Look whether workers run, and what their log says.',
      metric: own('LineHeld', 'Maximum'),
      threshold: 1,
      isFloor: true,
    },
    'a worker is missing': {
      says: `Fewer than ${workerTasks} workers have run for a quarter of an hour: whatever ends the last one stops the line. Look why tasks end.`,
      metric: new Metric({
        namespace: 'ECS/ContainerInsights',
        metricName: 'RunningTaskCount',
        dimensionsMap: { ClusterName: workers.cluster.clusterName, ServiceName: workers.serviceName },
        statistic: 'Minimum',
        period: fiveMinutes,
      }),
      threshold: workerTasks,
      values: 3,
      isFloor: true,
    },
    'line paused by the system': {
      says: 'The insurer does not let us in (401 or 403), so the line has paused itself. Mend the token, then resume the line.',
      metric: own('LinePausedBySystem', 'Maximum'),
      threshold: 1,
    },
    'line paused for long': {
      says: `The line has been paused for ${pausedTooLongMinutes} minutes. GET /line says by whom and why; resume it when that is over.`,
      metric: own('LinePausedSeconds', 'Maximum'),
      threshold: pausedTooLongMinutes * 60,
    },
    'run overdue': {
      says: `No run of this day was completed by ${runDueHour} o’clock in Germany. GET /sync says how far it is.`,
      metric: own('RunOverdueMinutes', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'run failed': {
      says: 'The newest run has failed. GET /sync and GET /sync/issues say why; POST /sync starts another one.',
      metric: own('RunFailed', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'run awaits a decision': {
      says: 'A run would remove more people than the limit allows, and waits for an operator: POST /sync/removals.',
      metric: own('RunAwaitsDecision', 'Maximum', fiveMinutes),
      threshold: 1,
    },
    'day could not be started': {
      says: 'The schedule could not start the day’s run. POST /sync starts it; then take the message from the queue.',
      metric: missedDays.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum', period: fiveMinutes }),
      threshold: 1,
    },
    'access log failed': {
      says: 'An access entry could not be written or read, so data were withheld. Look at the table AuditLog and at DynamoDB.',
      metric: own('AccessLogFailures', 'Sum'),
      threshold: 1,
    },
    'Lambda failed': {
      says: 'A Lambda has ended with an error of its own. Its log says which.',
      metric: new MathExpression({
        expression: errors.map(([name]) => name).join(' + '),
        usingMetrics: Object.fromEntries(errors),
        label: 'errors of all Lambdas',
        period: fiveMinutes,
      }),
      threshold: 1,
    },
    'API fails': {
      says: 'Ten requests in five minutes were answered 5xx. The log of the API’s Lambdas says why, by correlation ID.',
      metric: api.metricServerError({ statistic: 'Sum', period: fiveMinutes }),
      threshold: 10,
    },
    'tasks wait': {
      says: `${backlogMax} and more tasks have waited for workers for a quarter of an hour. Start more workers, or look at their log.`,
      metric: backlogOf(syncTaskQueue),
      threshold: backlogMax,
      values: 3,
    },
    'people wait for the line': {
      says: `${urgentBacklogMax} and more syncs on demand have waited for the line for ten minutes.`,
      metric: backlogOf(urgentLineTaskQueue),
      threshold: urgentBacklogMax,
      values: 2,
    },
  };
}
