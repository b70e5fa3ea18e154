import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { onTestFinished } from 'vitest';
import type { CloudEvent } from '../core/domain/event.ts';

/** Attaches a queue to the bus, and returns what reads all events that have come so far. */
export async function startListening(): Promise<() => Promise<readonly CloudEvent[]>> {
  const sqs = new SQSClient({});
  const bridge = new EventBridgeClient({});
  onTestFinished(() => {
    sqs.destroy();
    bridge.destroy();
  });
  const queueUrl = await attachQueue({ sqs, bridge }, 'all-events', { source: ['epa-sync'] });
  const events: CloudEvent[] = [];
  return async () => {
    events.push(...(await receiveEvents(sqs, queueUrl)));
    return events;
  };
}

/** Creates a queue, and a rule of the same name that sends the events of a pattern to it. Returns the queue's URL. */
export async function attachQueue(
  { sqs, bridge }: { readonly sqs: SQSClient; readonly bridge: EventBridgeClient },
  name: string,
  pattern: object,
): Promise<string | undefined> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  const EventBusName = 'epa-sync';
  await bridge.send(new PutRuleCommand({ EventBusName, Name: name, EventPattern: JSON.stringify(pattern) }));
  const target = { Id: 'queue', Arn: Attributes?.['QueueArn'], InputPath: '$.detail' };
  await bridge.send(new PutTargetsCommand({ EventBusName, Rule: name, Targets: [target] }));
  return QueueUrl;
}

/** Returns what has come to a queue since the last call, in order. */
export async function receiveEvents(sqs: SQSClient, QueueUrl: string | undefined): Promise<readonly CloudEvent[]> {
  const events: CloudEvent[] = [];
  for (;;) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    if (Messages.length === 0) return events;
    events.push(...Messages.map(({ Body = '' }) => JSON.parse(Body) as CloudEvent));
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }
}
