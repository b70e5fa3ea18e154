import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

export interface DataKeyProps {
  readonly removalPolicy: RemovalPolicy;
}

/** The customer-managed key for all data at rest, rotated each year. */
export class DataKey extends Construct {
  readonly key: Key;
  constructor(scope: Construct, id: string, { removalPolicy }: DataKeyProps) {
    super(scope, id);
    this.key = new Key(this, 'Data', {
      description: 'epa-sync: tables and objects',
      enableKeyRotation: true,
      pendingWindow: Duration.days(30), // the maximum: without the key, all data is lost
      removalPolicy,
    });
  }
}
