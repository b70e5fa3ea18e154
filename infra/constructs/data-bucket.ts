import { Aws, Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface DataBucketProps {
  readonly encryptionKey: IKey;
  readonly removalPolicy: RemovalPolicy;
  /** how long something may still be retried that needs a staged object */
  readonly longestRetryDays: number;
  /** how long Temporal keeps a closed workflow, which somebody may reset or look into */
  readonly historyRetentionDays: number;
}

/** The one bucket: payloads on their way, lists on their way, documents for good. */
export class DataBucket extends Construct {
  readonly bucket: Bucket;
  constructor(scope: Construct, id: string, props: DataBucketProps) {
    super(scope, id);
    const { encryptionKey, removalPolicy, longestRetryDays, historyRetentionDays } = props;
    const expiration = Duration.days(longestRetryDays + historyRetentionDays + 7); // 7 more to look into a bad night
    this.bucket = new Bucket(this, 'Data', {
      bucketName: `epa-sync-${Aws.ACCOUNT_ID}-${Aws.REGION}`,
      encryption: BucketEncryption.KMS,
      encryptionKey,
      bucketKeyEnabled: true, // one call to KMS for many objects
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: false, // what is deleted has to be gone: a removed patient leaves no old versions
      removalPolicy,
      // the console reads a document by the link that the API redirects it to, and a redirected page's origin is no name: the link is the permission
      cors: [{ allowedMethods: [HttpMethods.GET], allowedOrigins: ['*'], maxAge: 3_600 }],
      lifecycleRules: [
        { id: 'left-payloads', prefix: 'payloads/', expiration },
        { id: 'left-lists', prefix: 'lists/', expiration },
        { id: 'cut-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) },
      ],
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason:
        'Who has seen what is told by the access log (AuditLog); a log of object keys would add pseudonyms in a second place, to be deleted with each patient.',
    });
  }
}
