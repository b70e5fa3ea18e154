import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  type Architecture,
  type Code,
  EventSourceMapping,
  Function as LambdaFunction,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { tablesOf } from '../../core/stores/tables.ts';
import { lineFilters, runFilters, type StreamFilters } from './event-filters.ts';
import { acceptStreams, allow, dataKeyUse, readStreams } from './permissions.ts';
import { failureQueue, readingAll } from './stream-reader.ts';

/** The streams whose writes become events. */
export interface EventStreams {
  readonly patients: string;
  readonly syncRuns: string;
  readonly line: string;
}

export interface EventFunctionProps {
  readonly code: Code;
  readonly bus: EventBus;
  readonly streamArns: EventStreams;
  readonly encryptionKey: IKey;
  readonly deployment: string;
  readonly insurerId: string;
  readonly architecture: Architecture;
  readonly removalPolicy: RemovalPolicy;
}

/** The Lambda that publishes on the bus what the streams of the tables report (docs/adr/0074). */
export class EventFunction extends Construct {
  readonly lambda: LambdaFunction;
  /** batches of writes that were not published within a day */
  readonly failures: Queue;
  readonly logGroup: LogGroup;
  constructor(
    scope: Construct,
    id: string,
    { code, bus, streamArns, encryptionKey, deployment, insurerId, architecture, removalPolicy }: EventFunctionProps,
  ) {
    super(scope, id);
    this.failures = failureQueue(this);
    this.logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    const { patients, syncRuns, line } = tablesOf(deployment);
    const tables = [patients, syncRuns, line];
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        events: new PolicyDocument({
          statements: [
            ...tables.map((table) => readStreams(this, table)),
            allow(['dynamodb:ListStreams'], '*'), // has no resource
            dataKeyUse(this, encryptionKey, ['Decrypt', 'DescribeKey'], 'dynamodb'),
            allow(['events:PutEvents'], bus.eventBusArn),
            allow(['sqs:SendMessage'], this.failures.queueArn),
            allow(['logs:CreateLogStream', 'logs:PutLogEvents'], this.logGroup.logGroupArn),
          ],
        }),
      },
    });
    acceptStreams(role, ...tables);
    this.lambda = new LambdaFunction(this, 'Function', {
      description: 'epa-sync: events for other programs',
      runtime: Runtime.NODEJS_24_X,
      architecture,
      code,
      handler: 'events.handler',
      environment: {
        DEPLOYMENT: deployment,
        INSURER_ID: insurerId,
        EVENT_BUS_NAME: bus.eventBusName,
        NODE_OPTIONS: '--enable-source-maps',
      },
      role: role.withoutPolicyUpdates(), // it has all permissions that it needs
      logGroup: this.logGroup,
      memorySize: 512,
      timeout: Duration.minutes(1), // 100 writes are at most 30 calls
    });
    const filtersOf: Partial<Record<string, StreamFilters>> = { syncRuns: runFilters(insurerId), line: lineFilters };
    for (const [name, eventSourceArn] of Object.entries(streamArns)) {
      const filters = filtersOf[name];
      new EventSourceMapping(this, name, {
        target: this.lambda,
        eventSourceArn,
        batchSize: 100, // of writes with two images of at most some kilobytes
        maxBatchingWindow: Duration.seconds(5), // fewer invocations: a run writes several patients a second
        ...readingAll(this.failures),
        ...(filters && { filters }),
      });
    }
  }
}
