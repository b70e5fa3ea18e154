import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, type Command } from 'commander';
import type { ProgressNow } from '../../core/temporal/daily-sync-client.ts';
import { decisionLine, progressBlock, summaryLines } from '../../terminal/progress-lines.ts';
import { createProgressView } from '../../terminal/progress-view.ts';
import { type Api, findApi, type Paged } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { say, sayJson } from '../output.ts';
import { reasonArgument } from './arguments.ts';
import { addIssueCommands } from './issues.ts';

/** Adds the operator's commands about runs. */
export function addRunCommands(program: Command): void {
  program
    .command('start')
    .description('start a run; a run in progress fetches the new list')
    .action(async () => {
      const { runId } = await findApi(process.env, 'operator').post<{ runId: string }>('/sync');
      say(`run ${runId} is in progress and fetches the list: npm run sync -- status --watch`);
    });

  program
    .command('status')
    .description('show the progress of the run, or the result of the last one')
    .option('--json', 'print JSON')
    .option('--watch', 'show the progress each second until the run ends; the exit code tells how it has ended')
    .action(async ({ json, watch }: { json?: true; watch?: true }) => {
      const api = findApi(process.env, 'operator');
      const seen = await api.get<ProgressNow>('/sync');
      const isWatched = watch && seen.state === 'running';
      const progress = isWatched ? await watchRun(api, seen) : seen;
      if (json && !isWatched) sayJson(progress);
      else if (progress.state === 'running')
        for (const line of progressBlock(progress, new Date(), process.stdout.columns ?? 160)) say(line);
      else for (const line of summaryLines(progress)) say(line);
      if (watch) throwUnlessCompleted(progress);
    });

  program
    .command('cancel')
    .description('cancel the run, or the refresh after it; work in progress is undone')
    .addArgument(reasonArgument())
    .action(async (reason: string) => {
      await findApi(process.env, 'operator').post('/sync/cancel', { reason: reason.trim() });
      say('the work in progress is undone, and ends: see npm run sync -- status');
    });

  program
    .command('removals')
    .description('approve or reject the removals that a run has asked about')
    .addArgument(new Argument('<approve|reject>').choices(['approve', 'reject']))
    .argument(
      '[listId]',
      'the removals that the decision is about, as status shows them; without it, those of the list that waits',
    )
    .action(async (decision: 'approve' | 'reject', named?: string) => {
      const body = { decision, ...(named !== undefined && { listId: named }) };
      const { decisions = [] } = await findApi(process.env, 'operator').post<ProgressNow>('/sync/removals', body);
      for (const made of decisions.slice(-1)) say(decisionLine(made));
    });

  addIssueCommands(program);

  program
    .command('insurer-report')
    .description('print what the insurer can mend as CSV, of the last run, another run, or all runs of a period')
    .option('--run <runId>', 'of this run')
    .option('--from <day>', 'of all runs since this day, such as 2026-11-24')
    .option('--to <day>', 'the last day; only with --from')
    .option('--output <file>', 'save it in a file')
    .action(async ({ run, from, to, output }: InsurerReportOptions) => {
      const given = Object.entries({ runId: run, from, to }).filter((each): each is [string, string] => !!each[1]);
      const path = `/sync/insurer-report?${new URLSearchParams(given)}`;
      const csv = await findApi(process.env, 'operator').getText(path, 'text/csv');
      if (output === undefined) return void process.stdout.write(csv);
      writeFileSync(output, csv);
      say(`${csv.split('\r\n').length - 2} problems are in ${output}`);
    });

  program
    .command('runs')
    .description('list the runs, newest first')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: true }) => {
      const runs = await readRuns(findApi(process.env, 'operator'));
      if (json) return sayJson(runs);
      if (runs.length === 0)
        throw new CommandError('notFound', 'there was no run yet. Start one with npm run sync -- start.');
      for (const { runId, state, patients, careRecords, refresh, decisions = [] } of runs) {
        const refreshed = refresh ? `, refresh: ${refresh.done} stored, ${refresh.unchanged} unchanged` : '';
        const cared = `${careRecords.done} of ${careRecords.total} care records${refreshed}`;
        say(`${runId}\t${state}\t${patients.listed} listed, ${cared}`);
        for (const made of decisions) say(`\t${decisionLine(made)}`);
      }
    });
}

interface InsurerReportOptions {
  readonly run?: string;
  readonly from?: string;
  readonly to?: string;
  readonly output?: string;
}

/** @throws CommandError if a run has ended in another way than `completed` */
function throwUnlessCompleted({ state, quality }: ProgressNow): void {
  if (state === 'completed-with-problems')
    throw new CommandError(
      'hasProblems',
      `the run is completed with problems: ${quality?.unreadablePercent ?? 0} % of the list, or of the care records that it asked for, was unreadable. See npm run sync -- issues.`,
    );
  if (state !== 'completed') throw new CommandError('failed', `the run is ${state}. See npm run sync -- runs.`);
}

async function readRuns(api: Api): Promise<ProgressNow[]> {
  const pages = await Array.fromAsync(api.pages<Paged<{ runs: ProgressNow[] }>>('/sync/runs'));
  return pages.flatMap((page) => page.runs);
}

const pollIntervalMs = 1_000;
/** Consecutive failed requests that are tolerated. */
const maxFailedPolls = 30;

/** Shows the progress of a run until it ends. @returns its last progress */
async function watchRun(api: Api, begun: ProgressNow): Promise<ProgressNow> {
  const view = createProgressView(process.stdout);
  let progress = begun;
  for (let failedPolls = 0; progress.state === 'running'; ) {
    view.show(progress);
    await sleep(pollIntervalMs);
    try {
      const seen = await api.get<ProgressNow>('/sync');
      failedPolls = 0;
      // if another run has started since, the list of runs has the result of this one
      progress = seen.runId === begun.runId ? seen : ((await findRun(api, begun.runId)) ?? progress);
    } catch (error) {
      failedPolls += 1;
      if (failedPolls > maxFailedPolls) throw error;
    }
  }
  view.end();
  return progress;
}

const findRun = async (api: Api, runId: string): Promise<ProgressNow | undefined> =>
  (await readRuns(api)).find((run) => run.runId === runId);
