import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ConfigError } from '../core/config.ts';
import type { AccessEntry, Role } from '../core/domain/access.ts';
import type { Verification } from '../core/domain/access-log.ts';
import type { auditEventBundle } from '../core/domain/fhir-audit-event.ts';
import type { LineChange } from '../core/domain/gate.ts';
import type { Issue } from '../core/domain/issue.ts';
import { isKvnr, type Kvnr } from '../core/domain/kvnr.ts';
import { isUnderWay, type LastSync } from '../core/domain/patient.ts';
import type { ProgressNow } from '../core/temporal/daily-sync-client.ts';
import type { LineNow } from '../core/temporal/insurer-line-client.ts';
import { keepLoopbackDirect } from '../local/proxy.ts';
import { accessLine, changeLine, pauseLines, progressBlock, summaryLines } from '../terminal/progress-lines.ts';
import { createProgressView } from '../terminal/progress-view.ts';
import { explain } from '../terminal/start-failure.ts';
import { type Api, ApiError, type ApiFault, findApi } from './api-client.ts';
import { patientText } from './patient-text.ts';

keepLoopbackDirect(process.env);

const usage = `npm run sync -- <command>
as the operator:
  start                      starts a run, or makes the one under way fetch the new list
  status [--json|--watch]    how far the run is; --watch until it ends
  cancel <reason>            ends the run; what is under way is undone
  removals approve|reject    decides about the removals that a run has asked about
  pause <reason>             closes the line: once it says so, nothing goes out any more, whoever asks
  resume <reason>            opens the line that is paused
  line [--json]              open or paused; who paused and resumed it, when and why
  issues [--json]            what went wrong in the last run
  runs [--json]              the runs so far, newest first
as the clinician, of a patient by pseudonym, or by the KVNR that is asked for or piped in:
  patient [pseudonym]        master data and all care records, as JSON, as the insurer sent them
  sync [pseudonym]           asks for fresh care records, and shows how they come
as the auditor, likewise, also of a patient who is removed:
  access-log [pseudonym] [--json|--fhir]   who has seen what
  verify [pseudonym]         whether that log is whole and unchanged
Speaks to the API of the stack that npm start has started, found by LOCAL_DIR, as the demo user of that role; or to that at
API_URL with the token in EPA_SYNC_TOKEN. What is asked about a patient, sync's own looks too, is in their access log.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing there, 4 no stack runs`;

const exitCodes: Readonly<Record<ApiFault, number>> = { failed: 1, usage: 2, notFound: 3, notRunning: 4 };

