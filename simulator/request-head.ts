import type { RequestHead } from './log.ts';

export interface ParsedRequest {
  head: RequestHead;
  isHttp11: boolean;
  hasBody: boolean;
  allowsGzip: boolean;
}

/** Parses the head of a request, without its last empty line. Violations of the contract are recorded, not rejected. */
export function parseRequest(text: string, token: string): ParsedRequest {
  const [requestLine = '', ...lines] = text.split('\r\n');
  const [method = '', target = '', version = ''] = requestLine.split(' ');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const [path = '', query = ''] = target.split('?');
  const kvnr = path.match(/^\/patients\/([^/]+)\/care-records$/)?.[1];
  const kind = kvnr !== undefined ? 'care' : path === '/patients' ? 'list' : 'other';
  const hasBody = Number(headers.get('content-length') ?? 0) > 0 || headers.has('transfer-encoding');
  const range = headers.get('range');
  const offContract: string[] = [];
  if (kind === 'other') offContract.push('path');
  if (method !== 'GET') offContract.push('method');
  if (version !== 'HTTP/1.1') offContract.push('version');
  if (!headers.has('host')) offContract.push('host');
  if (hasBody) offContract.push('body');
  if (range !== undefined && (kind !== 'list' || !/^bytes=\d+-$/.test(range))) offContract.push('range');
  if (range !== undefined && !headers.has('if-range')) offContract.push('range-without-if-range');
  if (kvnr !== undefined && !/^[A-Z][0-9]{9}$/.test(kvnr)) offContract.push('kvnr');
  const authorization = headers.get('authorization');
  const optional = {
    kvnr,
    range,
    ifRange: headers.get('if-range'),
    ifNoneMatch: headers.get('if-none-match'),
    acceptEncoding: headers.get('accept-encoding'),
  };
  return {
    head: {
      kind,
      method,
      path,
      ...withoutUndefined(optional),
      authorization: authorization === undefined ? 'missing' : authorization === `Bearer ${token}` ? 'right' : 'wrong',
      followedRedirect: /(^|&)redirected=/.test(query),
      offContract,
    },
    isHttp11: version === 'HTTP/1.1',
    hasBody,
    allowsGzip: /(^|,)\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*(,|$))[^,]*)?\s*(,|$)/i.test(optional.acceptEncoding ?? ''),
  };
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const withoutUndefined = <T extends object>(fields: T): Present<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
