import { Metrics as Emf, MetricUnit } from '@aws-lambda-powertools/metrics';

export const metricNamespace = 'epa-sync';

/** What the dashboard shows together, in this order. */
export const metricTopics = ['run', 'line', 'on demand', 'access log', 'API', 'queues'] as const;
export type MetricTopic = (typeof metricTopics)[number];

export interface Metric {
  readonly unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  readonly topic: MetricTopic;
  /** what its value means */
  readonly description: string;
  /** worker: its main process, of all workers the one that holds the line unless `description` says otherwise; line: the child of that one; api: the Lambdas */
  readonly emitters: readonly ('worker' | 'line' | 'api')[];
  /** beside insurerId, which each has. Fixed words; never anything of a patient */
  readonly dimensions: readonly MetricDimension[];
  /** how its values of one minute become one */
  readonly statistics: readonly ('Sum' | 'Maximum' | 'Average' | 'p50' | 'p99')[];
}
export type MetricDimension = 'fault' | 'taskQueue' | 'operation' | 'status';

const metric = <const M extends Omit<Metric, 'dimensions'> & Partial<Pick<Metric, 'dimensions'>>>(given: M) => ({
  dimensions: [] as const,
  ...given,
});
const { Count, Percent, Seconds, Milliseconds } = MetricUnit;

