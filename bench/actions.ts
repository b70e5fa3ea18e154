import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../local/free-ports.ts';
import { openApi } from '../test/api.fixture.ts';
import { type Day, startDay } from '../test/day.fixture.ts';
import { historiesOf } from '../test/histories.fixture.ts';
import { countAwsCalls } from './aws-calls.ts';

/**
 * Measures the cost of a run in Temporal and AWS, at 80 % failure and 120 ms a request, and of the next day with an unchanged
 * list. Two runs of different size separate the cost per patient from the cost per run. Then measures an open tab of the
 * console, and reads.
 *
 * Actions are what Temporal Cloud bills (https://docs.temporal.io/cloud/actions). Temporal's server counts them itself, also
 * heartbeats, retries and queries, in its metric `action`. The timer of a workflow that continues as new counts once.
 */
const sizes = { small: 50, large: 250 } as const;
const latencyMs = 120;
const world = { rate: 0.8, malformedEntries: 0, notInsuredShare: 0, latencyMs } as const;
/** seconds for which a tab is open, during a run and after it */
const tabSeconds = 60;
const reads = 20;
/** patientRecord ends a minute after the last request. */
const idleMs = 70_000;

type Counts = ReadonlyMap<string, number>;

/** Returns the actions that the server has counted in our namespace, by type. */
async function readActions(metricsPort: number): Promise<Counts> {
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, labels = '', value] of metrics.matchAll(/^action\{(.*)\} (\S+)$/gm)) {
    const type = /action_type="([^"]*)"/.exec(labels)?.[1] ?? '';
    if (labels.includes('namespace="default"')) counts.set(type, (counts.get(type) ?? 0) + Number(value));
  }
  return counts;
}

const heartbeatType = 'grpc_RecordActivityTaskHeartbeat';
const queryType = 'grpc_QueryWorkflow';
const sum = (counts: Counts): number => [...counts.values()].reduce((total, count) => total + count, 0);

async function measure(patients: number): Promise<{ readonly first: Counts; readonly dayAfter: Counts }> {
  const [temporalMetricsPort = 0] = await freePorts(1);
  await using day = await startDay({ patients, ...world }, {}, { temporalMetricsPort });
  await using aws = await countAwsCalls(day.stack.environment['AWS_ENDPOINT_URL'] ?? '');
  await day.startWorker({ AWS_ENDPOINT_URL: aws.endpoint, AWS_ENDPOINT_URL_S3: aws.endpoint });
  const countNow = async (): Promise<Counts> => {
    const actions = await readActions(temporalMetricsPort);
    return new Map([
      ...[...actions].map(([type, count]) => [`action ${type}`, count] as const),
      ['billed actions', sum(actions)],
      ['of these, heartbeats', actions.get(heartbeatType) ?? 0],
      ...(await historySize(day)),
      ...aws.calls,
      ['write units', aws.units.write],
      ['read units', aws.units.read],
    ]);
  };
  const { line } = await day.runToEnd();
  const first = new Map([...(await countNow()), ['requests to the insurer', line.requests]]);
  await day.runToEnd();
  return { first, dayAfter: difference(await countNow(), first) };
}

async function historySize(day: Day): Promise<Counts> {
  let events = 0;
  let workflowTasks = 0;
  for (const { history } of await historiesOf(day.client))
    for (const event of history.events ?? []) {
      events += 1;
      if (event.workflowTaskCompletedEventAttributes) workflowTasks += 1;
    }
  return new Map([
    ['history events', events],
    ['workflow tasks', workflowTasks],
  ]);
}

/** Returns the actions of a tab that polls each second, during a run and after it, and those of reads. */
async function measurePeople() {
  const [temporalMetricsPort = 0] = await freePorts(1);
  const parts = { api: true, temporalMetricsPort };
  await using day = await startDay({ ...world, rate: 0, patients: 100 }, {}, parts);
  const { call } = await openApi(day.stack);
  await day.startWorker();
  await day.runToEnd();
  const actions = async (type?: string): Promise<number> => {
    const counts = await readActions(temporalMetricsPort);
    return type === undefined ? sum(counts) : (counts.get(type) ?? 0);
  };
  const tab = async (): Promise<number> => {
    const before = await actions(queryType);
    for (let second = 0; second < tabSeconds; second += 1) {
      await Promise.all([call('readProgress'), call('readLine'), sleep(1_000)]);
    }
    return (await actions(queryType)) - before;
  };
  await sleep(idleMs);
  const before = await actions();
  const refs = (await day.storedRefs()).slice(0, reads);
  for (const patientRef of refs) await call('readPatient', { params: { patientRef } });
  await sleep(idleMs);
  const read = ((await actions()) - before) / reads;
  const idle = await tab();
  day.insurer.nextDay({ new: 2_000 });
  await day.sync.start();
  const running = await tab();
  return { idle, running, read };
}

const difference = (after: Counts, before: Counts): Counts =>
  new Map([...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)]));

const small = await measure(sizes.small);
const large = await measure(sizes.large);
console.log(
  `\nA run at 80 % failure and ${latencyMs} ms a request, by two of ${sizes.small} and of ${sizes.large} patients, all of them new`,
);
console.log('| | a run | a patient |\n|---|---|---|');
for (const [name, count] of [...large.first].sort()) {
  const ofPatient = (count - (small.first.get(name) ?? 0)) / (sizes.large - sizes.small);
  console.log(`| ${name} | ${Math.round(count - ofPatient * sizes.large)} | ${ofPatient.toFixed(2)} |`);
}
console.log(`\nThe day after, the list of ${sizes.large} unchanged`);
console.log('| | the run |\n|---|---|');
for (const [name, count] of [...large.dayAfter].sort()) if (count > 0) console.log(`| ${name} | ${count} |`);
const { idle, running, read } = await measurePeople();
console.log(`\nPeople: actions of one read, and queries of one open tab in ${tabSeconds} seconds`);
console.log('| | |\n|---|---|');
console.log(`| a read of a patient, alone | ${read.toFixed(2)} |`);
console.log(`| a tab without a run | ${idle} |`);
console.log(`| a tab during a run | ${running} |`);
