import { openApiDocument } from '../http/openapi.ts';
import type { Handler } from '../http/operation.ts';

export const readOpenApi: Handler<'readOpenApi'> = async ({ apiUrl }) => ({ body: openApiDocument(apiUrl) });
