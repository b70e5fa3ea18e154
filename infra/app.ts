import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { stackNameOf } from '../core/contract/deployment.ts';
import { readApiSettings, readConsoleSettings, readDeployment, readWorkerSettings } from './settings.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { ConsoleStack } from './stacks/console-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { ObservabilityStack } from './stacks/observability-stack.ts';
import { WorkerStack } from './stacks/worker-stack.ts';
import { stageOf } from './stage.ts';

const app = new App();
const stage = stageOf(app.node.tryGetContext('stage'));
const deployment = readDeployment(app.node, stage);
const common = { stage, terminationProtection: stage === 'prod' };
const owned = { ...common, deployment };

const data = new DataStack(app, stackNameOf(deployment, 'Data'), owned);
if (app.node.tryGetContext('only') !== 'data') {
  const { encryptionKey, bucket, secret, insurerSecret, payloadKey, anchors, accessLogStreamArn } = data;
  const { eventStreamArns, eventBus } = data;
  const shared = { ...owned, encryptionKey, bucket, secret, payloadKey };
  const apiSettings = readApiSettings(app.node, stage);
  const apiStack = new ApiStack(app, stackNameOf(deployment, 'Api'), {
    ...{ ...shared, anchors, accessLogStreamArn, eventStreamArns, eventBus },
    settings: apiSettings,
  });
  // On a laptop, workers and console are processes. The emulator has no containers, no CloudFront and no dashboards.
  if (stage !== 'local') {
    const { service: workers } = new WorkerStack(app, stackNameOf(deployment, 'Worker'), {
      ...shared,
      insurerSecret,
      anchorBucket: anchors.bucket,
      settings: readWorkerSettings(app.node, stage),
    });
    const settings = readConsoleSettings(app.node, stage);
    new ConsoleStack(app, stackNameOf(deployment, 'Console'), {
      ...common,
      settings,
      api: apiStack,
      documents: bucket,
    });
    new ObservabilityStack(app, stackNameOf(deployment, 'Observability'), {
      ...owned,
      settings: apiSettings,
      apiStack,
      anchorFailures: anchors.failures,
      workers,
    });
  }
}

Tags.of(app).add('app', 'epa-sync');
Tags.of(app).add('deployment', deployment); // costs by insurer
Tags.of(app).add('stage', stage);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
