import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readApiSettings } from './settings.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { ObservabilityStack } from './stacks/observability-stack.ts';
import { stageOf } from './stage.ts';

const app = new App();
const stage = stageOf(app.node.tryGetContext('stage'));
const terminationProtection = stage === 'prod';

const { encryptionKey, bucket } = new DataStack(app, 'EpaSyncData', { stage, terminationProtection });
if (app.node.tryGetContext('only') !== 'data') {
  const settings = readApiSettings(app.node);
  const apiStack = new ApiStack(app, 'EpaSyncApi', { stage, settings, encryptionKey, bucket, terminationProtection });
  // the emulators know neither dashboards nor alarms
  if (stage !== 'local') new ObservabilityStack(app, 'EpaSyncObservability', { stage, settings, apiStack });
}

Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
