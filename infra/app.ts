import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DataStack } from './stacks/data-stack.ts';
import { stageOf } from './stage.ts';

const app = new App();
const stage = stageOf(app.node.tryGetContext('stage'));

new DataStack(app, 'EpaSyncData', { stage, terminationProtection: stage === 'prod' });

Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
