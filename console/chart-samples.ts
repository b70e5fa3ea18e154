import { useEffect, useState } from 'react';
import { addSample, type RunSample } from '../core/domain/run-sample.ts';
import { useRunSamples } from './api/queries.ts';
import type { Progress } from './api/types.ts';

interface SeenSamples {
  readonly runId: string;
  readonly samples: readonly RunSample[];
}

/** Returns the samples of a run for the chart: those that the API stores, and those that this page has collected since. */
export function useChartSamples({ runId, startedAt, finishedAt, careRecords }: Progress): readonly RunSample[] {
  const { done, failed } = careRecords;
  const { data: stored } = useRunSamples(runId);
  const [seen, setSeen] = useState<SeenSamples>({ runId, samples: [] });
  useEffect(() => {
    setSeen((before) => {
      const ofRun = before.runId === runId ? before.samples : [];
      const samples = addSample(ofRun, { at: finishedAt ?? new Date().toISOString(), done, failed });
      return samples === before.samples ? before : { runId, samples };
    });
  }, [runId, finishedAt, done, failed]);
  const first: readonly RunSample[] = [{ at: startedAt, done: 0, failed: 0 }];
  const fromApi = stored?.runId === runId ? stored.samples : [];
  const fromPage = seen.runId === runId ? seen.samples : [];
  return [...fromApi, ...fromPage].reduce(addSample, first);
}
