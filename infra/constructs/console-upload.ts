import { Duration, Fn, type RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type { Distribution } from 'aws-cdk-lib/aws-cloudfront';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3';
import { BucketDeployment, CacheControl, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { Construct } from 'constructs';
import { consolePage } from './console-page.ts';
import { allow } from './permissions.ts';

export interface ConsoleUploadProps {
  readonly bucket: Bucket;
  readonly distribution: Distribution;
  /** content of /config.json, which the page reads */
  readonly config: Readonly<Record<string, string>>;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * Uploads the built page to its bucket during deployment. Uses a Lambda of CDK with our own role, because CDK's role
 * would be allowed far more.
 */
export class ConsoleUpload extends Construct {
  constructor(scope: Construct, id: string, { bucket, distribution, config, removalPolicy }: ConsoleUploadProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.ONE_MONTH, removalPolicy });
    const { bootstrapQualifier: qualifier } = Stack.of(this).synthesizer;
    const staging = Fn.sub(`arn:\${AWS::Partition}:s3:::cdk-${qualifier}-assets-\${AWS::AccountId}-\${AWS::Region}`);
    const distributionArn = Stack.of(this).formatArn({
      service: 'cloudfront',
      region: '',
      resource: 'distribution',
      resourceName: distribution.distributionId,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        upload: new PolicyDocument({
          statements: [
            allow(['s3:GetObject'], `${staging}/*`),
            allow(['s3:ListBucket'], staging, bucket.bucketArn),
            allow(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], bucket.arnForObjects('*')),
            allow(['cloudfront:CreateInvalidation', 'cloudfront:GetInvalidation'], distributionArn),
            allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn),
          ],
        }),
      },
    });
    const page = consolePage();
    const options = {
      destinationBucket: bucket as IBucket,
      logGroup,
      memoryLimit: 256,
      role: role.withoutPolicyUpdates(),
    };
    // File names change with their content. So browsers may cache them forever, and old files stay for pages that are still open.
    const assets = new BucketDeployment(this, 'Assets', {
      ...options,
      sources: [page],
      exclude: ['*'],
      include: ['assets/*'],
      prune: false,
      cacheControl: [CacheControl.setPublic(), CacheControl.maxAge(Duration.days(365)), CacheControl.immutable()],
    });
    const upload = new BucketDeployment(this, 'Files', {
      ...options,
      sources: [page, Source.jsonData('config.json', config)],
      exclude: ['assets/*'],
      cacheControl: [CacheControl.noCache()],
      distribution,
    });
    upload.node.addDependency(assets); // uploaded first, because the page refers to them
    Validations.of(role).acknowledge(
      ...[
        `Resource::arn:<AWS::Partition>:s3:::cdk-${qualifier}-assets-<AWS::AccountId>-<AWS::Region>/*`,
        'Resource::<SiteFiles975A43CF.Arn>/*',
      ].map((finding) => ({
        id: `AwsSolutions-IAM5[${finding}]`,
        reason: 'The files of the page, whose names change with their content.',
      })),
    );
    Validations.of(Stack.of(upload)).acknowledge({
      id: 'AwsSolutions-L1',
      reason: 'The Lambda for uploads belongs to CDK, with the runtime that CDK has tested.',
    });
  }
}
