import { Duration, TimeZone, Validations } from 'aws-cdk-lib';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { Schedule, ScheduleExpression, ScheduleTargetInput, TimeWindow } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ScheduleEvent } from '../../core/contract/schedule-event.ts';
import { allow } from './permissions.ts';

export interface DailyScheduleProps {
  readonly lambda: LambdaFunction;
  /** German time, summer and winter */
  readonly hour: number;
}

/**
 * Starts the daily run, and each month the check of all access logs. If one cannot be started, a message waits in a queue,
 * which causes an alarm.
 */
export class DailySchedule extends Construct {
  readonly missedDays: Queue;
  constructor(scope: Construct, id: string, { lambda, hour }: DailyScheduleProps) {
    super(scope, id);
    const missedDays = new Queue(this, 'MissedDays', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.missedDays = missedDays;
    Validations.of(missedDays).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This is the queue of failures. Only people read it.',
    });
    // Scheduler calls the Lambda asynchronously, so these settings retry and report failures of the Lambda.
    lambda.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(1),
      onFailure: new SqsDestination(missedDays),
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com'),
      inlinePolicies: {
        start: new PolicyDocument({
          statements: [
            allow(['lambda:InvokeFunction'], lambda.functionArn),
            allow(['sqs:SendMessage'], missedDays.queueArn),
          ],
        }),
      },
    });
    const target = (event: ScheduleEvent) =>
      new LambdaInvoke(lambda, {
        role: role.withoutPolicyUpdates(), // CDK would allow all versions
        deadLetterQueue: missedDays,
        maxEventAge: Duration.hours(1),
        retryAttempts: 10,
        ...(event.start !== undefined && { input: ScheduleTargetInput.fromObject(event) }),
      });
    new Schedule(this, 'Schedule', {
      description: 'epa-sync: starts the daily run',
      schedule: ScheduleExpression.cron({ hour: String(hour), minute: '0', timeZone: TimeZone.EUROPE_BERLIN }),
      timeWindow: TimeWindow.off(),
      target: target({}),
    });
    new Schedule(this, 'AccessLogCheck', {
      description: 'epa-sync: starts the check of all access logs',
      schedule: ScheduleExpression.cron({ day: '1', hour: '12', minute: '0', timeZone: TimeZone.EUROPE_BERLIN }),
      timeWindow: TimeWindow.off(),
      target: target({ start: 'access-log-check' }),
    });
  }
}