/** Ends the command with a message that says what to do. */
class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly fault: ApiFault;
  constructor(fault: ApiFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const sayJson = (value: unknown): void => say(JSON.stringify(value, null, 2));

interface Context {
  /** as the command's role */
  readonly api: Api;
  readonly args: readonly string[];
  readonly isJson: boolean;
  readonly isFhir: boolean;
  readonly isWatching: boolean;
}

interface Command {
  readonly role: Role;
  run(context: Context): Promise<void>;
}

const commands: Readonly<Record<string, Command>> = {
  start: {
    role: 'operator',
    async run({ api }) {
      const { runId } = await api.post<{ runId: string }>('/sync');
      say(`run ${runId} is under way, with a new list: npm run sync -- status --watch`);
    },
  },

  status: {
    role: 'operator',
    async run({ api, isJson, isWatching }) {
      const progress = await api.get<ProgressNow>('/sync');
      if (isWatching && progress.state === 'running') {
        for (const line of summaryLines(await watchRun(api, progress))) say(line);
      } else if (isJson) sayJson(progress);
      else if (progress.state === 'running')
        for (const line of progressBlock(progress, new Date(), process.stdout.columns ?? 160)) say(line);
      else for (const line of summaryLines(progress)) say(line);
    },
  },

  cancel: {
    role: 'operator',
    async run({ api, args }) {
      await api.post('/sync/cancel', reasonIn(args));
      say('the run undoes what is under way, and ends: see npm run sync -- status');
    },
  },

  removals: {
    role: 'operator',
    async run({ api, args: [decision] }) {
      if (decision !== 'approve' && decision !== 'reject')
        throw new CommandError('usage', 'removals approve, or reject');
      await api.post('/sync/removals', { decision });
      const isApproved = decision === 'approve';
      say(isApproved ? 'the removals will be carried out, once what is under way is done' : 'nobody is removed');
    },
  },

  pause: {
    role: 'operator',
    async run({ api, args }) {
      const wish = reasonIn(args);
      const askedMs = performance.now();
      const line = await api.post<LineNow>('/line/pause', wish);
      const seconds = ((performance.now() - askedMs) / 1000).toFixed(1);
      if (line.reason !== wish.reason) for (const each of pauseLines(line)) say(each); // it was paused already
      say(`the line is paused, and silent after ${seconds} s: nothing goes out until npm run sync -- resume <reason>`);
    },
  },

  resume: {
    role: 'operator',
    async run({ api, args }) {
      const wish = reasonIn(args);
      if ((await api.get<LineNow>('/line')).state === 'open') return say('the line is open already');
      await api.post('/line/resume', wish);
      say('the line is open: the next request goes out at once');
    },
  },

  line: {
    role: 'operator',
    async run({ api, isJson }) {
      const line = await api.get<LineNow & { readonly changes: readonly LineChange[] }>('/line');
      if (isJson) return sayJson(line);
      if (line.state === 'open') say(`the line is open, and ${line.busy ? 'busy' : 'idle'}`);
      else for (const each of pauseLines(line)) say(each);
      for (const change of line.changes) say(`  ${changeLine(change)}`);
    },
  },

  issues: {
    role: 'operator',
    async run({ api, isJson }) {
      const pages = await Array.fromAsync(api.pages<Paged<{ issues: Issue[] }>>('/sync/issues'));
      const issues = pages.flatMap((page) => page.issues);
      if (isJson) return sayJson(issues);
      if (issues.length === 0) say('no issues in the last run');
      for (const { kind, reason, position, patientRef } of issues)
        say([kind, patientRef ?? (position === undefined ? '' : `entry ${position}`), reason].join('\t'));
    },
  },

  runs: {
    role: 'operator',
    async run({ api, isJson }) {
      const runs = await readRuns(api);
      if (isJson) return sayJson(runs);
      if (runs.length === 0)
        throw new CommandError('notFound', 'there was no run yet: start one with npm run sync -- start');
      for (const { runId, state, patients, careRecords } of runs)
        say(`${runId}\t${state}\t${patients.listed} listed, ${careRecords.done} of ${careRecords.total} care records`);
    },
  },

  patient: {
    role: 'clinician',
    async run({ api, args }) {
      process.stdout.write(await patientText(api, await refOf(await patientIn(args), api)));
    },
  },

  sync: {
    role: 'clinician',
    async run({ api, args }) {
      const askedMs = performance.now();
      const asked = await api.post<RequestedSync>('/patient-syncs', await patientIn(args));
      const tell = (what: string): void => say(`${((performance.now() - askedMs) / 1000).toFixed(1)} s  ${what}`);
      tell(`${asked.state}: it will be done, whether you wait here or not`);
      if (asked.line?.state === 'paused')
        for (const each of [...pauseLines(asked.line), '  the sync waits until then']) say(each);
      const { state, error } = await watchSync(api, asked, () => tell('running'));
      if (state === 'not-insured')
        throw new CommandError('notFound', 'no longer insured: the patient is removed, with all care records');
      if (state === 'failed') throw new CommandError('failed', `the sync has failed: ${error}`);
      tell('completed: what is stored is fresh');
    },
  },

  'access-log': {
    role: 'auditor',
    async run({ api, args, isJson, isFhir }) {
      const path = `/patients/${await refOf(await patientIn(args), api)}/access-log`;
      if (isFhir) return sayJson(await readBundle(api, path));
      const pages = await Array.fromAsync(api.pages<Paged<{ entries: AccessEntry[] }>>(path));
      const entries = pages.flatMap((page) => page.entries);
      if (isJson) return sayJson(entries);
      for (const entry of entries) say(accessLine(entry));
    },
  },

  verify: {
    role: 'auditor',
    async run({ api, args }) {
      const patientRef = await refOf(await patientIn(args), api);
      const path = `/patients/${patientRef}/access-log/verification`;
      const { valid, entries, firstBrokenSeq } = await api.get<Verification>(path);
      if (!valid)
        throw new CommandError('failed', `the access log is broken: entry ${firstBrokenSeq} is not as it was written`);
      say(`the access log is whole and unchanged: ${entries} entries`);
    },
  },
};

type Paged<Answer> = Answer & { readonly nextToken?: string };
type RequestedSync = Pick<LastSync, 'syncId' | 'state' | 'requestedAt'> & {
  readonly patientRef: string;
  readonly line?: LineNow;
};
type NamedPatient = { readonly kvnr: Kvnr } | { readonly patientRef: string };

const reasonIn = (args: readonly string[]) => ({ reason: args.join(' ').trim() });

/** A KVNR among the arguments stands in the shell's history: one that is left out is asked for, or read from what is piped. */
async function patientIn([argument]: readonly string[]): Promise<NamedPatient> {
  const named = argument ?? (await readLine('KVNR: '));
  if (/^[0-9a-f]{32}$/.test(named)) return { patientRef: named };
  if (isKvnr(named)) return { kvnr: named };
  throw new CommandError(
    'usage',
    'a KVNR is needed: a letter, eight digits and a check digit; or a pseudonym, 32 hex digits',
  );
}

async function readLine(prompt: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  if (process.stdin.isTTY) process.stderr.write(prompt);
  for await (const line of lines) {
    lines.close();
    return line.trim();
  }
  return '';
}

async function refOf(patient: NamedPatient, api: Api): Promise<string> {
  if ('patientRef' in patient) return patient.patientRef;
  return (await api.post<{ patientRef: string }>('/patients/lookup', patient)).patientRef;
}

async function readRuns(api: Api): Promise<ProgressNow[]> {
  const pages = await Array.fromAsync(api.pages<Paged<{ runs: ProgressNow[] }>>('/sync/runs'));
  return pages.flatMap((page) => page.runs);
}

/** How often progress is asked for, ms, and how many times in a row there may be no answer. */
const lookMs = 1_000;
const silencesMax = 30;

/** Shows a run's progress until it ends. @returns its last progress */
async function watchRun(api: Api, begun: ProgressNow): Promise<ProgressNow> {
  const view = createProgressView(process.stdout);
  let progress = begun;
  for (let silences = 0; progress.state === 'running'; ) {
    view.show(progress);
    await sleep(lookMs);
    try {
      const seen = await api.get<ProgressNow>('/sync');
      silences = 0;
      // another one has begun since: what this one came to is among the past ones
      progress = seen.runId === begun.runId ? seen : ((await runOf(api, begun.runId)) ?? progress);
    } catch (error) {
      silences += 1;
      if (silences > silencesMax) throw error;
    }
  }
  view.end();
  return progress;
}

const runOf = async (api: Api, runId: string): Promise<ProgressNow | undefined> =>
  (await readRuns(api)).find((run) => run.runId === runId);

/** Seldom, later on: each look is an entry in the patient's access log. */
const firstLookMs = 300;
const longestLookMs = 10_000;
const unknownMax = 8;

/** Follows what becomes of a sync. @returns its end, or that of a newer one, which has what it would have */
async function watchSync(api: Api, { patientRef, state }: RequestedSync, onRunning: () => void): Promise<LastSync> {
  let isRunning = state === 'running';
  let unknown = 0;
  for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 1.5, longestLookMs)) {
    await sleep(waitMs);
    try {
      const lastSync = await api.get<LastSync>(`/patients/${patientRef}/sync`);
      if (!isUnderWay(lastSync)) return lastSync;
      if (lastSync.state === 'running' && !isRunning) onRunning();
      isRunning ||= lastSync.state === 'running';
    } catch (error) {
      unknown += 1; // while somebody is being removed, what became of the sync is not told yet
      if (!(error instanceof ApiError) || error.problem !== 'patient-unknown' || unknown > unknownMax) throw error;
    }
  }
}

