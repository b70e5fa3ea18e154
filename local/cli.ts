import { parseArgs } from 'node:util';
import { openStores, openTemporal, type Stores } from '../core/clients.ts';
import { type ClientConfig, ConfigError, clientConfig, readConfig } from '../core/config.ts';
import { createDailySyncClient, DailySyncError, type DailySyncFault } from '../core/daily-sync-client.ts';
import { isKvnr } from '../core/domain/kvnr.ts';
import {
  createInsurerLineClient,
  type InsurerLineClient,
  InsurerLineError,
  type InsurerLineFault,
} from '../core/insurer-line-client.ts';
import { patientRefOf } from '../core/pseudonyms.ts';
import { findRunningStack } from './endpoints.ts';
import { patientText } from './patient-text.ts';
import { changeLine, pauseLines, progressBlock, summaryLines } from './progress-lines.ts';
import { keepLoopbackDirect } from './proxy.ts';
import { operatorName, readSettings } from './settings.ts';
import { explain } from './start-failure.ts';
import { createProgressView, watchRun } from './watch-run.ts';

keepLoopbackDirect(process.env);

const usage = `npm run sync -- <command>
  start                     starts a run, or makes the one under way fetch the new list
  status [--json|--watch]   how far the run is; --watch until it ends
  cancel                    ends the run; what is under way is undone
  removals approve|reject   decides about the removals that a run has asked about
  pause <reason>            closes the line: once it says so, nothing goes out any more, whoever asks
  resume <reason>           opens the line that is paused
  line [--json]             open or paused; who paused and resumed it, when and why
  patient <KVNR>            a patient with all care records, as JSON
  issues [--json]           what went wrong in the last run
  runs [--json]             the runs so far, newest first
Finds the stack that npm start has started, by LOCAL_DIR.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 no stack runs`;

const exitCodes = { done: 0, failed: 1, usage: 2, notFound: 3, notRunning: 4 } as const;

/** Ends the command with a message that says what to do. */
class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;
  constructor(kind: keyof typeof exitCodes, message: string) {
    super(message);
    this.exitCode = exitCodes[kind];
  }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Context {
  readonly config: ClientConfig;
  readonly stores: Stores;
  readonly args: readonly string[];
  readonly isJson: boolean;
  readonly isWatching: boolean;
}

const openDailySync = ({ config, stores }: Context) => {
  const client = openTemporal(config);
  return { client, insurerId: config.INSURER_ID, dailySync: createDailySyncClient(client, stores, config) };
};

const openLine = ({ config, stores }: Context): InsurerLineClient => {
  const { INSURER_ID: insurerId } = config;
  const client = openTemporal(config);
  return createInsurerLineClient({ temporal: async () => client, gate: stores.gateOf(insurerId), insurerId });
};

const commands: Readonly<Record<string, (context: Context) => Promise<void>>> = {
  async start(context) {
    const { dailySync } = openDailySync(context);
    const { runId, joined } = await dailySync.start();
    say(joined ? `run ${runId} is under way: it fetches the new list` : `run ${runId} begins`);
  },

  async status(context) {
    const run = openDailySync(context);
    const progress = await run.dailySync.readProgress();
    if (progress === undefined) throw noRun();
    if (context.isWatching && progress.state === 'running') {
      const view = createProgressView(process.stdout);
      const last = await watchRun(run, progress.runId, (seen) => view.show(seen), new AbortController().signal);
      view.end();
      for (const line of last ? summaryLines(last) : [`run ${progress.runId} ended without a word: see Temporal`])
        say(line);
    } else if (context.isJson) say(JSON.stringify(progress, null, 2));
    else if (progress.state === 'running')
      for (const line of progressBlock(progress, new Date(), process.stdout.columns ?? 160)) say(line);
    else for (const line of summaryLines(progress)) say(line);
  },

  async cancel(context) {
    const { dailySync } = openDailySync(context);
    await dailySync.cancel();
    say('the run undoes what is under way, and ends: see npm run sync -- status');
  },

  async removals(context) {
    const [decision] = context.args;
    if (decision !== 'approve' && decision !== 'reject') throw new CommandError('usage', 'removals approve, or reject');
    const { dailySync } = openDailySync(context);
    await dailySync.decideRemovals({ decision, operator: operatorName() });
    say(
      decision === 'approve' ? 'the removals will be carried out, once what is under way is done' : 'nobody is removed',
    );
  },

  async pause(context) {
    const wish = { operator: operatorName(), reason: context.args.join(' ').trim() };
    const askedMs = performance.now();
    const line = await openLine(context).pause(wish);
    const seconds = ((performance.now() - askedMs) / 1000).toFixed(1);
    if (line.by !== wish.operator || line.reason !== wish.reason) for (const each of pauseLines(line)) say(each);
    say(`the line is paused, and silent after ${seconds} s: nothing goes out until npm run sync -- resume <reason>`);
  },

  async resume(context) {
    const line = openLine(context);
    if ((await line.read()).state === 'open') return say('the line is open already');
    await line.resume({ operator: operatorName(), reason: context.args.join(' ').trim() });
    say('the line is open: the next request goes out at once');
  },

  async line(context) {
    const client = openLine(context);
    const [line, changes] = await Promise.all([client.read(), client.readChanges()]);
    if (context.isJson) return say(JSON.stringify({ ...line, changes }, null, 2));
    if (line.state === 'open') say(`the line is open, and ${line.busy ? 'busy' : 'idle'}`);
    else for (const each of pauseLines(line)) say(each);
    for (const change of changes) say(`  ${changeLine(change)}`);
  },

  async patient({ args: [kvnr], config, stores }) {
    if (!isKvnr(kvnr))
      throw new CommandError('usage', 'patient takes a KVNR: a letter, eight digits and a check digit');
    const patientRef = patientRefOf(kvnr, Buffer.from(config.PSEUDONYM_KEY, 'base64'));
    const text = await patientText(stores, patientRef);
    if (text === undefined) throw new CommandError('notFound', 'no patient with this KVNR is stored');
    await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
  },

  async issues({ config: { INSURER_ID }, stores: { syncRuns }, isJson }) {
    const run = await syncRuns.readProgress(INSURER_ID);
    if (run === undefined) throw noRun();
    const issues = await allPages((token) => syncRuns.listIssues(INSURER_ID, run.runId, 1_000, token));
    if (isJson) say(JSON.stringify(issues, null, 2));
    else if (issues.length === 0) say(`run ${run.runId}: no issues`);
    else
      for (const { kind, reason, position, patientRef } of issues)
        say([kind, patientRef ?? (position === undefined ? '' : `entry ${position}`), reason].join('\t'));
  },

  async runs({ config: { INSURER_ID }, stores: { syncRuns }, isJson }) {
    const runs = await allPages((token) => syncRuns.listRuns(INSURER_ID, 100, token));
    if (isJson) say(JSON.stringify(runs, null, 2));
    else if (runs.length === 0) throw noRun();
    else
      for (const { runId, state, patients, careRecords } of runs)
        say(`${runId}\t${state}\t${patients.listed} listed, ${careRecords.done} of ${careRecords.total} care records`);
  },
};

