import { Duration, TimeZone, Validations } from 'aws-cdk-lib';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { Schedule, ScheduleExpression, TimeWindow } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { allow } from './permissions.ts';

export interface DailyScheduleProps {
  readonly lambda: LambdaFunction;
  /** in Germany, summer and winter */
  readonly hour: number;
}

/** Starts the day's sync. A day that could not be started waits in a queue, for an alarm and whoever looks into it. */
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
      reason: 'It is the queue of what failed: nothing takes from it but people.',
    });
    // Scheduler hands the day over; what becomes of it then is the Lambda's own to retry and to tell
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
    new Schedule(this, 'Schedule', {
      description: "epa-sync: starts the day's sync",
      schedule: ScheduleExpression.cron({ hour: String(hour), minute: '0', timeZone: TimeZone.EUROPE_BERLIN }),
      timeWindow: TimeWindow.off(),
      target: new LambdaInvoke(lambda, {
        role: role.withoutPolicyUpdates(), // it would be allowed all versions
        deadLetterQueue: missedDays,
        maxEventAge: Duration.hours(1),
        retryAttempts: 10,
      }),
    });
  }
}
