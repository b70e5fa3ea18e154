import { serve } from '../http/serve.ts';
import { readAccessLog } from '../operations/read-access-log.ts';
import { verifyAccessLog } from '../operations/verify-access-log.ts';

export const handler = serve('access-log', { readAccessLog, verifyAccessLog });
