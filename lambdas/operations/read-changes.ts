import { z } from 'zod';
import { ChangesGone, type ChangesPosition } from '../../core/stores/changes.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';
import { type TokenCipher, TokenCipherError } from '../http/token-cipher.ts';

/** Each cursor is encrypted, because nobody should take it for a number to count with. */
const purpose = 'cursor of the changes';
/** `version` lets a later release change what a cursor holds, and still take those that are kept somewhere. */
const position = z.object({ version: z.literal(1), feed: z.string(), seq: z.int(), offset: z.int() });

const limitMax = 1_000;

/** Names no person and no content, so it is no access to a patient's data (docs/adr/0073). */
export const readChanges: Handler<'readChanges'> = async ({ query }, { stores, tokenCipher }) => {
  const cursorOf = async (next: ChangesPosition) => await tokenCipher.encrypt(purpose, { version: 1, ...next });
  const { since, limit = limitMax } = query;
  if (since === 'now')
    return { body: { changes: [], next: await cursorOf(await stores.changes.end()), hasMore: false } };
  const from = since === undefined ? undefined : await positionOf(tokenCipher, since);
  try {
    const { changes, next, hasMore } = await stores.changes.read(from, Number(limit));
    return {
      body: {
        changes: changes.map(({ at, ...change }) => ({ ...change, when: at })),
        next: await cursorOf(next),
        hasMore,
      },
    };
  } catch (cause) {
    if (!(cause instanceof ChangesGone)) throw cause;
    const detail =
      'Call GET /changes?since=now for a new cursor, fetch everything with POST /exports, then go on from that cursor.';
    throw new Problem('cursor-too-old', { detail }, { cause });
  }
};

/** @throws Problem `invalid-request` if no answer held the cursor */
async function positionOf(tokenCipher: TokenCipher, cursor: string): Promise<ChangesPosition> {
  try {
    return position.parse(await tokenCipher.decrypt(purpose, cursor));
  } catch (cause) {
    if (!(cause instanceof TokenCipherError) && !(cause instanceof z.ZodError)) throw cause;
    const detail = 'is the next of an answer, or now';
    throw new Problem('invalid-request', { errors: [{ in: 'query', pointer: '/since', detail }] }, { cause });
  }
}
