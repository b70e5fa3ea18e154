import { serve } from '../http/serve.ts';
import { checkAccessLogs } from '../operations/check-access-logs.ts';
import { readAccessLog } from '../operations/read-access-log.ts';
import { readAccessLogCheck } from '../operations/read-access-log-check.ts';
import { reportAccessLog } from '../operations/report-access-log.ts';
import { verifyAccessLog } from '../operations/verify-access-log.ts';

export const handler = serve('access-log', {
  readAccessLog,
  verifyAccessLog,
  reportAccessLog,
  checkAccessLogs,
  readAccessLogCheck,
});
