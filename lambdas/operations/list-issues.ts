import type { Handler } from '../http/operation.ts';
import { pageTokens } from '../http/page-tokens.ts';
import { Problem } from '../http/problems.ts';

/** Number of issues that are read for a page; a filter may leave fewer. A run may have tens of thousands of issues. This many stay far below the size limits of DynamoDB and Lambda. */
const issuesPerPage = 1_000;

/** A token names the run, so that all pages are of the same run even if a newer one has started. */
interface Position {
  readonly runId: string;
  readonly after: string;
}

export const listIssues: Handler<'listIssues'> = async ({ query }, { stores: { syncRuns }, config, tokenCipher }) => {
  const insurerId = config.INSURER_ID;
  const { kind, acknowledged } = query;
  const pages = pageTokens<Position>(tokenCipher, ['issues', query.runId, kind, acknowledged].join(' '));
  const position = await pages.positionOf(query.nextToken);
  const runId = position?.runId ?? (await syncRuns.readProgress(insurerId, query.runId))?.runId;
  if (runId === undefined) throw new Problem('no-run-yet');
  const { entries, lastKey: after } = await syncRuns.listIssues(insurerId, runId, issuesPerPage, position?.after);
  const issues = entries.filter(
    (issue) =>
      (kind === undefined || issue.kind === kind) &&
      (acknowledged === undefined || (issue.acknowledged !== undefined) === (acknowledged === 'true')),
  );
  return { body: { issues, ...(await pages.nextToken(after === undefined ? undefined : { runId, after })) } };
};
