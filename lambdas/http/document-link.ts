import { z } from 'zod';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import { type Role, roles } from '../../core/domain/access.ts';
import type { Actor } from './actor.ts';
import { Problem } from './problems.ts';
import { type TokenCipher, TokenCipherError } from './token-cipher.ts';

/** Long enough to follow the link, but too short to pass it on (docs/guides/api-with-curl.md). */
const lifetimeSeconds = 300;
const purpose = 'document';

/** A link to a patient's document, and the reader that it was issued to. Each use is recorded in the name of that reader. */
export interface DocumentLink {
  readonly patientRef: string;
  readonly content: PayloadReference;
  readonly reader: Actor;
}

/** The encrypted content of a link. Short names keep links short, because a page may hold thousands. */
const linkContent = z.object({
  p: z.string(),
  k: z.string(),
  n: z.number(),
  h: z.string(),
  w: z.string(),
  m: z.string().optional(),
  r: z.enum(roles),
});

/** Creates the token of a link. */
export async function encryptDocumentLink(
  tokenCipher: TokenCipher,
  { patientRef, content, reader }: DocumentLink,
): Promise<string> {
  const { key: k, sizeBytes: n, sha256: h } = content;
  const [r] = reader.roles as [Role];
  const facts: z.input<typeof linkContent> = { p: patientRef, k, n, h, w: reader.who, m: reader.name, r };
  return await tokenCipher.encrypt(purpose, facts, lifetimeSeconds);
}

/**
 * Decrypts the token of a link.
 * @param onExpired receives the content of an expired link before the error is thrown
 * @throws Problem `document-unknown`, `link-expired`
 */
export async function decryptDocumentLink(
  tokenCipher: TokenCipher,
  token: string,
  onExpired: (link: DocumentLink) => void,
): Promise<DocumentLink> {
  try {
    return linkOf(await tokenCipher.decrypt(purpose, token));
  } catch (error) {
    if (!(error instanceof TokenCipherError)) throw error;
    if (error.fault === 'invalid') throw new Problem('document-unknown', {}, { cause: error });
    onExpired(linkOf(error.content));
    throw new Problem('link-expired', { detail: 'Read the patient again for a new link.' }, { cause: error });
  }
}

function linkOf(content: unknown): DocumentLink {
  const { p: patientRef, k: key, n: sizeBytes, h: sha256, w: who, m: name, r } = linkContent.parse(content);
  const reader = { who, ...(name !== undefined && { name }), roles: [r] };
  return { patientRef, content: { key, sizeBytes, sha256 }, reader };
}
