import { expect, test } from 'vitest';
import { pageTokens } from './page-tokens.ts';
import { createTokenCipher } from './token-cipher.ts';

const tokenCipher = createTokenCipher(Buffer.alloc(32, 7).toString('base64'));
const tokens = pageTokens<{ runId: string; after: number }>(tokenCipher, 'issues of run-1');
const position = { runId: 'run-1', after: 7 };

test('a page token returns the position that it was made for', async () => {
  const { nextToken } = await tokens.nextToken(position);
  expect(nextToken).not.toContain('run-1');
  expect(await tokens.positionOf(nextToken)).toEqual(position);
});

test('the last page has no token, and the first page needs none', async () => {
  expect(await tokens.nextToken(undefined)).toEqual({});
  expect(await tokens.positionOf(undefined)).toBeUndefined();
});

test('a token of another query, or with another key, or no token at all is rejected', async () => {
  const ofOtherQuery = await pageTokens(tokenCipher, 'issues of run-2').nextToken(position);
  const otherKey = createTokenCipher(Buffer.alloc(32, 8).toString('base64'));
  const ofOtherKey = await pageTokens(otherKey, 'issues of run-1').nextToken(position);
  const unencrypted = Buffer.from(JSON.stringify(position)).toString('base64url');
  for (const token of [ofOtherQuery.nextToken, ofOtherKey.nextToken, unencrypted, '', 'x'])
    await expect(tokens.positionOf(token)).rejects.toMatchObject({ problem: 'invalid-request' });
});
