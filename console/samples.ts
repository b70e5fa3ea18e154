import { useEffect, useState } from 'react';
import type { Progress } from './api/types.ts';

/** How far a run was at a moment: counts only. */
export interface Sample {
  /** epoch seconds, as the chart counts */
  readonly at: number;
  readonly done: number;
  readonly failed: number;
}

const storageKey = 'epa-sync.samples';
const samplesMax = 600;

interface Kept {
  readonly runId: string;
  readonly samples: readonly Sample[];
}

/** One sample more; where there are too many, every second one goes, and the shape stays. */
export function addSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last && (last.at >= sample.at || (last.done === sample.done && last.failed === sample.failed))) return samples;
  const thinned = samples.length < samplesMax ? samples : samples.filter((_, index) => index % 2 === 0);
  return [...thinned, sample];
}

/** What this browser has seen of a run so far: it outlives a reload, and begins with the run. */
export function useSamples(progress: Progress): readonly Sample[] {
  const { runId, startedAt, finishedAt } = progress;
  const { done, failed } = progress.careRecords;
  const [kept, setKept] = useState<Kept>(() => readKept(runId));
  useEffect(() => {
    setKept((before) => {
      const ofRun = before.runId === runId ? before.samples : [];
      const first = { at: Date.parse(startedAt) / 1000, done: 0, failed: 0 };
      const at = (finishedAt === undefined ? Date.now() : Date.parse(finishedAt)) / 1000;
      const samples = addSample(ofRun.length === 0 ? [first] : ofRun, { at, done, failed });
      return samples === before.samples ? before : { runId, samples };
    });
  }, [runId, startedAt, finishedAt, done, failed]);
  useEffect(() => {
    localStorage.setItem(storageKey, JSON.stringify(kept));
  }, [kept]);
  return kept.samples;
}

function readKept(runId: string): Kept {
  try {
    const kept = JSON.parse(localStorage.getItem(storageKey) ?? '') as Kept;
    if (kept.runId === runId && Array.isArray(kept.samples)) return kept;
  } catch {} // nothing was kept, or by another version
  return { runId, samples: [] };
}
