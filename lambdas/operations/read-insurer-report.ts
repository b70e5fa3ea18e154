import { csvLine } from '../../core/csv.ts';
import { collectInsurerProblems, dayInGermany, type InsurerProblem } from '../../core/domain/insurer-report.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { runIdsAt } from '../../core/domain/run-id.ts';
import type { SyncRunsStore } from '../../core/stores/sync-runs.ts';
import type { Call, Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

/** Both are far below the limits of DynamoDB, as in list-runs.ts and list-issues.ts. */
const runsPerPage = 20;
const issuesPerPage = 1_000;
/** Reading this many issues takes some seconds. API Gateway gives an answer 29 s. */
const issuesMax = 100_000;
/** This many rows are about 3 MB. Lambda sends at most 6 MB. */
const rowsMax = 5_000;

/** Reports the problems of one run, or of all runs that have started in a period, oldest run first. */
export const readInsurerReport: Handler<'readInsurerReport'> = async ({ query, acceptsCsv }, { stores, config }) => {
  const { syncRuns } = stores;
  const insurerId = config.INSURER_ID;
  const byRun: (readonly InsurerProblem[])[] = [];
  let issues = 0;
  let rows = 0;
  for await (const run of runsOf(syncRuns, insurerId, query)) {
    const problems = collectInsurerProblems(run);
    for await (const page of issuePages(syncRuns, insurerId, run.runId)) {
      problems.add(page);
      issues += page.length;
      if (issues > issuesMax) throw tooLarge();
    }
    const ofRun = problems.list();
    byRun.unshift(ofRun);
    rows += ofRun.length;
    if (rows > rowsMax) throw tooLarge();
  }
  const problems = byRun.flat();
  return acceptsCsv ? { csv: csvOf(problems), fileName: 'insurer-report.csv' } : { body: { problems } };
};

const tooLarge = (): Problem =>
  new Problem('report-too-large', { detail: 'Ask for a shorter period, or for one run.' });

/** Yields the runs, newest first. @throws Problem `no-run-yet` if the query names no period and there is no such run */
async function* runsOf(
  syncRuns: SyncRunsStore,
  insurerId: string,
  { runId, from, to }: Call<'readInsurerReport'>['query'],
): AsyncGenerator<Progress> {
  if (from === undefined) {
    const run = await syncRuns.readProgress(insurerId, runId);
    if (run === undefined) throw new Problem('no-run-yet');
    return yield run;
  }
  const first = runIdsAt(dayInGermany(from).startMs);
  const endMs = to === undefined ? Number.POSITIVE_INFINITY : dayInGermany(to).endMs;
  let after = endMs > Date.now() ? undefined : runIdsAt(endMs);
  do {
    const { entries, lastKey } = await syncRuns.listRuns(insurerId, runsPerPage, after);
    for (const run of entries) {
      if (run.runId < first) return;
      yield run;
    }
    after = lastKey;
  } while (after !== undefined);
}

async function* issuePages(syncRuns: SyncRunsStore, insurerId: string, runId: string) {
  let after: string | undefined;
  do {
    const { entries, lastKey } = await syncRuns.readIssues(insurerId, runId, issuesPerPage, after);
    yield entries;
    after = lastKey;
  } while (after !== undefined);
}

const header = ['run', 'started', 'finished', 'request', 'effect', 'problem', 'where', 'count', 'of', 'examples'];

const csvOf = (problems: readonly InsurerProblem[]): string =>
  [header, ...problems.map(valuesOf)].map((values) => csvLine(values, ',')).join('');

function valuesOf(row: InsurerProblem) {
  const { runId, startedAt, finishedAt, request, effect, problem, where, count, of } = row;
  return [runId, startedAt, finishedAt, request, effect, problem, where, count, of, examplesOf(row)];
}

const examplesOf = ({ positions = [], patientRefs = [] }: InsurerProblem): string =>
  [...positions.map((position) => `$[${position}]`), ...patientRefs].join(' ');
