import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

export interface PayloadKeyProps {
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The key that wraps the data keys of Temporal payloads (ADR 0023), rotated each year. It is a separate key, so that
 * permission for payloads gives no permission for tables, and vice versa.
 */
export class PayloadKey extends Construct {
  readonly key: Key;
  constructor(scope: Construct, id: string, { removalPolicy }: PayloadKeyProps) {
    super(scope, id);
    this.key = new Key(this, 'Payload', {
      description: 'epa-sync: payloads in Temporal',
      enableKeyRotation: true,
      pendingWindow: Duration.days(30), // the maximum: without the key, no run in progress can continue
      removalPolicy,
    });
  }
}
