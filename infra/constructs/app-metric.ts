import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { bulkTaskQueue, lineTaskQueue, syncTaskQueue, urgentLineTaskQueue } from '../../core/contract/names.ts';
import { lineFaults } from '../../core/domain/line.ts';
import {
  type MetricDimension,
  type Metric as MetricFacts,
  type MetricName,
  metrics,
} from '../../core/telemetry/metrics.ts';

export const minute = Duration.minutes(1);

/** Dimensions whose values are known. For the others, a search expression finds the values. */
const knownValues: Partial<Record<MetricDimension, readonly string[]>> = {
  fault: lineFaults,
  taskQueue: [syncTaskQueue, bulkTaskQueue, lineTaskQueue, urgentLineTaskQueue],
};

/** Whose metrics: the namespace and the first dimension of each. */
export interface MetricOwner {
  readonly deployment: string;
  readonly insurerId: string;
}

export interface AppMetricOptions extends MetricOwner {
  readonly statistic: MetricFacts['statistics'][number];
  readonly period?: Duration;
}

/** Returns one metric of the table, with the given values of its dimensions. */
export const appMetric = (
  name: MetricName,
  dimensions: Partial<Record<MetricDimension, string>>,
  { deployment, insurerId, statistic, period = minute }: AppMetricOptions,
): Metric =>
  new Metric({
    namespace: deployment,
    metricName: name,
    dimensionsMap: { insurerId, ...dimensions },
    statistic,
    period,
  });

/** Returns all lines of a metric: one for each value of its dimension and each statistic. */
export function linesOf(name: MetricName, owner: MetricOwner): IMetric[] {
  const { dimensions, statistics }: MetricFacts = metrics[name];
  return statistics.flatMap((statistic): IMetric[] => {
    const [dimension] = dimensions;
    if (dimension === undefined) return [appMetric(name, {}, { ...owner, statistic }).with({ label: statistic })];
    const values = dimensions.length === 1 ? knownValues[dimension] : undefined;
    return values === undefined
      ? [searchFor(name, dimensions, { ...owner, statistic })]
      : values.map((label) => appMetric(name, { [dimension]: label }, { ...owner, statistic }).with({ label }));
  });
}

/** Returns the percentage of requests to the insurer that fail, by kind of fault. */
export function failureRates(owner: MetricOwner): IMetric[] {
  const options = { ...owner, statistic: 'Sum' } as const;
  const requests = appMetric('LineRequests', {}, options);
  return lineFaults.map(
    (fault, index) =>
      new MathExpression({
        expression: `100 * FILL(f${index}, 0) / requests`, // a kind that did not occur has no data points
        usingMetrics: { [`f${index}`]: appMetric('LineFailuresByFault', { fault }, options), requests },
        label: fault,
        period: minute,
      }),
  );
}

function searchFor(
  name: MetricName,
  dimensions: readonly MetricDimension[],
  { deployment, insurerId, statistic }: AppMetricOptions,
): MathExpression {
  const schema = [deployment, 'insurerId', ...dimensions].join(',');
  const search = `{${schema}} MetricName="${name}" insurerId="${insurerId}"`;
  return new MathExpression({
    expression: `SEARCH('${search}', '${statistic}', ${minute.toSeconds()})`,
    usingMetrics: {},
    label: statistic,
    period: minute,
  });
}
