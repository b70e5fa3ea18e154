import { statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { ContentLink } from '../../core/contract/document-content.ts';
import type { AccessEntry } from '../../core/domain/access.ts';
import type { PersonVerification } from '../../core/domain/access-log.ts';
import type { AccessLogCheck } from '../../core/domain/access-log-check.ts';
import {
  logProblemTexts,
  type ReportFormat,
  type ReportLanguage,
  reportFormats,
  reportLanguages,
} from '../../core/domain/access-texts.ts';
import type { auditEventBundle } from '../../core/domain/fhir-audit-event.ts';
import { accessLine } from '../../terminal/progress-lines.ts';
import { type Api, findApi, type Paged } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { say, sayJson } from '../output.ts';
import { lookUpPatientRef, patientArgument, readPatient } from './arguments.ts';

/** Adds the auditor's commands. They work for removed patients, too. */
export function addAccessLogCommands(program: Command): void {
  const accessLog = program
    .command('access-log')
    .description('show who has accessed the data of a patient, also under earlier and later KVNRs')
    .addArgument(patientArgument())
    .option('--json', 'print the entries as JSON')
    .option('--fhir', 'print a FHIR R4 Bundle of AuditEvents; takes precedence over --json')
    .action(async (argument: string | undefined, { json, fhir }: { json?: true; fhir?: true }) => {
      const api = findApi(process.env, 'auditor');
      const path = `/patients/${await lookUpPatientRef(await readPatient(argument), api)}/access-log`;
      if (fhir) return sayJson(await readBundle(api, path));
      const pages = await Array.fromAsync(api.pages<Paged<{ patientRefs: string[]; entries: AccessEntry[] }>>(path));
      const entries = pages.flatMap((page) => page.entries);
      if (json) return sayJson(entries);
      const isOfSeveral = pages.some(({ patientRefs }) => patientRefs.length > 1);
      for (const entry of entries) say(accessLine(entry, isOfSeveral));
    });

  accessLog
    .command('report')
    .description('save a document for the patient, in plain words, of who has accessed their data')
    .addArgument(patientArgument())
    .addOption(new Option('--language <language>', 'language of the document').choices(reportLanguages).default('de'))
    .addOption(new Option('--format <format>', 'kind of the file').choices(reportFormats).default('pdf'))
    .option(
      '--from <time>',
      'only accesses at this time or later, in ISO 8601 with an offset, such as 2026-11-30T00:00:00+01:00',
    )
    .option(
      '--to <time>',
      'only accesses before this time, in ISO 8601 with an offset, such as 2026-11-30T00:00:00+01:00',
    )
    .requiredOption('--output <file>', 'where to save it')
    .action(saveReport);

  program
    .command('verify')
    .description('check that the access logs of a patient, under all KVNRs, are complete and unchanged')
    .addArgument(patientArgument())
    .action(async (argument: string | undefined) => {
      const api = findApi(process.env, 'auditor');
      const patientRef = await lookUpPatientRef(await readPatient(argument), api);
      const path = `/patients/${patientRef}/access-log/verification`;
      const { logs } = await api.get<PersonVerification>(path);
      const of = (ref: string): string => (logs.length === 1 ? '' : ` of ${ref}`);
      for (const { valid, entries, patientRef } of logs)
        if (valid) say(`the access log${of(patientRef)} is whole and unchanged: ${entries} entries`);
      for (const { unanchored, oldestUnanchoredSeconds = 0, patientRef } of logs)
        if (unanchored > 0)
          say(
            `anchors of ${unanchored} entries${of(patientRef)} are missing, for ${Math.round(oldestUnanchoredSeconds)} s`,
          );
      for (const { valid, firstBrokenSeq, problem = 'changed', patientRef } of logs) {
        if (valid) continue;
        const what = `entry ${firstBrokenSeq} ${logProblemTexts[problem].en}`;
        throw new CommandError('failed', `the access log${of(patientRef)} is broken: ${what}`);
      }
    });

  program
    .command('check-logs')
    .description('show the last check of all access logs, which runs each month')
    .option('--start', 'start a check now, or join the one in progress')
    .option('--json', 'print the check as JSON')
    .action(checkLogs);
}

interface ReportOptions {
  readonly language: ReportLanguage;
  readonly format: ReportFormat;
  readonly from?: string;
  readonly to?: string;
  readonly output: string;
}

async function saveReport(argument: string | undefined, { output, ...asked }: ReportOptions): Promise<void> {
  requireWritable(output); // before the request, because each report is an entry of the log
  const api = findApi(process.env, 'auditor');
  const patientRef = await lookUpPatientRef(await readPatient(argument), api);
  const report = await api.post<ContentLink>(`/patients/${patientRef}/access-log/report`, asked);
  writeFileSync(output, await api.readLink(report), { mode: 0o600 }); // it names people
  say(`saved ${output}: ${report.sizeBytes} bytes`);
}

/** @throws CommandError `usage` if no file can be written there */
function requireWritable(file: string): void {
  const folder = dirname(resolve(file));
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new CommandError('usage', `--output: there is no folder ${folder}. Make it, or name another one.`);
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
    throw new CommandError('usage', `--output: ${file} is a folder. Name a file in it.`);
}

interface CheckOptions {
  readonly start?: true;
  readonly json?: true;
}

async function checkLogs({ start, json }: CheckOptions): Promise<void> {
  const api = findApi(process.env, 'auditor');
  const path = '/access-logs/check';
  if (start) {
    await api.post(path);
    return say('a check of all access logs is in progress');
  }
  const answer = await api.get<{ readonly check?: AccessLogCheck }>(path);
  if (json) return sayJson(answer);
  const { check } = answer;
  if (check === undefined) return say('no check of the access logs yet. Start one with --start.');
  const { state, startedAt, finishedAt, logs, entries, unanchored, brokenLogs, broken } = check;
  const time = finishedAt === undefined ? `since ${startedAt}` : `from ${startedAt} to ${finishedAt}`;
  say(`check of all access logs ${state}, ${time}: ${logs} logs, ${entries} entries, ${unanchored} without an anchor`);
  for (const { patientRef, firstBrokenSeq, problem } of broken)
    say(`${patientRef}: entry ${firstBrokenSeq} ${logProblemTexts[problem].en}`);
  if (brokenLogs > 0) throw new CommandError('failed', `${brokenLogs} access logs are broken`);
}

/** Returns all pages as one Bundle. */
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
  return { ...first, link, ...(entry.length > 0 && { entry }) }; // FHIR does not allow empty arrays
}
