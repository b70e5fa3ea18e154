import type { InsurerAdapter } from '../insurer-adapter.ts';
import { careRecordsApi } from './care-records.ts';
import { listApi } from './list.ts';

/** The adapter for the API in docs/reference/insurer-api.yaml. */
export function createJsonAdapter({
  baseUrl,
  token,
}: {
  readonly baseUrl: string;
  readonly token: string;
}): InsurerAdapter {
  const basePath = new URL(baseUrl).pathname.replace(/\/+$/, '');
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': 'epa-sync' };
  return { careRecords: careRecordsApi(basePath, headers), list: listApi(basePath, headers) };
}
