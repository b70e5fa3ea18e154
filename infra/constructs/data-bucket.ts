import { Aws, Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { stackNameOf } from '../../core/contract/deployment.ts';
import { exportDaysMax } from '../../core/domain/export.ts';

export interface DataBucketProps {
  readonly deployment: string;
  readonly encryptionKey: IKey;
  readonly removalPolicy: RemovalPolicy;
  /** longest time for which something that needs a staged object may be retried */
  readonly longestRetryDays: number;
  /** how long Temporal keeps a closed workflow, which may be reset or examined */
  readonly historyRetentionDays: number;
}

/**
 * Returns the ID of cdk-nag's finding about a role of another stack that may use all objects under a prefix. The ID contains
 * the name of the CloudFormation export with which the other stack imports the bucket's ARN. CDK derives that name from the
 * stack's name and the bucket's logical ID. If either changes, synth reports the finding again, with its new ID.
 */
export const allObjectsFinding = (deployment: string, prefix: string): string =>
  `AwsSolutions-IAM5[Resource::${stackNameOf(deployment, 'Data')}:ExportsOutputFnGetAttBucketData05616C16Arn894989BD/${prefix}/*]`;

/** The bucket: reports for a day, payloads and lists for some weeks, and documents permanently. */
export class DataBucket extends Construct {
  readonly bucket: Bucket;
  constructor(scope: Construct, id: string, props: DataBucketProps) {
    super(scope, id);
    const { deployment, encryptionKey, removalPolicy, longestRetryDays, historyRetentionDays } = props;
    const expiration = Duration.days(longestRetryDays + historyRetentionDays + 7); // 7 more days to investigate problems
    this.bucket = new Bucket(this, 'Data', {
      bucketName: `${deployment}-${Aws.ACCOUNT_ID}-${Aws.REGION}`,
      encryption: BucketEncryption.KMS,
      encryptionKey,
      bucketKeyEnabled: true, // fewer calls to KMS
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: false, // deleted data must be gone: a removed patient leaves no old versions
      removalPolicy,
      // The console follows a redirect of the API to a document. After a redirect, a browser sends the origin `null`. The link itself is the permission.
      cors: [{ allowedMethods: [HttpMethods.GET], allowedOrigins: ['*'], maxAge: 3_600 }],
      lifecycleRules: [
        { id: 'expire-payloads', prefix: 'payloads/', expiration },
        { id: 'expire-lists', prefix: 'lists/', expiration },
        { id: 'expire-reports', prefix: 'reports/', expiration: Duration.days(1) }, // links to them last minutes
        // longer than an export may take (exportDaysMax); usually, the workflow deletes the files a day after its end
        { id: 'expire-exports', prefix: 'exports/', expiration: Duration.days(exportDaysMax + 2) },
        { id: 'abort-incomplete-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) },
      ],
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'The access log (table AuditLog) records all access. A log of object keys would be a second place with pseudonyms, to be deleted with each patient.',
    });
  }
}
