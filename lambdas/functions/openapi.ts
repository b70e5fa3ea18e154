import { readOpenApi } from '../read-openapi.ts';
import { serve } from '../serve.ts';

export const handler = serve('openapi', { readOpenApi });
