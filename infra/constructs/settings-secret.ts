import { type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface SettingsSecretProps {
  readonly encryptionKey: Key;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The secret settings that Lambdas and workers share, as JSON (core/config.ts). It is created with an unusable value.
 * The operator sets the real one, so no template, parameter or deployment log ever holds it.
 */
export class SettingsSecret extends Construct {
  readonly secret: Secret;
  constructor(scope: Construct, id: string, { encryptionKey, removalPolicy }: SettingsSecretProps) {
    super(scope, id);
    this.secret = new Secret(this, 'Settings', {
      description: 'epa-sync: secret settings',
      encryptionKey,
      removalPolicy, // without its keys, stored data can be neither found nor read
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'All stored data is named with the pseudonym key, so it can never change. Temporal issues its API key, so an operator replaces it.',
    });
  }
}
