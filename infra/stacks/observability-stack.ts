import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { AlarmTopic } from '../constructs/alarm-topic.ts';
import { Alarms } from '../constructs/alarms.ts';
import { Dashboard, type MonitoredResources } from '../constructs/dashboard.ts';
import type { ApiSettings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import type { ApiStack } from './api-stack.ts';

export interface ObservabilityStackProps extends StackProps {
  readonly deployment: string;
  readonly stage: Stage;
  readonly settings: ApiSettings;
  readonly apiStack: ApiStack;
  readonly anchorFailures: Queue;
  readonly workers: FargateService;
}

/** The dashboard, the alarms and the topic that they notify. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    const { deployment, stage, settings, apiStack, anchorFailures, workers, ...rest } = props;
    super(scope, id, { description: 'epa-sync: dashboard and alarms', ...rest });
    const { api, lambdas, missedDays, changeFailures, eventFailures } = apiStack;
    const monitored: MonitoredResources = {
      ...{ deployment, api, lambdas, missedDays, anchorFailures, changeFailures, eventFailures },
      insurerId: settings.INSURER_ID,
    };
    const { topic } = new AlarmTopic(this, 'AlarmTopic', { deployment, stage });
    new Dashboard(this, 'Overview', monitored);
    new Alarms(this, 'Alarms', { ...monitored, topic, workers, runDueHour: settings.RUN_DUE_HOUR });
    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn });
  }
}
