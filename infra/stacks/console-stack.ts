import { CfnOutput, Fn, Stack, type StackProps } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { securityHeaders } from '../../console/security-headers.ts';
import { ConsoleSite } from '../constructs/console-site.ts';
import { ConsoleUpload } from '../constructs/console-upload.ts';
import type { ConsoleSettings } from '../settings.ts';
import { removalPolicyOf, type Stage } from '../stage.ts';

export interface ConsoleStackProps extends StackProps {
  readonly stage: Stage;
  readonly settings: ConsoleSettings;
  /** where the API answers, with a slash at its end */
  readonly apiUrl: string;
  /** the bucket that links to documents lead to in the end */
  readonly documents: Bucket;
}

/** The web page for all four roles. */
export class ConsoleStack extends Stack {
  constructor(scope: Construct, id: string, props: ConsoleStackProps) {
    const { stage, settings, apiUrl, documents, ...rest } = props;
    super(scope, id, { description: 'epa-sync: console', ...rest });
    const { OIDC_ISSUER: oidcIssuer, CONSOLE_AUDIENCE: oidcAudience } = settings;
    const { CONSOLE_ORIGIN: origin, CONSOLE_CERTIFICATE_ARN: certificateArn } = settings;
    const removalPolicy = removalPolicyOf(stage);
    const headers = securityHeaders({
      apiOrigin: Fn.select(0, Fn.split('/v1', apiUrl)),
      issuerOrigins: [new URL(oidcIssuer).origin, ...settings.CONSOLE_ISSUER_ORIGINS],
      documentOrigins: [`https://${documents.bucketRegionalDomainName}`],
    });
    const { bucket, distribution } = new ConsoleSite(this, 'Site', {
      headers,
      ...(certificateArn !== undefined && { domain: { name: new URL(origin).hostname, certificateArn } }),
      removalPolicy,
    });
    new ConsoleUpload(this, 'Page', {
      bucket,
      distribution,
      config: {
        apiUrl,
        oidcIssuer,
        oidcClientId: settings.CONSOLE_CLIENT_ID,
        oidcScope: settings.CONSOLE_SCOPE,
        oidcRolesClaim: settings.OIDC_ROLES_CLAIM,
        ...(oidcAudience !== undefined && { oidcAudience }),
      },
      removalPolicy,
    });
    new CfnOutput(this, 'ConsoleUrl', { value: `https://${distribution.domainName}` });
  }
}
