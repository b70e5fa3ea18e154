import { Metrics as Emf, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { ClientConfig } from '../config.ts';

/** Groups of metrics on the dashboard, in this order. */
export const metricTopics = [
  'run',
  'line',
  'on demand',
  'access log',
  'events',
  'exports',
  'API',
  'Temporal',
  'queues',
] as const;
export type MetricTopic = (typeof metricTopics)[number];

export interface Metric {
  readonly unit: (typeof MetricUnit)[keyof typeof MetricUnit];
  readonly topic: MetricTopic;
  /** what its value means */
  readonly description: string;
  /**
   * `worker`: the main process of the worker that holds the line, or of any worker if `description` says so; `line`:
   * the line process of that worker; `api`: the Lambdas
   */
  readonly emitters: readonly ('worker' | 'line' | 'api')[];
  /** in addition to insurerId, which all metrics have. The values are fixed words, and never data of a patient */
  readonly dimensions: readonly MetricDimension[];
  /** how the values of one minute are aggregated */
  readonly statistics: readonly ('Sum' | 'Maximum' | 'Average' | 'p50' | 'p99')[];
}
export type MetricDimension = 'fault' | 'taskQueue' | 'operation' | 'status';

const metric = <const M extends Omit<Metric, 'dimensions'> & Partial<Pick<Metric, 'dimensions'>>>(given: M) => ({
  dimensions: [] as const,
  ...given,
});
const { Bytes, Count, Percent, Seconds, Milliseconds } = MetricUnit;

/** All metrics (docs/reference/metrics.md). Emitters, dashboard and alarms take their names from this table. */
export const metrics = {
  RunInProgress: metric({
    unit: Count,
    topic: 'run',
    description: '1 during a run, otherwise 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunFailed: metric({
    unit: Count,
    topic: 'run',
    description: '1 if the newest run has failed, otherwise 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunHasProblems: metric({
    unit: Count,
    topic: 'run',
    description: '1 if the newest run has ended as completed-with-problems, otherwise 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunAwaitsDecision: metric({
    unit: Count,
    topic: 'run',
    description: '1 while removals above the limit wait for an operator, otherwise 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunOverdueMinutes: metric({
    unit: Count,
    topic: 'run',
    description:
      'minutes since the daily run was due (RUN_DUE_HOUR); 0 before that hour, and once the run is completed',
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
  RunEntriesQuarantined: metric({
    unit: Count,
    topic: 'run',
    description: "entries of the newest run's list that could not be stored",
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunEntriesFlagged: metric({
    unit: Count,
    topic: 'run',
    description: "entries of the newest run's list that break the contract and are stored as they were sent",
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunCareRecordsFlagged: metric({
    unit: Count,
    topic: 'run',
    description: 'patients of the newest run whose care records break the contract and are stored as they were sent',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunUnreadablePercent: metric({
    unit: Percent,
    topic: 'run',
    description:
      'the larger one of two shares of the newest run: quarantined entries of the list, and patients asked whose care records could not be used (UNREADABLE_LIMIT_PERCENT)',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunPatientsProvisional: metric({
    unit: Count,
    topic: 'run',
    description: 'people who are stored although no list has named them, at the last count of the newest run',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunKvnrsChanged: metric({
    unit: Count,
    topic: 'run',
    description: 'patients of the newest run who seem to have got another KVNR (npm run sync -- issues names them)',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  CareRecordsOldestDays: metric({
    unit: Count,
    topic: 'run',
    description: 'age of the oldest stored care records, at the last count of the newest run; missing if unknown',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  CareRecordsMedianDays: metric({
    unit: Count,
    topic: 'run',
    description: 'median age of the stored care records, at the last count of the newest run; missing if unknown',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunPatientsPerMinute: metric({
    unit: Count,
    topic: 'run',
    description: 'patients finished per minute, over the last five minutes of the newest run',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  RunSecondsLeft: metric({
    unit: Seconds,
    topic: 'run',
    description: 'time until the current run ends, at that rate; missing if unknown',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),

  LineHeld: metric({
    unit: Count,
    topic: 'line',
    description: '1 from the worker that holds the line, 0 from any other worker; missing if no worker runs',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePaused: metric({
    unit: Count,
    topic: 'line',
    description: '1 while the line is paused, otherwise 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePausedSeconds: metric({
    unit: Seconds,
    topic: 'line',
    description: 'time since the line was paused; 0 while it is open',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LineCooldownSeconds: metric({
    unit: Seconds,
    topic: 'line',
    description: 'rest of the cooldown of the line, in which nothing is sent; 0 without one',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePace: metric({
    unit: Count,
    topic: 'line',
    description: 'the most requests a minute that the line may send; missing without a limit',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LinePausedBySystem: metric({
    unit: Count,
    topic: 'line',
    description:
      '1 while the line is paused because the insurer rejects our token (401, 403), which an operator must replace; otherwise 0',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  LineUtilisationPercent: metric({
    unit: Percent,
    topic: 'line',
    description: 'share of the time with a request in flight',
    emitters: ['line'],
    statistics: ['Average'],
  }),
  LineRequests: metric({
    unit: Count,
    topic: 'line',
    description: 'requests to the insurer, including repeated ones',
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
    description: 'failed requests by kind of fault; kinds that did not occur are missing',
    emitters: ['line'],
    dimensions: ['fault'],
    statistics: ['Sum'],
  }),
  LineBytesReceived: metric({
    unit: Bytes,
    topic: 'line',
    description:
      "bytes of the insurer's answers, without their headers, as they were sent; also of answers that failed",
    emitters: ['line'],
    statistics: ['Sum'],
  }),
  LineSecondsSinceSuccess: metric({
    unit: Seconds,
    topic: 'line',
    description: 'time since the last successful request, or since the line process was started',
    emitters: ['line'],
    statistics: ['Maximum'],
  }),

  SyncOnDemandMs: metric({
    unit: Milliseconds,
    topic: 'on demand',
    description: 'time from the request of a sync until its care records are stored, or it has failed; from any worker',
    emitters: ['worker'],
    statistics: ['p50', 'p99'],
  }),
  SyncPromiseMs: metric({
    unit: Milliseconds,
    topic: 'on demand',
    description: 'time from the request of a sync until it is promised (202)',
    emitters: ['api'],
    statistics: ['p50', 'p99'],
  }),

  AccessLogFailures: metric({
    unit: Count,
    topic: 'access log',
    description:
      'failed calls of the access log, whose request was not answered or was repeated; from any worker and the API',
    emitters: ['worker', 'api'],
    statistics: ['Sum'],
  }),
  AnchorLagSeconds: metric({
    unit: Seconds,
    topic: 'access log',
    description:
      'age of the oldest entry of a batch when its anchor was written; from any worker, how long its entries have got no anchors, 0 below ten minutes',
    emitters: ['worker', 'api'],
    statistics: ['Maximum'],
  }),
  AccessLogTampered: metric({
    unit: Count,
    topic: 'access log',
    description:
      'items of the access log that were changed, or deleted before they expired, and logs that a check of all logs found broken',
    emitters: ['worker', 'api'],
    statistics: ['Sum'],
  }),
  AccessLogCheckAgeDays: metric({
    unit: Count,
    topic: 'access log',
    description:
      'whole days since the last check of all access logs was completed; before the first one, since a worker first asked',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),

  EventsPublished: metric({
    unit: Count,
    topic: 'events',
    description: 'events that the bus has taken; one that is repeated counts again',
    emitters: ['api'],
    statistics: ['Sum'],
  }),
  ExportedPatients: metric({
    unit: Count,
    topic: 'exports',
    description: 'patients written into exports, each batch when it is stored; from any worker',
    emitters: ['worker'],
    statistics: ['Sum'],
  }),
  ExportFailures: metric({
    unit: Count,
    topic: 'exports',
    description: 'exports that have failed; from any worker',
    emitters: ['worker'],
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
    description: 'duration of answers, by operation and status',
    emitters: ['api'],
    dimensions: ['operation', 'status'],
    statistics: ['p50', 'p99'],
  }),
  PatientSearches: metric({
    unit: Count,
    topic: 'API',
    description: 'searches for people by name and birth date that were answered',
    emitters: ['api'],
    statistics: ['Sum'],
  }),
  PatientsFound: metric({
    unit: Count,
    topic: 'API',
    description: 'people whom these searches have found: each has an entry in their access log',
    emitters: ['api'],
    statistics: ['Sum'],
  }),
  IssuerFailures: metric({
    unit: Count,
    topic: 'API',
    description:
      '1 for each failed attempt to fetch the keys of the OIDC issuer, 0 for one that succeeds. Its last keys are used for up to 12 hours, then nobody can sign in',
    emitters: ['api'],
    statistics: ['Sum'],
  }),

  TemporalReachable: metric({
    unit: Count,
    topic: 'Temporal',
    description:
      '1 from a worker that Temporal answers and knows on its task queues, otherwise 0; from any worker, missing if none runs',
    emitters: ['worker'],
    statistics: ['Maximum'],
  }),
  PayloadsRefused: metric({
    unit: Count,
    topic: 'Temporal',
    description:
      'starts, signals, updates and results of Temporal that epa-sync has not written, also those that name an unknown key; from any worker and the API',
    emitters: ['worker', 'line', 'api'],
    statistics: ['Sum'],
  }),

  QueueBacklog: metric({
    unit: Count,
    topic: 'queues',
    description:
      'waiting tasks in a task queue, as estimated by Temporal; tasks of insurer-line wait for the line, at most SYNC_WINDOW',
    emitters: ['worker'],
    dimensions: ['taskQueue'],
    statistics: ['Maximum'],
  }),
} as const satisfies Readonly<Record<string, Metric>>;
export type MetricName = keyof typeof metrics;

type Dimensions = Readonly<Partial<Record<MetricDimension, string>>>;
/** One value, or all values of an interval, which percentiles need. */
export type MetricValues = Readonly<Partial<Record<MetricName, number | readonly number[]>>>;

export interface Metrics {
  /**
   * Writes the values of one moment.
   * @param dimensions all dimensions that the table lists for these metrics
   */
  emit(values: MetricValues, dimensions?: Dimensions): void;
}

/**
 * CloudWatch accepts 100 values of a metric in one line. At the 100th value, Powertools would flush by itself and lose
 * the dimensions.
 */
const valuesInLine = 99;

/**
 * Creates a writer that prints one line of JSON to stdout for each call. CloudWatch turns it into metrics (embedded
 * metric format). Their namespace is the name of the deployment.
 */
export function createMetrics({
  DEPLOYMENT: namespace,
  INSURER_ID: insurerId,
}: Pick<ClientConfig, 'DEPLOYMENT' | 'INSURER_ID'>): Metrics {
  const emf = new Emf({ namespace });
  emf.clearDefaultDimensions(); // removes the default dimension `service`
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
    emit(metricValues, dimensions = {}) {
      const entries = Object.entries(metricValues).map(
        ([name, value]) => [name as MetricName, [value].flat()] as const,
      );
      for (const [name] of entries)
        if (metrics[name].dimensions.toSorted().join() !== Object.keys(dimensions).sort().join())
          throw new Error(
            `wrong dimensions for ${name}: pass exactly ${metrics[name].dimensions.join(', ') || 'none'}`,
          );
      const filled = entries.filter(([, values]) => values.length > 0);
      if (filled.length > 0) write(filled, dimensions);
    },
  };
}
