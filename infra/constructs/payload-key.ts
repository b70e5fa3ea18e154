import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

export interface PayloadKeyProps {
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The key that wraps the data keys of what Temporal keeps (ADR 0023), rotated each year. One of its own: who may read a
 * workflow's payloads may not read the tables by it, nor the other way round.
 */
export class PayloadKey extends Construct {
  readonly key: Key;
  constructor(scope: Construct, id: string, { removalPolicy }: PayloadKeyProps) {
    super(scope, id);
    this.key = new Key(this, 'Payload', {
      description: 'epa-sync: payloads in Temporal',
      enableKeyRotation: true,
      pendingWindow: Duration.days(30), // the longest there is: without the key, no run under way can go on
      removalPolicy,
    });
  }
}
