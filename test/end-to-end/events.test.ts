import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import {
  type Capability,
  CloudFormationClient,
  CreateStackCommand,
  DescribeStacksCommand,
  type Output,
  waitUntilStackCreateComplete,
} from '@aws-sdk/client-cloudformation';
import { expect, onTestFinished, test } from 'vitest';
import { type CloudEvent, type EventName, eventKinds, eventSchemaOf, eventTypeOf } from '../../core/domain/event.ts';
import { insurerId, startDay } from '../day.fixture.ts';
import { blockOf, lambdaTemplate } from '../event-guide.fixture.ts';
import { startListening } from '../event-queue.fixture.ts';
import { secretsOf } from '../secrets.fixture.ts';

const root = dirname(dirname(import.meta.dirname));

/** Deploys a template as a team does. Returns its outputs. */
async function deploy(StackName: string, TemplateBody: string): Promise<readonly Output[]> {
  const cloudFormation = new CloudFormationClient({});
  onTestFinished(() => cloudFormation.destroy());
  const Capabilities: Capability[] = ['CAPABILITY_IAM'];
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody, Capabilities }));
  await waitUntilStackCreateComplete({ client: cloudFormation, maxWaitTime: 60, minDelay: 1 }, { StackName });
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
  return Stacks[0]?.Outputs ?? [];
}

/** Deploys the guide's rule for a Lambda. Returns the events that the Lambda has got so far. */
async function startLambda(): Promise<readonly CloudEvent[]> {
  const got: CloudEvent[] = [];
  const server = createServer((request, response) => {
    void json(request).then((event) => {
      got.push(event as CloudEvent);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  await deploy('our-lambda', lambdaTemplate(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  return got;
}

/** Deploys the rule of the guide and starts its consumer. Returns the last thing that it has printed of each patient. */
async function startConsumer(): Promise<ReadonlyMap<string, string>> {
  const outputs = await deploy('our-events', blockOf('yaml', '# rule.yaml'));
  const queueUrl = outputs.find(({ OutputKey }) => OutputKey === 'QueueUrl')?.OutputValue;
  // as text, because a file outside the checkout would not find the package
  const consumer = spawn(process.execPath, ['--input-type=module', '-e', blockOf('js', '// consumer.mjs')], {
    cwd: root,
    env: { ...process.env, QUEUE_URL: queueUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    consumer.kill();
    if (consumer.exitCode === null) await once(consumer, 'exit');
  });
  const lastOf = new Map<string, string>();
  createInterface(consumer.stdout).on('line', (line) => {
    const [type = '', patientRef = ''] = line.split(' ');
    lastOf.set(patientRef, type);
  });
  return lastOf;
}

const nameOf = ({ type }: CloudEvent): EventName => {
  const name = (Object.keys(eventKinds) as EventName[]).find((each) => eventTypeOf(each) === type);
  if (name === undefined) throw new Error(`unknown event ${type}`);
  return name;
};

test('over some days, other programs get events of everything that happens, in an order that they can restore, and with no person', async () => {
  const everyoneIsInsured = { notInsuredShare: 0, unknownShare: 0, identicalDuplicates: 0, differingDuplicates: 0 };
  await using day = await startDay(
    { patients: 78, rate: 0, malformedEntries: 0, ...everyoneIsInsured },
    {},
    { api: true },
  );
  const readEvents = await startListening();
  const lastOf = await startConsumer();
  const gotByLambda = await startLambda();
  const secrets = new Set(secretsOf(day.insurer));
  await day.startWorker();
  expect(await day.runToEnd()).toMatchObject({ state: 'completed' });

  day.insurer.nextDay({ gone: 4, new: 3, changed: 5 });
  expect(await day.runToEnd()).toMatchObject({ state: 'completed', patients: { removed: 4, new: 3, changed: 5 } });

  const operator = 'olga-operator';
  const reason = 'Frau Muster hat angerufen';
  await day.line.pause({ operator, reason });
  await day.line.resume({ operator, reason });
  await day.stores.gateOf(insurerId).startCooldown(200, 'busy');

  day.insurer.setList('truncated', 0.5);
  await day.sync.start();
  await day.until(({ awaitingDecision }) => awaitingDecision);
  await day.sync.cancel({ operator, reason });
  expect(await day.ended()).toMatchObject({ state: 'cancelled' });

  day.insurer.setList('normal');
  day.insurer.script({ match: 'list', fault: 'html-page', times: 120 }); // 40 answers for each of three fetches
  await day.sync.start();
  await day.ended().catch(() => undefined);
  expect(await day.sync.readProgress()).toMatchObject({ state: 'failed' });
  day.insurer.clearScript();

  day.insurer.nextDay({ spoiled: 9 });
  expect(await day.runToEnd()).toMatchObject({ state: 'completed-with-problems' });
  for (const secret of secretsOf(day.insurer)) secrets.add(secret);

  const kinds = async () => [...new Set((await readEvents()).map(nameOf))].sort();
  await expect.poll(kinds, { timeout: 60_000, interval: 1_000 }).toEqual(Object.keys(eventKinds).sort());
  const stored = (await day.storedRefs()).sort();
  const readable = () => [...lastOf].flatMap(([ref, type]) => (type === eventTypeOf('patient.removed') ? [] : [ref]));
  await expect.poll(() => readable().sort(), { timeout: 30_000 }).toEqual(stored);

  const events = await readEvents();
  const asked = events.filter((event) => ['run.failed', 'run.decision-awaited'].includes(nameOf(event)));
  await expect.poll(() => gotByLambda).toEqual(expect.arrayContaining(asked));
  expect(new Set(gotByLambda.map(({ id }) => id))).toEqual(new Set(asked.map(({ id }) => id)));
  for (const event of events) expect(event).toEqual(eventSchemaOf(nameOf(event)).parse(event));
  const inOrder = (patientRef: string) =>
    [
      ...new Map(events.filter(({ subject }) => subject === patientRef).map((event) => [event.id, event])).values(),
    ].sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
  for (const patientRef of lastOf.keys()) {
    const history = inOrder(patientRef);
    expect(history[0]).toMatchObject({ type: eventTypeOf('patient.imported') });
    expect(history.map(nameOf).lastIndexOf('patient.imported')).toBe(0);
    const versions = history.flatMap(({ data }) => (data as { careVersion?: string }).careVersion ?? []);
    const patient = await day.stores.patients.get(patientRef);
    if (stored.includes(patientRef)) expect(versions.at(-1)).toBe(patient?.careVersion);
    else expect(history.at(-1)).toMatchObject({ type: eventTypeOf('patient.removed') });
  }
  const told = JSON.stringify(events);
  expect([...secrets, operator, 'Muster'].filter((secret) => told.includes(secret))).toEqual([]);
  const log = readFileSync(join(day.stack.dir, 'logs', 'emulator.log'), 'utf8');
  expect([...secrets].filter((secret) => log.includes(secret))).toEqual([]);
}, 300_000);
