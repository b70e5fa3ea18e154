import type { Handler } from '../http/operation.ts';
import { pageTokens } from '../http/pages.ts';
import { Problem } from '../http/problems.ts';

/** A run may have tens of thousands; a page of them stays far below what DynamoDB and a Lambda give at once. */
const issuesPerPage = 1_000;

/** Pages stay with the run that the first one was of, though a newer one may have begun: a token names it. */
interface Place {
  readonly runId: string;
  readonly after: string;
}

export const listIssues: Handler<'listIssues'> = async ({ query }, { stores: { syncRuns }, config, tokenCipher }) => {
  const insurerId = config.INSURER_ID;
  const pages = pageTokens<Place>(tokenCipher, `issues ${query.runId ?? ''}`);
  const place = await pages.positionOf(query.nextToken);
  const runId = place?.runId ?? (await syncRuns.readProgress(insurerId, query.runId))?.runId;
  if (runId === undefined) throw new Problem('no-run-yet');
  const { entries, nextToken: after } = await syncRuns.listIssues(insurerId, runId, issuesPerPage, place?.after);
  return { body: { issues: entries, ...(await pages.nextToken(after === undefined ? undefined : { runId, after })) } };
};
