import { randomBytes, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ActivityFailure, ApplicationFailure, Client, Connection, WorkflowFailedError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { createSecretKeyWrapper } from '../crypto/secret-key-wrapper.ts';
import { createDataConverter, createPayloadCodec } from './codec.ts';

test('Temporal can read only the type of a workflow failure, and a client with the key reads all of it', async () => {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  const address = process.env['TEMPORAL_ADDRESS'] ?? '';
  const dataConverter = createDataConverter(
    createPayloadCodec(createSecretKeyWrapper(`k1:${randomBytes(32).toString('base64')}`)),
  );
  const taskQueue = randomUUID();
  const name = 'Anna-Müller';
  const connection = await NativeConnection.connect({ address });
  const clientConnection = await Connection.connect({ address });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue,
      dataConverter,
      workflowsPath: fileURLToPath(new URL('./secretive-workflow.fixture.ts', import.meta.url)),
      activities: {
        tell: (name: string) => {
          throw new Error(`activity about ${name}`);
        },
      },
    });
    const client = new Client({ connection: clientConnection, dataConverter });
    const workflowId = randomUUID();
    const failure: unknown = await worker.runUntil(
      client.workflow
        .execute('secretiveWorkflow', { taskQueue, workflowId, args: [name], memo: { name } })
        .catch((error: unknown) => error),
    );

    if (!(failure instanceof WorkflowFailedError) || !(failure.cause instanceof ApplicationFailure)) throw failure;
    expect(failure.cause).toMatchObject({ message: `about ${name}`, type: 'FixedWord', details: [name] });
    expect(failure.cause.stack).toContain('secretive-workflow.fixture');
    const { cause } = failure.cause;
    if (!(cause instanceof ActivityFailure)) throw cause;
    expect(cause.cause?.message).toBe(`activity about ${name}`);

    const { history } = await clientConnection.workflowService.getWorkflowExecutionHistory({
      namespace: 'default',
      execution: { workflowId },
    });
    const raw = Buffer.from(proto.temporal.api.history.v1.History.encode(history ?? {}).finish()).toString();
    expect(raw).toContain('FixedWord');
    expect(raw).not.toMatch(/Anna|about|fixture\.ts/);
  } finally {
    await clientConnection.close();
    await connection.close();
  }
});
