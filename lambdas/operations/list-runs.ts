import type { Handler } from '../http/operation.ts';
import { pageTokens } from '../http/pages.ts';

const runsPerPage = 20;

export const listRuns: Handler<'listRuns'> = async ({ query }, { stores, config, tokenCipher }) => {
  const pages = pageTokens<string>(tokenCipher, 'runs');
  const from = await pages.positionOf(query.nextToken);
  const { entries, nextToken } = await stores.syncRuns.listRuns(config.INSURER_ID, runsPerPage, from);
  return { body: { runs: entries, ...(await pages.nextToken(nextToken)) } };
};
