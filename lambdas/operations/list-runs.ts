import type { Handler } from '../http/operation.ts';
import { pageTokens } from '../http/page-tokens.ts';

const runsPerPage = 20;

export const listRuns: Handler<'listRuns'> = async ({ query }, { stores, config, tokenCipher }) => {
  const pages = pageTokens<string>(tokenCipher, 'runs');
  const after = await pages.positionOf(query.nextToken);
  const { entries, lastKey } = await stores.syncRuns.listRuns(config.INSURER_ID, runsPerPage, after);
  return { body: { runs: entries, ...(await pages.nextToken(lastKey)) } };
};
