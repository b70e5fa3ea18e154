import { Aws } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { removalPolicyOf, type Stage } from '../stage.ts';

export interface AlarmTopicProps {
  readonly deployment: string;
  readonly stage: Stage;
}

/**
 * The topic that alarms notify. People subscribe once (docs/reference/metrics.md), so no template holds an address of a
 * person.
 */
export class AlarmTopic extends Construct {
  readonly topic: Topic;
  constructor(scope: Construct, id: string, { deployment, stage }: AlarmTopicProps) {
    super(scope, id);
    const alarms = new ServicePrincipal('cloudwatch.amazonaws.com');
    const conditions = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };
    const masterKey = new Key(this, 'Key', {
      description: 'epa-sync: alarm notifications',
      enableKeyRotation: true,
      removalPolicy: removalPolicyOf(stage),
    });
    masterKey.addToResourcePolicy(
      new PolicyStatement({
        principals: [alarms],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'], // this key: a key policy applies only to its own key
        conditions,
      }),
    );
    this.topic = new Topic(this, 'Topic', { displayName: deployment, masterKey, enforceSSL: true });
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
