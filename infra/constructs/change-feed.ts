import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { PolicyDocument, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
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
import { acceptStreams, allow, readStreams } from './permissions.ts';
import { failureQueue, readingAll } from './stream-reader.ts';

export interface ChangeFeedProps {
  readonly code: Code;
  /** of Patients */
  readonly streamArn: string;
  /** permissions, in addition to reading the stream and writing its log */
  readonly permissions: readonly PolicyStatement[];
  readonly deployment: string;
  readonly insurerId: string;
  readonly architecture: Architecture;
  readonly removalPolicy: RemovalPolicy;
}

/** The Lambda that records what happens to patients, from the stream of Patients (docs/adr/0073). */
export class ChangeFeed extends Construct {
  readonly lambda: LambdaFunction;
  readonly logGroup: LogGroup;
  /** batches of writes that could not be recorded within a day */
  readonly failures: Queue;
  constructor(scope: Construct, id: string, props: ChangeFeedProps) {
    super(scope, id);
    const { code, streamArn, permissions, deployment, insurerId, architecture, removalPolicy } = props;
    this.failures = failureQueue(this);
    this.logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    const { patients } = tablesOf(deployment);
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        changes: new PolicyDocument({
          statements: [
            ...permissions,
            readStreams(this, patients),
            allow(['dynamodb:ListStreams'], '*'), // has no resource
            allow(['sqs:SendMessage'], this.failures.queueArn),
            allow(['logs:CreateLogStream', 'logs:PutLogEvents'], this.logGroup.logGroupArn),
          ],
        }),
      },
    });
    acceptStreams(role, patients);
    this.lambda = new LambdaFunction(this, 'Function', {
      description: 'epa-sync: changes of patients, for other programs',
      runtime: Runtime.NODEJS_24_X,
      architecture,
      code,
      handler: 'change-feed.handler',
      environment: { DEPLOYMENT: deployment, INSURER_ID: insurerId, NODE_OPTIONS: '--enable-source-maps' },
      role: role.withoutPolicyUpdates(), // it has all permissions that it needs
      logGroup: this.logGroup,
      memorySize: 512,
      timeout: Duration.minutes(1), // a batch is one write
    });
    new EventSourceMapping(this, 'Stream', {
      target: this.lambda,
      eventSourceArn: streamArn,
      batchSize: 500, // a write means two changes at most, and a batch has room for 1 000
      maxBatchingWindow: Duration.seconds(1), // fewer calls; a change can be read that much later
      ...readingAll(this.failures),
    });
  }
}
