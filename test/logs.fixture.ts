import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CloudWatchLogsClient,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs';
import { onTestFinished } from 'vitest';
import type { Day } from './day.fixture.ts';

/** Returns all log lines of the workers of a day. */
export function workerLogLines({ stack: { dir } }: Day): string[] {
  const files = readdirSync(dir).filter((file) => /^worker-.*\.log$/.test(file));
  return files.flatMap((file) => readFileSync(join(dir, file), 'utf8').split('\n'));
}

/** Returns all log lines of the Lambdas of an emulator, including metrics. */
export async function lambdaLogLines(): Promise<string[]> {
  const client = new CloudWatchLogsClient({});
  onTestFinished(() => client.destroy());
  const texts: string[] = [];
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client }, {}))
    for (const { logGroupName } of logGroups)
      for await (const { events = [] } of paginateFilterLogEvents({ client }, { logGroupName }))
        texts.push(...events.map(({ message = '' }) => message));
  return texts;
}

/** One metric in one log line (CloudWatch embedded metric format). */
export interface LoggedMetric {
  readonly namespace: string;
  readonly name: string;
  readonly unit: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

interface EmbeddedMetrics {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [property: string]: unknown;
}

/** Returns the metrics in log lines. */
export function metricsIn(texts: readonly string[]): LoggedMetric[] {
  return texts
    .filter((text) => text.includes('"_aws"'))
    .map((text) => JSON.parse(text.slice(text.indexOf('{'))) as EmbeddedMetrics)
    .flatMap((line) =>
      line._aws.CloudWatchMetrics.flatMap(({ Namespace: namespace, Dimensions, Metrics }) =>
        Dimensions.flatMap((names) =>
          Metrics.map(({ Name: name, Unit: unit }) => ({
            ...{ namespace, name, unit },
            dimensions: Object.fromEntries(names.map((dimension) => [dimension, String(line[dimension])])),
            values: [line[name]].flat() as number[],
          })),
        ),
      ),
    );
}