/** All pages as one Bundle. */
async function readBundle(api: Api, path: string): Promise<object> {
  const pages: ReturnType<typeof auditEventBundle>[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const page: (typeof pages)[number] = await api.get(next, 'application/fhir+json');
    pages.push(page);
    const { url } = page.link.find(({ relation }) => relation === 'next') ?? {};
    next = url && `${path}${new URL(url).search}`;
  }
  const [first] = pages;
  const entry = pages.flatMap((page) => page.entry ?? []);
  const link = first?.link.filter(({ relation }) => relation === 'self');
  return { ...first, link, ...(entry.length > 0 && { entry }) }; // FHIR knows no empty array
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  const [name, ...args] = positionals;
  if (values.help) return say(usage);
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new CommandError('usage', `${name === undefined ? 'a command is needed' : `no command ${name}`}\n${usage}`);
  const api = findApi(process.env)(command.role);
  const { json: isJson, fhir: isFhir, watch: isWatching } = values;
  await command.run({ api, args, isJson, isFhir, isWatching });
}

function readArguments() {
  const boolean = { type: 'boolean', default: false } as const;
  try {
    const options = { json: boolean, fhir: boolean, watch: boolean, help: boolean };
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    throw new CommandError('usage', `${(error as Error).message.split('. ')[0]}\n${usage}`);
  }
}

process.on('SIGINT', () => process.exit(130));
process.stdout.on('error', () => process.exit()); // whoever reads has seen enough, such as head
try {
  await main();
} catch (error) {
  const told = error instanceof CommandError || error instanceof ApiError ? error : undefined;
  process.stderr.write(
    `epa-sync: ${told || error instanceof ConfigError ? (error as Error).message : explain(error)}\n`,
  );
  process.exitCode = exitCodes[told?.fault ?? 'failed'];
}
