import { serve } from '../http/serve.ts';
import { readOpenApi } from '../operations/read-openapi.ts';

export const handler = serve('openapi', { readOpenApi });
