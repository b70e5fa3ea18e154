import { type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface SettingsSecretProps {
  readonly encryptionKey: Key;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The secret settings that Lambdas and workers share, as JSON (core/config.ts). Made with a value that nobody can use; the
 * operator puts the real one, so that no template, no parameter and no log of a deployment ever holds it.
 */
export class SettingsSecret extends Construct {
  readonly secret: Secret;
  constructor(scope: Construct, id: string, { encryptionKey, removalPolicy }: SettingsSecretProps) {
    super(scope, id);
    this.secret = new Secret(this, 'Settings', {
      description: 'epa-sync: the settings that are secret',
      encryptionKey,
      removalPolicy, // without its keys, nothing that is stored can be found or read again
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'The pseudonym key names everything that is stored, so it can never change; Temporal’s key is put anew by hand, as Temporal makes it.',
    });
  }
}
