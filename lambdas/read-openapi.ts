import { openApiDocument } from './openapi.ts';
import type { Handler } from './operation.ts';

export const readOpenApi: Handler<'readOpenApi'> = async ({ apiUrl }) => ({ body: openApiDocument(apiUrl) });
