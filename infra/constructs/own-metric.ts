import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { lineTaskQueue, syncTaskQueue, urgentLineTaskQueue } from '../../core/contract/names.ts';
import { lineFaults } from '../../core/domain/line.ts';
import {
  type MetricDimension,
  type Metric as MetricFacts,
  type MetricName,
  metricNamespace,
  metrics,
} from '../../core/telemetry/metrics.ts';

export const minute = Duration.minutes(1);

/** The values of a dimension that are known beforehand; of the others it is searched for what there is. */
const knownValues: Partial<Record<MetricDimension, readonly string[]>> = {
  fault: lineFaults,
  taskQueue: [syncTaskQueue, lineTaskQueue, urgentLineTaskQueue],
};

export interface OwnMetricOptions {
  readonly insurerId: string;
  readonly statistic: MetricFacts['statistics'][number];
  readonly period?: Duration;
}

/** One metric of the table, with these values of its dimensions. */
export const ownMetric = (
  name: MetricName,
  dimensions: Partial<Record<MetricDimension, string>>,
  { insurerId, statistic, period = minute }: OwnMetricOptions,
): Metric =>
  new Metric({
    namespace: metricNamespace,
    metricName: name,
    dimensionsMap: { insurerId, ...dimensions },
    statistic,
    period,
  });

/** All that there is of a metric of the table: one line for each value of its dimension, and each statistic. */
export function allOf(name: MetricName, insurerId: string): IMetric[] {
  const { dimensions, statistics }: MetricFacts = metrics[name];
  return statistics.flatMap((statistic): IMetric[] => {
    const [dimension] = dimensions;
    if (dimension === undefined) return [ownMetric(name, {}, { insurerId, statistic }).with({ label: statistic })];
    const values = dimensions.length === 1 ? knownValues[dimension] : undefined;
    return values === undefined
      ? [searchFor(name, dimensions, { insurerId, statistic })]
      : values.map((label) => ownMetric(name, { [dimension]: label }, { insurerId, statistic }).with({ label }));
  });
}

/** How many in a hundred requests to the insurer fail, by what goes wrong. */
export function failureRates(insurerId: string): IMetric[] {
  const options = { insurerId, statistic: 'Sum' } as const;
  const requests = ownMetric('LineRequests', {}, options);
  return lineFaults.map(
    (fault, index) =>
      new MathExpression({
        expression: `100 * FILL(f${index}, 0) / requests`, // a kind that did not happen is not told
        usingMetrics: { [`f${index}`]: ownMetric('LineFailuresByFault', { fault }, options), requests },
        label: fault,
        period: minute,
      }),
  );
}

function searchFor(
  name: MetricName,
  dimensions: readonly MetricDimension[],
  { insurerId, statistic }: OwnMetricOptions,
): MathExpression {
  const schema = [metricNamespace, 'insurerId', ...dimensions].join(',');
  const search = `{${schema}} MetricName="${name}" insurerId="${insurerId}"`;
  return new MathExpression({
    expression: `SEARCH('${search}', '${statistic}', ${minute.toSeconds()})`,
    usingMetrics: {},
    label: statistic,
    period: minute,
  });
}
