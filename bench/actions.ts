import { optionalTsToMs, requiredTsToMs } from '@temporalio/common/lib/time.js';
import type { temporal } from '@temporalio/proto';
import { syncTaskQueue } from '../core/contract/names.ts';
import { startDay } from '../test/day.fixture.ts';
import { historiesOf } from '../test/histories.fixture.ts';
import { countAwsCalls } from './aws-calls.ts';

/**
 * Measures the cost of a run in Temporal and AWS at 80 % failure, and of the next day with an unchanged list. Two runs of
 * different size separate the cost per patient from the cost per run.
 *
 * Actions are what Temporal Cloud bills: starts, signals, continue-as-new, timers, and attempts of activities. Heartbeats are
 * billed, too, but are not in the history. They are estimated: one at the start of an attempt, then one per four fifths of
 * the timeout or per the worker's setting. The duration is known only for the last attempt, so the figure is a minimum.
 */
const sizes = { small: 100, large: 400 } as const;

type Counts = ReadonlyMap<string, number>;

async function measure(patients: number): Promise<{ readonly first: Counts; readonly dayAfter: Counts }> {
  await using day = await startDay({ patients, rate: 0.8, malformedEntries: 0, notInsuredShare: 0 });
  await using aws = await countAwsCalls(day.stack.environment['AWS_ENDPOINT_URL'] ?? '');
  await day.startWorker({ AWS_ENDPOINT_URL: aws.endpoint, AWS_ENDPOINT_URL_S3: aws.endpoint });
  const countNow = async (): Promise<Counts> =>
    new Map([
      ...(await temporalCounts(day)),
      ...aws.calls,
      ['write units', aws.units.write],
      ['read units', aws.units.read],
    ]);
  const { line } = await day.runToEnd();
  const first = new Map([...(await countNow()), ['requests to the insurer', line.requests]]);
  await day.runToEnd();
  return { first, dayAfter: difference(await countNow(), first) };
}

async function temporalCounts(day: Awaited<ReturnType<typeof startDay>>): Promise<Counts> {
  const counts = { 'history events': 0, 'workflow tasks': 0, 'Temporal actions': 0, 'Temporal heartbeats': 0 };
  for (const { history } of await historiesOf(day.client)) {
    const events = history.events ?? [];
    counts['Temporal heartbeats'] += heartbeatsIn(events);
    for (const event of events) {
      counts['history events'] += 1;
      if (event.workflowTaskCompletedEventAttributes) counts['workflow tasks'] += 1;
      if (
        event.workflowExecutionStartedEventAttributes ||
        event.workflowExecutionSignaledEventAttributes ||
        event.timerStartedEventAttributes
      )
        counts['Temporal actions'] += 1;
      counts['Temporal actions'] += event.activityTaskStartedEventAttributes?.attempt ?? 0;
    }
  }
  return new Map(Object.entries(counts));
}

/** worker/main.ts, maxHeartbeatThrottleInterval */
const syncHeartbeatMs = 4_000;

function heartbeatsIn(events: readonly temporal.api.history.v1.IHistoryEvent[]): number {
  const byId = new Map(events.map((event) => [String(event.eventId), event]));
  const heartbeats = events.map((ended): number => {
    const { startedEventId, scheduledEventId } =
      ended.activityTaskCompletedEventAttributes ?? ended.activityTaskFailedEventAttributes ?? {};
    const started = byId.get(String(startedEventId));
    const scheduled = byId.get(String(scheduledEventId))?.activityTaskScheduledEventAttributes;
    const timeoutMs = optionalTsToMs(scheduled?.heartbeatTimeout) ?? 0;
    if (started === undefined || timeoutMs === 0) return 0;
    const everyMs = Math.min(
      0.8 * timeoutMs,
      scheduled?.taskQueue?.name === syncTaskQueue ? syncHeartbeatMs : Infinity,
    );
    const lastedMs = requiredTsToMs(ended.eventTime, 'eventTime') - requiredTsToMs(started.eventTime, 'eventTime');
    return (started.activityTaskStartedEventAttributes?.attempt ?? 1) + Math.floor(lastedMs / everyMs);
  });
  return heartbeats.reduce((sum, each) => sum + each, 0);
}

const difference = (after: Counts, before: Counts): Counts =>
  new Map([...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)]));

const small = await measure(sizes.small);
const large = await measure(sizes.large);
console.log(`\nA run at 80 % failure, by two of ${sizes.small} and of ${sizes.large} patients, all of them new`);
console.log('| | a run | a patient |\n|---|---|---|');
for (const [name, count] of [...large.first].sort()) {
  const ofPatient = (count - (small.first.get(name) ?? 0)) / (sizes.large - sizes.small);
  console.log(`| ${name} | ${Math.round(count - ofPatient * sizes.large)} | ${ofPatient.toFixed(2)} |`);
}
console.log(`\nThe day after, the list of ${sizes.large} unchanged`);
console.log('| | the run |\n|---|---|');
for (const [name, count] of [...large.dayAfter].sort()) if (count > 0) console.log(`| ${name} | ${count} |`);