/** All metrics there are (docs/reference/metrics.md). What emits them, the dashboard and the alarms know their names from here. */
export const metrics = {
  RunUnderWay: metric({
    unit: Count,
    topic: 'run',
    description: '1 while a run is under way, else 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunFailed: metric({
    unit: Count,
    topic: 'run',
    description: '1 while the newest run is one that failed, else 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunAwaitsDecision: metric({
    unit: Count,
    topic: 'run',
    description: '1 while removals above the limit wait for an operator, else 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunOverdueMinutes: metric({
    unit: Count,
    topic: 'run',
    description:
      'minutes since the hour by which the day’s run had to be completed (RUN_DUE_HOUR); 0 when it is, or before that hour',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunPatientsDone: metric({
    unit: Count,
    topic: 'run',
    description: 'patients of the newest run whose care records are stored',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunPatientsPending: metric({
    unit: Count,
    topic: 'run',
    description: 'patients of the newest run whose care records are still to be fetched',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunPatientsFailed: metric({
    unit: Count,
    topic: 'run',
    description:
      'patients of the newest run whose care records could not be fetched (npm run sync -- issues names them)',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunPatientsPerMinute: metric({
    unit: Count,
    topic: 'run',
    description: 'patients finished a minute, over the last five minutes of the newest run',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunSecondsLeft: metric({
    unit: Seconds,
    topic: 'run',
    description: 'until the run under way is done, at that rate; only while it can be told',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),

  LineHeld: metric({
    unit: Count,
    topic: 'line',
    description: '1 from the worker that holds the line, 0 from any other; missing while none runs',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePaused: metric({
    unit: Count,
    topic: 'line',
    description: '1 while the line is paused, else 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePausedSeconds: metric({
    unit: Seconds,
    topic: 'line',
    description: 'for how long the line has been paused; 0 while it is open',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePausedBySystem: metric({
    unit: Count,
    topic: 'line',
    description:
      '1 while the line is paused because the insurer did not let us in (401, 403): somebody has to act; else 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LineUtilisationPercent: metric({
    unit: Percent,
    topic: 'line',
    description: 'share of the time in which a request was under way',
    emitters: ['line'],
    statistics: ['Average'],
  }),
  LineRequests: metric({
    unit: Count,
    topic: 'line',
    description: 'requests to the insurer, each try counted',
    emitters: ['line'],
    statistics: ['Sum'],
  }),
  LineFailures: metric({
    unit: Count,
    topic: 'line',
    description: 'requests to the insurer that failed',
    emitters: ['line'],
    statistics: ['Sum'],
  }),
  LineFailuresByFault: metric({
    unit: Count,
    topic: 'line',
    description: 'the same by what went wrong; a kind that did not happen is not told',
    emitters: ['line'],
    dimensions: ['fault'],
    statistics: ['Sum'],
  }),
  LineSecondsSinceSuccess: metric({
    unit: Seconds,
    topic: 'line',
    description: 'since a request to the insurer went well, or since the line’s process was started',
    emitters: ['line'],
    statistics: ['Maximum'],
  }),

  SyncOnDemandMs: metric({
    unit: Milliseconds,
    topic: 'on demand',
    description: 'from the request of a sync until its care records are stored, or it has failed; from any worker',
    emitters: ['worker'],
    statistics: ['p50', 'p99'],
  }),
  SyncPromiseMs: metric({
    unit: Milliseconds,
    topic: 'on demand',
    description: 'from the request of a sync until it is promised (202)',
    emitters: ['api'],
    statistics: ['p50', 'p99'],
  }),

  AccessLogFailures: metric({
    unit: Count,
    topic: 'access log',
    description:
      'calls of the access log that failed: what was asked for was not answered, or was tried again; from any worker, and the API',
    emitters: ['worker', 'api'],
    statistics: ['Sum'],
  }),

  ApiRequests: metric({
    unit: Count,
    topic: 'API',
    description: 'requests answered, by operation and status',
    emitters: ['api'],
    dimensions: ['operation', 'status'],
    statistics: ['Sum'],
  }),
  ApiDurationMs: metric({
    unit: Milliseconds,
    topic: 'API',
    description: 'how long the answers took, by operation and status',
    emitters: ['api'],
    dimensions: ['operation', 'status'],
    statistics: ['p50', 'p99'],
  }),

  QueueBacklog: metric({
    unit: Count,
    topic: 'queues',
    description:
      'tasks that wait in a task queue, as Temporal estimates; those of insurer-line wait for their turn on the line, at most SYNC_WINDOW',
    emitters: ['worker'],
    dimensions: ['taskQueue'],
    statistics: ['Maximum'],
  }),
} as const satisfies Readonly<Record<string, Metric>>;
export type MetricName = keyof typeof metrics;

type Dimensions = Readonly<Partial<Record<MetricDimension, string>>>;
/** One value, or all of an interval: percentiles are of all of them. */
export type MetricValues = Readonly<Partial<Record<MetricName, number | readonly number[]>>>;

export interface Metrics {
  /**
   * Tells values of one moment.
   * @param dimensions those that the table names for these metrics, all of them
   */
  emit(values: MetricValues, dimensions?: Dimensions): void;
}

/** CloudWatch takes a hundred values of one metric in one line; at the hundredth, Powertools would write it by itself, and lose the dimensions. */
const valuesInLine = 99;

/** One line of JSON on stdout for what is told together, which CloudWatch makes metrics of (embedded metric format). */
export function createMetrics(insurerId: string): Metrics {
  const emf = new Emf({ namespace: metricNamespace });
  emf.clearDefaultDimensions(); // a `service` that says nothing
  const write = (entries: readonly (readonly [MetricName, readonly number[]])[], dimensions: Dimensions): void => {
    emf.addDimensions({ insurerId, ...dimensions });
    for (const [name, values] of entries)
      for (const value of values.slice(0, valuesInLine)) emf.addMetric(name, metrics[name].unit, value);
    emf.publishStoredMetrics();
    const rest = entries.flatMap(([name, values]) =>
      values.length > valuesInLine ? [[name, values.slice(valuesInLine)] as const] : [],
    );
    if (rest.length > 0) write(rest, dimensions);
  };
  return {
    emit(told, dimensions = {}) {
      const entries = Object.entries(told).map(([name, value]) => [name as MetricName, [value].flat()] as const);
      for (const [name] of entries)
        if (metrics[name].dimensions.toSorted().join() !== Object.keys(dimensions).sort().join())
          throw new Error(`the dimensions of ${name} are ${metrics[name].dimensions.join(', ')}`);
      const filled = entries.filter(([, values]) => values.length > 0);
      if (filled.length > 0) write(filled, dimensions);
    },
  };
}
