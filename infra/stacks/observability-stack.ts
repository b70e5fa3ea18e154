import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { AlarmTopic } from '../constructs/alarm-topic.ts';
import { Alarms } from '../constructs/alarms.ts';
import { Dashboard, type Watched } from '../constructs/dashboard.ts';
import type { ApiSettings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import type { ApiStack } from './api-stack.ts';

export interface ObservabilityStackProps extends StackProps {
  readonly stage: Stage;
  readonly settings: ApiSettings;
  readonly apiStack: ApiStack;
  readonly workers: FargateService;
}

/** What people see of it from afar: the dashboard, the alarms, and where those are told. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, { stage, settings, apiStack, workers, ...props }: ObservabilityStackProps) {
    super(scope, id, { description: 'epa-sync: dashboard and alarms', ...props });
    const { api, lambdas, missedDays } = apiStack;
    const watched: Watched = { insurerId: settings.INSURER_ID, api, lambdas, missedDays };
    const { topic } = new AlarmTopic(this, 'Told', { stage });
    new Dashboard(this, 'Seen', watched);
    new Alarms(this, 'Alarms', { ...watched, topic, workers, runDueHour: settings.RUN_DUE_HOUR });
    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn });
  }
}
