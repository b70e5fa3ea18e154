import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { allow, dataKeyUse } from './permissions.ts';
import { failureQueue } from './stream-reader.ts';

export interface AccessAnchorsProps {
  /** AuditLog, with its stream */
  readonly table: Table;
  readonly encryptionKey: IKey;
  /** whether anchors are locked. A locked bucket cannot be deleted for years, so only production locks it. */
  readonly isLocked: boolean;
  readonly removalPolicy: RemovalPolicy;
}

/** Three years, of which one may be a leap year, and a month: longer than an entry (§ 309 SGB V). */
const retention = Duration.days(3 * 365 + 1 + 31);

/**
 * The bucket with the anchors of the access log, and the role of the Lambda that writes them (docs/adr/0061). The role is
 * in this stack, because the policy of the bucket names it: nobody else may write an anchor.
 */
export class AccessAnchors extends Construct {
  readonly bucket: Bucket;
  readonly role: Role;
  readonly logGroup: LogGroup;
  /** batches of entries that got no anchor within a day */
  readonly failures: Queue;
  constructor(scope: Construct, id: string, { table, encryptionKey, isLocked, removalPolicy }: AccessAnchorsProps) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Bucket', {
      // Objects are empty, and their keys hold all. A key of KMS, if it were lost, would take the anchors with it.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true, // a delete marker hides an anchor, but does not remove it
      ...(isLocked && { objectLockDefaultRetention: ObjectLockRetention.compliance(retention) }),
      removalPolicy,
      lifecycleRules: [
        {
          id: 'expire-anchors',
          expiration: retention, // leaves a delete marker
          noncurrentVersionExpiration: Duration.days(1),
        },
        { id: 'expire-delete-markers', expiredObjectDeleteMarker: true },
      ],
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Objects are only written and listed. A log of their keys would be a second place with pseudonyms.',
    });
    this.failures = failureQueue(this);
    this.logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        anchors: new PolicyDocument({
          statements: [
            allow(
              ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
              `${table.tableArn}/stream/*`, // a restored table has another one
            ),
            allow(['dynamodb:ListStreams'], '*'), // has no resource
            dataKeyUse(this, encryptionKey, ['Decrypt', 'DescribeKey'], 'dynamodb'),
            allow(['s3:PutObject'], this.bucket.arnForObjects('*')),
            allow(['sqs:SendMessage'], this.failures.queueArn),
            allow(['logs:CreateLogStream', 'logs:PutLogEvents'], this.logGroup.logGroupArn),
          ],
        }),
      },
    });
    Validations.of(this.role).acknowledge(
      { id: 'AwsSolutions-IAM5[Resource::*]', reason: 'Streams can only be listed without a resource.' },
      {
        id: 'AwsSolutions-IAM5[Resource::<TablesAuditLog5AA97AA9.Arn>/stream/*]',
        reason: 'All streams of one table. If the table is restored, its stream has another name.',
      },
      {
        id: 'AwsSolutions-IAM5[Resource::<AnchorsBucketE0A93AD3.Arn>/*]',
        reason: 'The anchors of all patients. Objects can only be added.',
      },
    );
    const deny = (actions: string[], more: object = {}) =>
      this.bucket.addToResourcePolicy(
        new PolicyStatement({
          effect: Effect.DENY,
          principals: [new AnyPrincipal()],
          actions,
          resources: [this.bucket.arnForObjects('*')],
          ...more,
        }),
      );
    deny(['s3:PutObject'], { conditions: { ArnNotEquals: { 'aws:PrincipalArn': this.role.roleArn } } });
    deny(['s3:ReplicateObject']); // a replica of another bucket's object is written without PutObject
    if (isLocked)
      deny([
        's3:DeleteObject',
        's3:DeleteObjectVersion',
        's3:PutObjectRetention',
        's3:PutObjectLegalHold',
        's3:BypassGovernanceRetention',
      ]);
  }
}
