import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { AccessAnchors } from '../constructs/access-anchors.ts';
import { DataBucket } from '../constructs/data-bucket.ts';
import { DataKey } from '../constructs/data-key.ts';
import { DataTables } from '../constructs/data-tables.ts';
import type { EventStreams } from '../constructs/event-function.ts';
import { InsurerSecret } from '../constructs/insurer-secret.ts';
import { PayloadKey } from '../constructs/payload-key.ts';
import { SettingsSecret } from '../constructs/settings-secret.ts';
import { removalPolicyOf, type Stage } from '../stage.ts';

export interface DataStackProps extends StackProps {
  readonly deployment: string;
  readonly stage: Stage;
}

/**
 * Everything that outlives deployments: tables, buckets, secrets, the key for all data at rest, and the key for Temporal
 * payloads.
 */
export class DataStack extends Stack {
  readonly encryptionKey: Key;
  readonly bucket: Bucket;
  readonly secret: Secret;
  /** read by workers only */
  readonly insurerSecret: Secret;
  readonly payloadKey: Key;
  readonly anchors: AccessAnchors;
  /** stream of AuditLog */
  readonly accessLogStreamArn: string;
  /** streams whose writes become events */
  readonly eventStreamArns: EventStreams;
  /** outlives deployments, because other teams attach rules to it */
  readonly eventBus: EventBus;
  constructor(scope: Construct, id: string, { deployment, stage, ...props }: DataStackProps) {
    super(scope, id, { description: 'epa-sync: patients, care records, access log', ...props });
    const removalPolicy = removalPolicyOf(stage);
    const { key } = new DataKey(this, 'Key', { removalPolicy });
    const tables = new DataTables(this, 'Tables', { deployment, encryptionKey: key, removalPolicy });
    const { accessLog } = tables;
    this.accessLogStreamArn = accessLog.tableStreamArn as string;
    this.eventStreamArns = {
      patients: tables.patients.tableStreamArn as string,
      syncRuns: tables.syncRuns.tableStreamArn as string,
      line: tables.line.tableStreamArn as string,
    };
    this.eventBus = new EventBus(this, 'Events', { eventBusName: deployment });
    this.anchors = new AccessAnchors(this, 'Anchors', {
      table: accessLog,
      encryptionKey: key,
      isLocked: stage === 'prod',
      removalPolicy,
    });
    const { bucket } = new DataBucket(this, 'Bucket', {
      deployment,
      encryptionKey: key,
      removalPolicy,
      longestRetryDays: 30, // the longest activity: a list on a line that stays paused
      historyRetentionDays: 30, // of the Temporal namespace
    });
    this.payloadKey = new PayloadKey(this, 'PayloadKey', { removalPolicy }).key;
    this.encryptionKey = key;
    const { secret } = new SettingsSecret(this, 'Secret', { encryptionKey: key, removalPolicy });
    this.bucket = bucket;
    this.secret = secret;
    this.insurerSecret = new InsurerSecret(this, 'Insurer', { encryptionKey: key, removalPolicy }).secret;
    // Exports everything that other stacks use, so that adding or deleting one of them does not change this stack.
    const { keyArn } = key;
    const { bucketArn, bucketName, bucketRegionalDomainName } = bucket;
    const others = [secret.secretArn, this.insurerSecret.secretArn, this.payloadKey.keyArn];
    const { bucket: anchorBucket, role, failures, logGroup } = this.anchors;
    const ofAnchors = [anchorBucket.bucketArn, anchorBucket.bucketName, role.roleArn, failures.queueArn];
    others.push(...ofAnchors, failures.queueName, logGroup.logGroupName, this.accessLogStreamArn);
    others.push(...Object.values(this.eventStreamArns), this.eventBus.eventBusArn, this.eventBus.eventBusName);
    for (const value of [keyArn, bucketArn, bucketName, bucketRegionalDomainName, ...others]) this.exportValue(value);
    new CfnOutput(this, 'BucketName', { value: bucket.bucketName });
    new CfnOutput(this, 'AnchorBucketName', { value: anchorBucket.bucketName });
    new CfnOutput(this, 'AnchorLogGroupName', { value: this.anchors.logGroup.logGroupName });
    new CfnOutput(this, 'AnchorFailuresUrl', { value: failures.queueUrl });
    new CfnOutput(this, 'EventBusName', { value: this.eventBus.eventBusName });
    new CfnOutput(this, 'KeyArn', { value: key.keyArn });
    new CfnOutput(this, 'SecretArn', { value: secret.secretArn });
    new CfnOutput(this, 'InsurerSecretArn', { value: this.insurerSecret.secretArn });
    new CfnOutput(this, 'PayloadKeyArn', { value: this.payloadKey.keyArn });
  }
}
