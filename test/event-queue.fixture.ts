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
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'all-events' }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  const rule = { EventBusName: 'epa-sync', Name: 'all-events' };
  await bridge.send(new PutRuleCommand({ ...rule, EventPattern: JSON.stringify({ source: ['epa-sync'] }) }));
  const target = { Id: 'queue', Arn: Attributes?.['QueueArn'], InputPath: '$.detail' };
  await bridge.send(new PutTargetsCommand({ EventBusName: rule.EventBusName, Rule: rule.Name, Targets: [target] }));
  const events: CloudEvent[] = [];
  return async () => {
    for (;;) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
      if (Messages.length === 0) return events;
      events.push(...Messages.map(({ Body = '' }) => JSON.parse(Body) as CloudEvent));
      const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
  };
}
