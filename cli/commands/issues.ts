import { Argument, type Command, Option } from 'commander';
import { issueKinds, type KnownIssue } from '../../core/domain/issue.ts';
import { findApi, type Paged } from '../api-client.ts';
import { say, sayJson } from '../output.ts';
import { reasonArgument } from './arguments.ts';

interface ListOptions {
  readonly json?: true;
  readonly kind?: string;
  readonly acknowledged?: true;
  readonly open?: true;
}

/** Adds the operator's commands about issues. */
export function addIssueCommands(program: Command): void {
  const issues = program
    .command('issues')
    .description(
      'list the quarantined and flagged entries, the flagged care records, the changed KVNRs and the failed patients of the last run',
    )
    .option('--json', 'print JSON')
    .addOption(new Option('--kind <kind>', 'only issues of this kind').choices(issueKinds))
    .addOption(new Option('--acknowledged', 'only issues that an operator has acknowledged').conflicts('open'))
    .option('--open', 'only issues that nobody has acknowledged')
    .action(async (options: ListOptions) => {
      const query = queryOf(options);
      const api = findApi(process.env, 'operator');
      const pages = await Array.fromAsync(api.pages<Paged<{ issues: KnownIssue[] }>>(`/sync/issues${query}`));
      const listed = pages.flatMap((page) => page.issues);
      if (options.json) return sayJson(listed);
      if (listed.length === 0) say(query === '' ? 'no issues in the last run' : 'no such issues in the last run');
      for (const issue of listed) say(issueLine(issue));
    });

  issues
    .command('acknowledge')
    .description('acknowledge an issue in this run and all later ones; it counts no more as a problem of a run')
    .addArgument(new Argument('<issueId>', 'ID of the issue, as issues lists it'))
    .addArgument(reasonArgument('note...', 'what you have found out or done; quotes are optional'))
    .action(async (issueId: string, note: string) => {
      const body = { issueIds: [issueId], note: note.trim() };
      await findApi(process.env, 'operator').post('/sync/issues/acknowledgements', body);
      say('acknowledged, until its paths or problems change');
    });
}

function queryOf({ kind, acknowledged, open }: ListOptions): string {
  const query = new URLSearchParams({
    ...(kind !== undefined && { kind }),
    ...((acknowledged || open) && { acknowledged: String(acknowledged === true) }),
  });
  return query.size === 0 ? '' : `?${query}`;
}

function issueLine(issue: KnownIssue): string {
  const { kind, reason, position, patientRef, previousPatientRef, id, firstSeen, runs, acknowledged } = issue;
  const parts = [
    kind,
    patientRef ?? (position === undefined ? '' : `entry ${position}`),
    reason,
    ...(previousPatientRef === undefined ? [] : [`before: ${previousPatientRef}`]),
    ...(firstSeen === undefined ? [] : [`since ${firstSeen.slice(0, 10)}, runs: ${runs}`]),
    ...(acknowledged === undefined ? [] : [`acknowledged by ${acknowledged.by}: ${acknowledged.note}`]),
    `id: ${id}`,
  ];
  return parts.join('\t');
}
