import { type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface InsurerSecretProps {
  readonly encryptionKey: IKey;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The insurer's token, and a client certificate or a proxy if there is one, as JSON with the names of `insurerSecrets`. It is
 * a separate secret that no Lambda can read. The operator sets the values.
 */
export class InsurerSecret extends Construct {
  readonly secret: Secret;
  constructor(scope: Construct, id: string, { encryptionKey, removalPolicy }: InsurerSecretProps) {
    super(scope, id);
    this.secret = new Secret(this, 'Token', {
      description: 'epa-sync: INSURER_API_TOKEN',
      encryptionKey,
      removalPolicy,
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'The insurer issues the token and replaces it at any time: docs/operations/runbook.md, "A key must be rotated".',
    });
  }
}
