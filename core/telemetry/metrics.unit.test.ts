import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createMetrics, type Metric, type MetricName, metrics, metricTopics } from './metrics.ts';

/** Returns what is written to stdout. */
function listen() {
  const lines: Record<string, unknown>[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(JSON.parse(String(text)));
    return true;
  });
  onTestFinished(() => write.mockRestore());
  return lines;
}

test('metrics of one call are one line, with the units of the table and the insurer', () => {
  const lines = listen();
  createMetrics({ DEPLOYMENT: 'epa-sync', INSURER_ID: 'kk-nord' }).emit({
    LineRequests: 12,
    LineUtilisationPercent: 96.7,
  });
  expect(lines).toEqual([
    {
      insurerId: 'kk-nord',
      LineRequests: 12,
      LineUtilisationPercent: 96.7,
      _aws: {
        Timestamp: expect.any(Number),
        CloudWatchMetrics: [
          {
            Namespace: 'epa-sync',
            Dimensions: [['insurerId']],
            Metrics: [
              { Name: 'LineRequests', Unit: 'Count' },
              { Name: 'LineUtilisationPercent', Unit: 'Percent' },
            ],
          },
        ],
      },
    },
  ]);
});

test('a metric is written with its dimensions, and missing dimensions are an error', () => {
  const lines = listen();
  const { emit } = createMetrics({ DEPLOYMENT: 'epa-sync', INSURER_ID: 'kk-nord' });
  emit({ LineFailuresByFault: 3 }, { fault: 'stalled' });
  expect(lines).toMatchObject([{ insurerId: 'kk-nord', fault: 'stalled', LineFailuresByFault: 3 }]);
  expect(() => emit({ LineFailuresByFault: 3 })).toThrow(/LineFailuresByFault/);
  expect(() => emit({ LineRequests: 3 }, { fault: 'stalled' })).toThrow(/LineRequests/);
});

test('all values of an interval are written, however many, and no line without values', () => {
  const lines = listen();
  const { emit } = createMetrics({ DEPLOYMENT: 'epa-sync', INSURER_ID: 'kk-nord' });
  emit({ SyncOnDemandMs: [] });
  expect(lines).toEqual([]);
  const tookMs = Array.from({ length: 250 }, (_, index) => index);
  emit({ SyncOnDemandMs: tookMs });
  expect(lines.flatMap(({ SyncOnDemandMs }) => SyncOnDemandMs)).toEqual(tookMs);
  for (const line of lines) {
    expect(line).toMatchObject({ insurerId: 'kk-nord' });
    expect([line['SyncOnDemandMs']].flat().length).toBeLessThanOrEqual(100);
  }
});

test('docs/reference/metrics.md lists all metrics of the table, topic by topic', () => {
  const listed = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8').split('\n');
  const rows = metricTopics.flatMap((topic) =>
    (Object.keys(metrics) as MetricName[]).filter((name) => metrics[name].topic === topic).map(rowOf),
  );
  expect(listed.filter((line) => /^\| `[A-Z]/.test(line))).toEqual(rows);
});

function rowOf(name: MetricName): string {
  const { unit, dimensions, emitters, statistics, description }: Metric = metrics[name];
  return `| \`${name}\` | ${unit} | ${dimensions.join(', ')} | ${emitters.join(', ')} | ${statistics.join(', ')} | ${description} |`;
}
