import { cancelSync } from '../cancel-sync.ts';
import { decideRemovals } from '../decide-removals.ts';
import { listIssues } from '../list-issues.ts';
import { listRunSamples } from '../list-run-samples.ts';
import { listRuns } from '../list-runs.ts';
import { readProgress } from '../read-progress.ts';
import { serve } from '../serve.ts';
import { startSync } from '../start-sync.ts';

export const handler = serve('sync', {
  startSync,
  readProgress,
  listRuns,
  listRunSamples,
  listIssues,
  decideRemovals,
  cancelSync,
});
