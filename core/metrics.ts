import { Metrics as Emf, MetricUnit } from '@aws-lambda-powertools/metrics';

/** All metrics there are, with their units. Alarms name them; the one dimension of each is insurerId. */
const metricUnits = {
  /** the insurer does not let us in, so the line has paused itself: somebody has to act */
  LinePausedBySystem: MetricUnit.Count,
} as const;
export type MetricName = keyof typeof metricUnits;

export interface Metrics {
  add(name: MetricName, value: number): void;
}

/** Each value a line of JSON on stdout, which CloudWatch makes a metric of (embedded metric format). */
export function createMetrics(insurerId: string): Metrics {
  const emf = new Emf({ namespace: 'epa-sync' });
  emf.clearDefaultDimensions(); // a `service` that says nothing
  return {
    add(name, value) {
      emf.addDimension('insurerId', insurerId);
      emf.addMetric(name, metricUnits[name], value);
      emf.publishStoredMetrics();
    },
  };
}
