import type { JWTPayload } from 'jose';
import { wrongPageToken } from './middleware/problem-answers.ts';
import { type TokenCipher, TokenCipherError } from './token-cipher.ts';

/** Where pages end, for callers to carry: sealed, and good for one question only. */
export interface PageTokens<Place> {
  /** @returns what goes into the answer; nothing on the last page */
  nextToken(place: Place | undefined): Promise<{ readonly nextToken?: string }>;
  /** @throws Problem `invalid-request` for a token that no answer to this question held */
  positionOf(nextToken: string | undefined): Promise<Place | undefined>;
}

/** @param question what is paged: operation, and of what */
export function pageTokens<Place>(tokenCipher: TokenCipher, question: string): PageTokens<Place> {
  const purpose = `page of ${question}`;
  return {
    async nextToken(place) {
      return place === undefined ? {} : { nextToken: await tokenCipher.encrypt(purpose, { place } as JWTPayload) };
    },
    async positionOf(nextToken) {
      if (nextToken === undefined) return undefined;
      try {
        return (await tokenCipher.decrypt(purpose, nextToken))['place'] as Place;
      } catch (error) {
        if (error instanceof TokenCipherError) throw wrongPageToken({ cause: error });
        throw error;
      }
    },
  };
}