const noRun = () => new CommandError('notFound', 'there was no run yet: start one with npm run sync -- start');

async function allPages<Entry>(
  readPage: (token: string | undefined) => Promise<{ entries: readonly Entry[]; nextToken?: string }>,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let token: string | undefined;
  do {
    const page = await readPage(token);
    entries.push(...page.entries);
    token = page.nextToken;
  } while (token !== undefined);
  return entries;
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  const [name, ...args] = positionals;
  if (values.help) return say(usage);
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new CommandError('usage', `${name === undefined ? 'a command is needed' : `no command ${name}`}\n${usage}`);
  const { localDir } = readSettings(process.env);
  const stack = findRunningStack(localDir);
  if (stack === undefined)
    throw new CommandError('notRunning', `no stack runs on ${localDir}: start one with npm start, or set LOCAL_DIR`);
  Object.assign(process.env, stack.environment); // where AWS is, the SDK reads itself
  const config = readConfig(clientConfig, process.env);
  await command({ config, stores: openStores(config), args, isJson: values.json, isWatching: values.watch });
}

function readArguments() {
  const boolean = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { json: boolean, watch: boolean, help: boolean }, allowPositionals: true });
  } catch (error) {
    throw new CommandError('usage', `${(error as Error).message.split('. ')[0]}\n${usage}`);
  }
}

const faults: Readonly<Record<DailySyncFault, CommandError>> = {
  'no-run': new CommandError('notFound', 'no run is under way: start one with npm run sync -- start'),
  'no-decision-awaited': new CommandError('notFound', 'no removals wait for a decision: see npm run sync -- status'),
  'no-worker': new CommandError(
    'failed',
    'no worker answers: see the log of npm start; npm run worker starts one more',
  ),
  'temporal-unavailable': new CommandError('notRunning', 'Temporal does not answer: does npm start still run?'),
};

const lineFaults: Readonly<Record<Exclude<InsurerLineFault, 'refused'>, CommandError>> = {
  'unknown-insurer': new CommandError('notFound', 'no worker has ever kept this line: npm run worker starts one'),
  unavailable: new CommandError(
    'notRunning',
    'the line’s state cannot be read or written, so nothing is promised: does npm start still run? Then try again',
  ),
  'not-silent': new CommandError(
    'failed',
    'nothing new goes out, but a request may still be under way: repeat the command until it says silent',
  ),
  resumed: new CommandError('failed', 'the line was opened again meanwhile: see npm run sync -- line'),
  superseded: new CommandError(
    'failed',
    'the line was paused anew meanwhile and stays so: see npm run sync -- line, and resume it if that is right',
  ),
};

function toldOf(error: unknown): unknown {
  if (error instanceof DailySyncError) return faults[error.fault];
  if (!(error instanceof InsurerLineError)) return error;
  return error.fault === 'refused' ? new CommandError('usage', error.problem ?? usage) : lineFaults[error.fault];
}

process.on('SIGINT', () => process.exit(130));
try {
  await main();
  process.exit(exitCodes.done);
} catch (error) {
  const told = toldOf(error);
  const message = told instanceof CommandError || told instanceof ConfigError ? told.message : explain(told);
  process.stderr.write(`epa-sync: ${message}\n`);
  process.exit(told instanceof CommandError ? told.exitCode : exitCodes.failed);
}
