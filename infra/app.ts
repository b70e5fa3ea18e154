import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readApiSettings, readWorkerSettings } from './settings.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { WorkerStack } from './stacks/worker-stack.ts';
import { stageOf } from './stage.ts';

const app = new App();
const stage = stageOf(app.node.tryGetContext('stage'));
const common = { stage, terminationProtection: stage === 'prod' };

const data = new DataStack(app, 'EpaSyncData', common);
if (app.node.tryGetContext('only') !== 'data') {
  const { encryptionKey, bucket, secret, payloadKey } = data;
  const shared = { ...common, encryptionKey, bucket, secret, payloadKey };
  new ApiStack(app, 'EpaSyncApi', { ...shared, settings: readApiSettings(app.node, stage) });
  // on a laptop workers are processes beside the emulator, which knows no containers
  if (stage !== 'local')
    new WorkerStack(app, 'EpaSyncWorker', { ...shared, settings: readWorkerSettings(app.node, stage) });
}

Tags.of(app).add('app', 'epa-sync');
Tags.of(app).add('stage', stage);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
