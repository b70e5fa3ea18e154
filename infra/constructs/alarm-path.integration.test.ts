import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
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

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

/** The observability stack, without its dashboard. The emulator's CloudFormation does not know alarms. */
function parts() {
  const { Resources } = observabilityApp('kk-nord').template.toJSON() as { Resources: Record<string, Resource> };
  const ofService = (service: RegExp) => Object.entries(Resources).filter(([, { Type }]) => service.test(Type));
  const [topic = ''] = ofService(/^AWS::SNS::Topic$/)[0] ?? [];
  const Outputs = { Topic: { Value: { Ref: topic } } };
  return {
    topic,
    template: JSON.stringify({ Resources: Object.fromEntries(ofService(/^AWS::(SNS|KMS)::/)), Outputs }),
    alarms: ofService(/^AWS::CloudWatch::Alarm$/).map(([, { Properties }]) => Properties),
  };
}

test('a subscriber of the topic hears each alarm when it starts and when it ends', async () => {
  const { url, received, confirmed } = await startSubscriber();
  const { topic, template, alarms } = parts();
  const client = new CloudFormationClient({});
  const StackName = 'alarm-path';
  onTestFinished(async () => {
    await client.send(new DeleteStackCommand({ StackName }));
    client.destroy();
  });
  await client.send(new CreateStackCommand({ StackName, TemplateBody: template }));
  const limits = { client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
  await waitUntilStackCreateComplete(limits, { StackName });
  const { Stacks: [stack] = [] } = await client.send(new DescribeStacksCommand({ StackName }));
  const arn = stack?.Outputs?.[0]?.OutputValue ?? '';
  await ask({ Action: 'Subscribe', TopicArn: arn, Protocol: 'http', Endpoint: url });
  await confirmed;

  const names = alarms.map(({ AlarmName }) => String(AlarmName));
  expect(names).toContain('epa-sync payloads refused');
  for (const { AlarmName, AlarmActions, OKActions, MetricName = 'a sum', Threshold, ComparisonOperator } of alarms) {
    expect([AlarmActions, OKActions]).toEqual([[{ Ref: topic }], [{ Ref: topic }]]);
    await ask({
      ...{
        Action: 'PutMetricAlarm',
        AlarmName: String(AlarmName),
        Namespace: 'epa-sync',
        MetricName: String(MetricName),
      },
      ...{ Threshold: String(Threshold), ComparisonOperator: String(ComparisonOperator), EvaluationPeriods: '1' },
      ...{ Period: '60', Statistic: 'Maximum', 'AlarmActions.member.1': arn, 'OKActions.member.1': arn },
    });
  }
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
