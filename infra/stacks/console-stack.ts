import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { securityHeaders } from '../../console/security-headers.ts';
import { ConsoleSite } from '../constructs/console-site.ts';
import { ConsoleUpload } from '../constructs/console-upload.ts';
import type { ConsoleSettings } from '../settings.ts';
import { removalPolicyOf, type Stage } from '../stage.ts';
import type { ApiStack } from './api-stack.ts';

export interface ConsoleStackProps extends StackProps {
  readonly stage: Stage;
  readonly settings: ConsoleSettings;
  readonly api: Pick<ApiStack, 'origin' | 'url'>;
  /** the bucket that document links redirect to */
  readonly documents: Bucket;
}

/** The console: the web page for all roles. */
export class ConsoleStack extends Stack {
  constructor(scope: Construct, id: string, props: ConsoleStackProps) {
    const { stage, settings, api, documents, ...rest } = props;
    super(scope, id, { description: 'epa-sync: console', ...rest });
    const { OIDC_ISSUER: oidcIssuer, CONSOLE_AUDIENCE: oidcAudience } = settings;
    const {
      CONSOLE_ORIGIN: origin,
      CONSOLE_CERTIFICATE_ARN: certificateArn,
      CONSOLE_WEB_ACL_ARN: webAclArn,
    } = settings;
    const removalPolicy = removalPolicyOf(stage);
    const headers = securityHeaders({
      apiOrigin: api.origin,
      issuerOrigins: [new URL(oidcIssuer).origin, ...settings.CONSOLE_ISSUER_ORIGINS],
      documentOrigins: [`https://${documents.bucketRegionalDomainName}`],
    });
    const { bucket, distribution } = new ConsoleSite(this, 'Site', {
      headers,
      ...(certificateArn !== undefined && { domain: { name: new URL(origin).hostname, certificateArn } }),
      webAclArn,
      removalPolicy,
    });
    new ConsoleUpload(this, 'Page', {
      bucket,
      distribution,
      config: {
        apiUrl: api.url,
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
