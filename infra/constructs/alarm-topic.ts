import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { removalPolicyOf, type Stage } from '../stage.ts';

/** Where alarms are told. Who is to hear them subscribes once (docs/reference/metrics.md): no template knows a person's address. */
export class AlarmTopic extends Construct {
  readonly topic: Topic;
  constructor(scope: Construct, id: string, { stage }: { readonly stage: Stage }) {
    super(scope, id);
    const alarms = new ServicePrincipal('cloudwatch.amazonaws.com');
    const conditions = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };
    const masterKey = new Key(this, 'Key', {
      description: 'epa-sync: alarms on their way',
      enableKeyRotation: true,
      removalPolicy: removalPolicyOf(stage),
    });
    masterKey.addToResourcePolicy(
      new PolicyStatement({
        principals: [alarms],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'], // of this key: a key's policy knows no other
        conditions,
      }),
    );
    this.topic = new Topic(this, 'Topic', { displayName: 'epa-sync', masterKey, enforceSSL: true });
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [alarms],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions,
      }),
    );
  }
}
