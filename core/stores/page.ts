/** One page of a query. The API encrypts `lastKey` into its page tokens (lambdas/http/page-tokens.ts). */
export interface Page<Entry, Key extends string | number> {
  readonly entries: readonly Entry[];
  /** sort key of the last item that was read, after which the next page starts; absent on the last page */
  readonly lastKey?: Key;
}
