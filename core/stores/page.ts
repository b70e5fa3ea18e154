/** One page of something; `nextToken` is absent on the last one. */
export interface Page<Entry> {
  readonly entries: readonly Entry[];
  readonly nextToken?: string;
}

/** A page was asked for with a token that none of our answers about the same thing held. */
export class PageTokenError extends Error {
  override readonly name = 'PageTokenError';
}

/** Stands for the last item of a page. A token leads nowhere but into the partition that it was made for. */
export const pageToken = (partition: string, sortKey: string | number): string =>
  Buffer.from(JSON.stringify([partition, sortKey])).toString('base64url');

/** @param isSortKey tells whether a value can be one of the table's. @throws PageTokenError */
export function sortKeyFrom<Key extends string | number>(
  token: string,
  partition: string,
  isSortKey: (value: unknown) => value is Key,
): Key {
  try {
    const [tokenPartition, sortKey] = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (tokenPartition === partition && isSortKey(sortKey)) return sortKey;
  } catch {
    // told below
  }
  throw new PageTokenError('no page has this token');
}
