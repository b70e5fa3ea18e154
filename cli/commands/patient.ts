import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { LineStatus } from '../../core/domain/line-status.ts';
import type { SearchedPerson } from '../../core/domain/name-search.ts';
import { isInProgress, type LastSync } from '../../core/domain/patient.ts';
import { type LineOfSync, nextSyncPollMs } from '../../core/domain/sync-polling.ts';
import { limitLines, onOneLine, pauseLines, quietLines } from '../../terminal/progress-lines.ts';
import { type Api, ApiError, findApi } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { say } from '../output.ts';
import { patientText } from '../patient-text.ts';
import { lookUpPatientRef, patientArgument, readPatient, readSearch } from './arguments.ts';

/** Adds the clinician's commands. */
export function addPatientCommands(program: Command): void {
  program
    .command('patient')
    .description('print master data and all care records as JSON, as the insurer sent them')
    .addArgument(patientArgument())
    .action(async (argument: string | undefined) => {
      const api = findApi(process.env, 'clinician');
      process.stdout.write(await patientText(api, await lookUpPatientRef(await readPatient(argument), api)));
    });

  program
    .command('find')
    .description(
      'find people by birth date and the beginning of a name: asks for them, or reads them from stdin, one a line; each person found has an entry in their access log',
    )
    .action(async () => {
      const api = findApi(process.env, 'clinician');
      const { hits, tooMany } = await api.post<FoundPeople>('/patients/search', await readSearch());
      if (tooMany) throw new CommandError('failed', 'more than 20 people fit: use more letters, or both names');
      if (hits.length === 0) throw new CommandError('notFound', 'nobody stored has this birth date and name');
      for (const { patientRef, birthDate, familyName, givenName } of hits)
        process.stdout.write(`${[patientRef, birthDate, familyName, givenName].map(onOneLine).join('\t')}\n`);
    });

  program
    .command('sync')
    .description(
      'request fresh care records, and show the progress; the request stays valid if you end the command. With a KVNR, the person need not be on the list yet',
    )
    .addArgument(patientArgument())
    .action(async (argument: string | undefined) => {
      const api = findApi(process.env, 'clinician');
      const startedMs = performance.now();
      const requested = await api.post<RequestedSync>('/patient-syncs', await readPatient(argument));
      const sayTimed = (what: string): void => say(`${((performance.now() - startedMs) / 1000).toFixed(1)} s  ${what}`);
      sayTimed(`${requested.state}: it will be done even if you end this command`);
      const { line } = requested;
      const waits = line === undefined ? [] : line.state === 'paused' ? pauseLines(line) : limitLines(line);
      if (line?.state === 'paused' || line?.cooldown !== undefined)
        for (const each of [...waits, '  the sync waits until then']) say(each);
      for (const each of quietLines(line ?? {}, 'the sync waits')) say(each);
      const { state, error, flags, provisional } = await watchSync(api, requested, () => sayTimed('running'));
      if (state === 'not-insured')
        throw new CommandError('notFound', 'not or no longer insured (410): nothing is stored but the access log');
      if (state === 'unknown')
        throw new CommandError('notFound', 'unknown to the insurer (404): nothing is stored but the access log');
      if (state === 'failed') throw new CommandError('failed', `the sync has failed: ${error}`);
      sayTimed('completed: the stored care records are fresh');
      if (flags !== undefined) say(`unusual data, stored as the insurer sent them: ${flags}`);
      if (provisional) say('provisional: the person is not on the list yet; master data come with the next list');
    });
}

interface FoundPeople {
  readonly hits: readonly (SearchedPerson & { readonly patientRef: string })[];
  readonly tooMany?: boolean;
}

type RequestedSync = Pick<LastSync, 'syncId' | 'state' | 'requestedAt'> & {
  readonly patientRef: string;
  readonly line?: LineStatus;
};
type SyncNow = LastSync & { readonly provisional?: boolean; readonly line?: LineOfSync };

const maxUnknownAnswers = 8;

/** Waits until a sync ends. @returns its result, or that of a newer sync, which covers it */
async function watchSync(api: Api, requested: RequestedSync, onRunning: () => void): Promise<SyncNow> {
  const { patientRef, state } = requested;
  const startedMs = performance.now();
  let line: LineOfSync | undefined = requested.line;
  let isRunning = state === 'running';
  let unknownAnswers = 0;
  for (;;) {
    await sleep(nextSyncPollMs(line, performance.now() - startedMs, Date.now())); // as the console does
    try {
      const lastSync = await api.get<SyncNow>(`/patients/${patientRef}/sync`);
      if (!isInProgress(lastSync)) return lastSync;
      line = lastSync.line;
      if (lastSync.state === 'running' && !isRunning) onRunning();
      isRunning ||= lastSync.state === 'running';
    } catch (error) {
      unknownAnswers += 1; // while a patient is being removed, the API does not yet have the result of the sync
      if (!(error instanceof ApiError) || error.problem !== 'patient-unknown' || unknownAnswers > maxUnknownAnswers)
        throw error;
    }
  }
}
