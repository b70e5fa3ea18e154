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
  /** headers of every file, by name (console/security-headers.ts) */
  readonly headers: Readonly<Record<string, string>>;
  /** domain name and certificate (in us-east-1, as CloudFront requires). Without them, CloudFront's own name is used */
  readonly domain?: { readonly name: string; readonly certificateArn: string };
  /** ARN of the account's firewall (in us-east-1), if there is one */
  readonly webAclArn: string | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** A private bucket, and a CloudFront distribution, which alone may read it (origin access control). */
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
      autoDeleteObjects: removalPolicy === RemovalPolicy.DESTROY, // the content can be built again, and a bucket that is not empty cannot be deleted
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
      reason: 'It holds public code. The API records sign-ins and access.',
    });
    Validations.of(this.distribution).acknowledge(
      { id: 'AwsSolutions-CFR1', reason: 'The hospital’s network decides who may reach it, not the country.' },
      {
        id: 'AwsSolutions-CFR2',
        reason:
          'Static files. The API has its own throttling, and the account can add a firewall (CONSOLE_WEB_ACL_ARN).',
      },
      {
        id: 'AwsSolutions-CFR3',
        reason: 'Addresses of staff who load public code must not be stored. The API records access to patients.',
      },
      ...(domain
        ? []
        : [{ id: 'AwsSolutions-CFR4', reason: 'CloudFront’s own name uses CloudFront’s own certificate.' }]),
    );
  }
}

/** Converts headers for CloudFront: it has own fields for some, and takes all others as custom headers. */
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
