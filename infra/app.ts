import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readApiSettings } from './settings.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { stageOf } from './stage.ts';

const app = new App();
const stage = stageOf(app.node.tryGetContext('stage'));
const terminationProtection = stage === 'prod';

const { encryptionKey, bucket, payloadKey } = new DataStack(app, 'EpaSyncData', { stage, terminationProtection });
if (app.node.tryGetContext('only') !== 'data')
  new ApiStack(app, 'EpaSyncApi', {
    stage,
    settings: readApiSettings(app.node),
    encryptionKey,
    bucket,
    payloadKey,
    terminationProtection,
  });

Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
