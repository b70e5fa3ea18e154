import type { JWTPayload } from 'jose';
import { Problem } from './problems.ts';
import { type TokenCipher, TokenCipherError } from './token-cipher.ts';

/**
 * The page tokens of one query. A token holds the position at which the next page starts. It is encrypted, and valid
 * only for the query that it was made for.
 */
export interface PageTokens<Position> {
  /** Returns the field for the answer, or no field on the last page. */
  nextToken(position: Position | undefined): Promise<{ readonly nextToken?: string }>;
  /** @throws Problem `invalid-request` if no answer to this query held the token */
  positionOf(nextToken: string | undefined): Promise<Position | undefined>;
}

/** @param query names the operation and its subject, such as `access log of {patientRef}` */
export function pageTokens<Position>(tokenCipher: TokenCipher, query: string): PageTokens<Position> {
  const purpose = `page of ${query}`;
  return {
    async nextToken(position) {
      return position === undefined
        ? {}
        : { nextToken: await tokenCipher.encrypt(purpose, { position } as JWTPayload) };
    },
    async positionOf(nextToken) {
      if (nextToken === undefined) return undefined;
      try {
        return (await tokenCipher.decrypt(purpose, nextToken))['position'] as Position;
      } catch (cause) {
        if (!(cause instanceof TokenCipherError)) throw cause;
        const detail = 'is the nextToken of an answer to the same query';
        throw new Problem('invalid-request', { errors: [{ in: 'query', pointer: '/nextToken', detail }] }, { cause });
      }
    },
  };
}
