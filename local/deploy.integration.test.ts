import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, onTestFinished, test } from 'vitest';
import { ensureDeployed, startTestStack } from '../test/stack.ts';
import { deployDataStack } from './deploy.ts';
import { startEmulator } from './emulator.ts';
import { freePorts } from './free-ports.ts';
import { ensurePythonTools } from './python-tools.ts';

const region = 'eu-central-1';

test('if a killed emulator has lost its tables, they are deployed again', {
  timeout: 180_000,
}, async () => {
  const stack = await startTestStack();
  onTestFinished(stack.stop);
  const { ministack: command } = await ensurePythonTools(join(stack.dir, '..'));
  const [port = 0] = await freePorts(1);
  const endpoint = `http://127.0.0.1:${port}`;
  const stateDir = join(stack.dir, 'lost');
  const logDir = join(stack.dir, 'logs-lost');
  mkdirSync(stateDir);
  const deployed = await ensureDeployed('data');
  for (const file of ['outputs.json', 'deployed', 'cdk.out']) // the stamp of a deployment, without its tables
    cpSync(join(deployed, file), join(stateDir, file), { recursive: true });
  const emulator = await startEmulator({ command, port, dataDir: stateDir, logDir });
  onTestFinished(emulator.stop);

  await deployDataStack({ endpoint, region, stateDir, logDir });

  const dynamo = new DynamoDBClient({ endpoint, region });
  onTestFinished(() => dynamo.destroy());
  await expect(dynamo.send(new DescribeTableCommand({ TableName: 'Line' }))).resolves.toBeDefined();
});
