import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import {
  CachePolicy,
  Distribution,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  PriceClass,
  ResponseHeadersPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface ConsoleSiteProps {
  /** what every file is served with, by name (console/security-headers.ts) */
  readonly headers: Readonly<Record<string, string>>;
  /** the page's own name, and its certificate (in us-east-1, as CloudFront wants it); without them CloudFront's */
  readonly domain?: { readonly name: string; readonly certificateArn: string };
  /** a firewall before it, where the account has one (in us-east-1) */
  readonly webAclArn: string | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** A closed bucket, and CloudFront before it, which alone may read it (origin access control). */
export class ConsoleSite extends Construct {
  readonly bucket: Bucket;
  readonly distribution: Distribution;
  constructor(scope: Construct, id: string, { headers, domain, webAclArn, removalPolicy }: ConsoleSiteProps) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Files', {
      encryption: BucketEncryption.S3_MANAGED, // public code, and the address of the API
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy,
      autoDeleteObjects: removalPolicy === RemovalPolicy.DESTROY, // what is in it can be built again, and a bucket that is not empty cannot go
    });
    this.distribution = new Distribution(this, 'Distribution', {
      comment: 'epa-sync: console',
      defaultRootObject: 'index.html',
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(this.bucket as IBucket),
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        cachePolicy: CachePolicy.CACHING_OPTIMIZED,
        compress: true,
        responseHeadersPolicy: headersPolicy(this, headers),
      },
      httpVersion: HttpVersion.HTTP2_AND_3,
      priceClass: PriceClass.PRICE_CLASS_100, // Europe and North America
      ...(webAclArn !== undefined && { webAclId: webAclArn }),
      ...(domain && {
        minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
        domainNames: [domain.name],
        certificate: Certificate.fromCertificateArn(this, 'Certificate', domain.certificateArn),
      }),
    });
    Validations.of(this.bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'It holds public code; who signs in and what they look at is recorded by the API.',
    });
    Validations.of(this.distribution).acknowledge(
      { id: 'AwsSolutions-CFR1', reason: 'Who may reach it is the hospital’s network’s to say, not a country’s.' },
      {
        id: 'AwsSolutions-CFR2',
        reason:
          'Static files; the API behind has its own throttling, and a firewall is the account’s to add (CONSOLE_WEB_ACL_ARN).',
      },
      {
        id: 'AwsSolutions-CFR3',
        reason: 'Addresses of staff who load public code are not to be kept; the API records who looks at whom.',
      },
      ...(domain
        ? []
        : [{ id: 'AwsSolutions-CFR4', reason: 'CloudFront’s own name comes with CloudFront’s own certificate.' }]),
    );
  }
}

/** Headers as CloudFront takes them: those that it knows by its own fields, all others as they are. */
function headersPolicy(scope: Construct, headers: Readonly<Record<string, string>>): ResponseHeadersPolicy {
  const {
    'content-security-policy': contentSecurityPolicy = '',
    'strict-transport-security': _hsts,
    'x-content-type-options': _options,
    'x-frame-options': _frames,
    'referrer-policy': _referrer,
    ...others
  } = headers;
  return new ResponseHeadersPolicy(scope, 'Headers', {
    securityHeadersBehavior: {
      contentSecurityPolicy: { contentSecurityPolicy, override: true },
      strictTransportSecurity: { accessControlMaxAge: Duration.days(730), includeSubdomains: true, override: true },
      contentTypeOptions: { override: true },
      frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
      referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: true },
    },
    customHeadersBehavior: {
      customHeaders: Object.entries(others).map(([header, value]) => ({ header, value, override: true })),
    },
  });
}
