import { agentLabel } from '../../core/domain/access.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const acknowledgeIssues: Handler<'acknowledgeIssues'> = async ({ body, actor }, { stores, config }) => {
  const { issueIds, note } = body;
  const acknowledgement = { by: agentLabel(actor), at: new Date().toISOString(), note: note.trim() };
  if (!(await stores.syncRuns.acknowledgeIssues(config.INSURER_ID, issueIds, acknowledgement)))
    throw new Problem('issue-unknown');
  return { body: acknowledgement };
};
