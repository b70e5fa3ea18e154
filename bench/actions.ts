import { startDay } from '../test/day.fixture.ts';
import { historiesOf } from '../test/histories.fixture.ts';
import { countAwsCalls } from './aws-calls.ts';

/**
 * What a run of 300 patients at 80 % failure costs in Temporal and AWS, per patient; and what the day after costs, when the insurer's list is the same.
 * Temporal: events and actions. Actions are what Temporal
 * Cloud bills: starts, signals, continue-as-new, timers, attempts of activities, and one for the local activities of each
 * workflow task. Heartbeats come on top: one when an attempt begins, then at most one in eight seconds.
 */
const patients = 300;
await using day = await startDay({ patients, rate: 0.8, malformedEntries: 0 });
await using aws = await countAwsCalls(day.stack.environment['AWS_ENDPOINT_URL'] ?? '');
await day.startWorker({ AWS_ENDPOINT_URL: aws.endpoint, AWS_ENDPOINT_URL_S3: aws.endpoint });
const progress = await day.runToEnd();
const first = { calls: new Map(aws.calls), ...aws.units };

const counts = { events: 0, tasks: 0, starts: 0, signals: 0, timers: 0, attempts: 0, localActivityTasks: 0 };
for (const { history } of await historiesOf(day.client)) {
  let hasMarkers = false;
  for (const event of history.events ?? []) {
    counts.events += 1;
    if (event.workflowExecutionStartedEventAttributes) counts.starts += 1;
    if (event.workflowExecutionSignaledEventAttributes) counts.signals += 1;
    if (event.timerStartedEventAttributes) counts.timers += 1;
    if (event.activityTaskStartedEventAttributes)
      counts.attempts += event.activityTaskStartedEventAttributes.attempt ?? 1;
    if (event.markerRecordedEventAttributes && !hasMarkers) {
      counts.localActivityTasks += 1;
      hasMarkers = true;
    }
    if (event.workflowTaskCompletedEventAttributes) {
      counts.tasks += 1;
      hasMarkers = false;
    }
  }
}
const { events, tasks, ...actions } = counts;
const all = Object.values(actions).reduce((sum, count) => sum + count, 0);
const finished = progress.careRecords.total;
const row = (what: string, count: number) => console.log(`| ${what} | ${count} | ${(count / finished).toFixed(2)} |`);
console.log(
  `\nTemporal, ${finished} patients, ${progress.line.requests} requests, ${Math.round(progress.line.failureRate * 100)} % failed`,
);
console.log('| | run | a patient |\n|---|---|---|');
row('history events', events);
row('workflow tasks', tasks);
row('actions, heartbeats aside', all);
row('of them attempts of activities', actions.attempts);
row('of them tasks with local activities', actions.localActivityTasks);

console.log(`\nAWS, by the same run`);
console.log('| | run | a patient |\n|---|---|---|');
for (const [name, count] of [...first.calls].sort()) row(name, count);
row('write units', first.write);
row('read units', first.read);

await day.runToEnd();
console.log('\nAWS, the day after, the list unchanged');
console.log('| | run |\n|---|---|');
for (const [name, count] of [...aws.calls].sort())
  if (count > (first.calls.get(name) ?? 0)) console.log(`| ${name} | ${count - (first.calls.get(name) ?? 0)} |`);
console.log(`| write units | ${aws.units.write - first.write} |\n| read units | ${aws.units.read - first.read} |`);
