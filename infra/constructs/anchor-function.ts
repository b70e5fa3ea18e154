import { Duration } from 'aws-cdk-lib';
import {
  type Architecture,
  type Code,
  EventSourceMapping,
  Function as LambdaFunction,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { AccessAnchors } from './access-anchors.ts';
import { readingAll } from './stream-reader.ts';

export interface AnchorFunctionProps {
  readonly code: Code;
  readonly anchors: AccessAnchors;
  /** of AuditLog */
  readonly streamArn: string;
  readonly deployment: string;
  readonly insurerId: string;
  readonly architecture: Architecture;
}

/** The Lambda that writes an anchor for each entry of the access log, from the stream of the table. */
export class AnchorFunction extends Construct {
  readonly lambda: LambdaFunction;
  constructor(
    scope: Construct,
    id: string,
    { code, anchors, streamArn, deployment, insurerId, architecture }: AnchorFunctionProps,
  ) {
    super(scope, id);
    this.lambda = new LambdaFunction(this, 'Function', {
      description: 'epa-sync: anchors of the access log',
      runtime: Runtime.NODEJS_24_X,
      architecture,
      code,
      handler: 'anchors.handler',
      environment: {
        DEPLOYMENT: deployment,
        INSURER_ID: insurerId,
        ANCHOR_BUCKET_NAME: anchors.bucket.bucketName,
        NODE_OPTIONS: '--enable-source-maps',
      },
      role: anchors.role.withoutPolicyUpdates(), // it has all permissions that it needs
      logGroup: anchors.logGroup,
      memorySize: 512,
      timeout: Duration.minutes(1), // 1 000 anchors take two seconds
    });
    new EventSourceMapping(this, 'Stream', {
      target: this.lambda,
      eventSourceArn: streamArn,
      batchSize: 1_000,
      maxBatchingWindow: Duration.seconds(5), // fewer invocations; an entry may be without its anchor for that long
      ...readingAll(anchors.failures),
    });
  }
}
