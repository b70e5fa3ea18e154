import { readAccessLog } from '../read-access-log.ts';
import { serve } from '../serve.ts';
import { verifyAccessLog } from '../verify-access-log.ts';

export const handler = serve('access-log', { readAccessLog, verifyAccessLog });
