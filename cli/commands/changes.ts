import type { Command } from 'commander';
import type { PatientChangeKind } from '../../core/domain/patient-change.ts';
import { type Api, findApi } from '../api-client.ts';
import { say } from '../output.ts';

interface ChangesPage {
  readonly changes: readonly {
    readonly patientRef: string;
    readonly what: PatientChangeKind;
    readonly when: string;
    readonly careVersion?: string;
  }[];
  readonly next: string;
  readonly hasMore: boolean;
}

/** Adds the command that shows what has happened to patients. */
export function addChangesCommand(program: Command): void {
  program
    .command('changes')
    .description('show what has changed in patients, by pseudonym, and the cursor to go on from')
    .option('--since <cursor>', 'cursor that an earlier call has shown, or now; without it, all that is kept')
    .option('--json', 'print each page of the API as one line of JSON')
    .action(async ({ since, json }: { since?: string; json?: true }) => {
      for await (const page of pagesSince(findApi(process.env, 'integration'), since)) {
        if (json) say(JSON.stringify(page));
        else {
          for (const { when, what, patientRef, careVersion = '' } of page.changes)
            say([when, what, patientRef, careVersion].join('\t').trimEnd());
          if (!page.hasMore) say(`next: ${page.next}`);
        }
      }
    });
}

async function* pagesSince(api: Api, since: string | undefined): AsyncGenerator<ChangesPage> {
  let page: ChangesPage;
  let from = since;
  do {
    page = await api.get<ChangesPage>(
      `/changes${from === undefined ? '' : `?${new URLSearchParams({ since: from })}`}`,
    );
    yield page;
    from = page.next;
  } while (page.hasMore);
}
