import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { expect, onTestFinished, test } from 'vitest';
import { observabilityApp } from '../stacks/observability.fixture.ts';

interface Notification {
  readonly AlarmName: string;
  readonly NewStateValue: string;
}

/** Starts somebody who is on call: a subscriber that confirms its subscription and receives notifications. */
async function startSubscriber() {
  const received: Notification[] = [];
  const confirmed = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as {
        Type: string;
        Message: string;
        Token?: string;
        TopicArn: string;
      };
      response.end();
      if (body.Type === 'Notification') received.push(JSON.parse(body.Message) as Notification);
      else
        void ask({ Action: 'ConfirmSubscription', TopicArn: body.TopicArn, Token: body.Token ?? '' }).then(() =>
          confirmed.resolve(),
        );
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received, confirmed: confirmed.promise };
}

/** Calls the emulator as a query API: neither CloudWatch's nor SNS's client is installed. */
async function ask(parameters: Readonly<Record<string, string>>): Promise<void> {
  const { ok, status } = await fetch(process.env['AWS_ENDPOINT_URL'] ?? '', {
    method: 'POST',
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=test/20261130/${process.env['AWS_REGION']}/x/aws4_request` },
    body: new URLSearchParams(parameters),
  });
  if (!ok) throw new Error(`the emulator answered ${parameters['Action']} with ${status}`);
}

/** Returns the alarms, the topic and its key as they are deployed, with a subscription. Values of other stacks are replaced. */
function templateWith(endpoint: string) {
  const { Resources } = observabilityApp('kk-nord').template.toJSON() as {
    Resources: Record<string, { Type: string }>;
  };
  const kept = Object.entries(Resources).filter(([, { Type }]) => !Type.startsWith('AWS::CloudWatch::Dashboard'));
  const [topic = ''] = kept.find(([, { Type }]) => Type === 'AWS::SNS::Topic') ?? [];
  const Subscription = {
    Type: 'AWS::SNS::Subscription',
    Properties: { TopicArn: { Ref: topic }, Protocol: 'http', Endpoint: endpoint },
  };
  const body = JSON.stringify({ Resources: { ...Object.fromEntries(kept), Subscription } });
  return body.replaceAll(/\{"Fn::ImportValue":"[^"]+"\}/g, '"another-stack"');
}

test('a subscriber of the topic hears each alarm when it starts and when it ends', async () => {
  const { url, received, confirmed } = await startSubscriber();
  const client = new CloudFormationClient({});
  const StackName = 'alarm-path';
  onTestFinished(async () => {
    await client.send(new DeleteStackCommand({ StackName }));
    client.destroy();
  });
  const TemplateBody = templateWith(url);
  await client.send(new CreateStackCommand({ StackName, TemplateBody }));
  await waitUntilStackCreateComplete({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { StackName });
  await confirmed;

  const names = [...TemplateBody.matchAll(/"AlarmName":"([^"]+)"/g)].map(([, name = '']) => name);
  expect(names).toContain('epa-sync payloads refused');
  for (const StateValue of ['ALARM', 'OK'])
    for (const AlarmName of names) await ask({ Action: 'SetAlarmState', AlarmName, StateValue, StateReason: 'a test' });
  const heard = (state: string) =>
    received
      .filter(({ NewStateValue }) => NewStateValue === state)
      .map(({ AlarmName }) => AlarmName)
      .toSorted();
  await expect.poll(() => heard('ALARM')).toEqual(names.toSorted());
  await expect.poll(() => heard('OK')).toEqual(names.toSorted());
});
