import { serve } from '../http/serve.ts';
import { acknowledgeIssues } from '../operations/acknowledge-issues.ts';
import { cancelSync } from '../operations/cancel-sync.ts';
import { decideRemovals } from '../operations/decide-removals.ts';
import { listIssues } from '../operations/list-issues.ts';
import { listRunSamples } from '../operations/list-run-samples.ts';
import { listRuns } from '../operations/list-runs.ts';
import { readInsurerReport } from '../operations/read-insurer-report.ts';
import { readProgress } from '../operations/read-progress.ts';
import { startSync } from '../operations/start-sync.ts';

export const handler = serve('sync', {
  startSync,
  readProgress,
  listRuns,
  listRunSamples,
  listIssues,
  readInsurerReport,
  acknowledgeIssues,
  decideRemovals,
  cancelSync,
});
