import { z } from 'zod';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import { type Role, roles } from '../../core/domain/access.ts';
import type { DocumentReference } from '../../core/stores/care-records.ts';
import { type ObjectForm, objectForms } from '../../core/stores/documents.ts';
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
  readonly form: ObjectForm;
  /** key of the text as the insurer sent it, if it is not the file's base64 */
  readonly sentKey?: string;
  readonly reader: Actor;
}

/** The encrypted content of a link. Short names keep links short, because a page may hold thousands. */
const linkContent = z.object({
  p: z.string(),
  k: z.string(),
  n: z.number(),
  h: z.string(),
  f: z.enum(objectForms).default('text'), // links of earlier versions have none
  s: z.string().optional(),
  w: z.string(),
  m: z.string().optional(),
  r: z.enum(roles),
});

/** Returns what a link to a document leads to. */
export const formOf = ({
  content,
  fileSha1,
  sent,
}: DocumentReference): Pick<DocumentLink, 'content' | 'form' | 'sentKey'> => ({
  content,
  form: fileSha1 === undefined ? 'text' : 'file',
  ...(sent && { sentKey: sent.key }),
});

/** Creates the token of a link. @returns also when it expires, ISO 8601 UTC */
export async function encryptDocumentLink(
  tokenCipher: TokenCipher,
  { patientRef, content, form, sentKey, reader }: DocumentLink,
): Promise<{ token: string; expiresAt: string }> {
  const { key: k, sizeBytes: n, sha256: h } = content;
  const [r] = reader.roles as [Role];
  const facts: z.input<typeof linkContent> = {
    p: patientRef,
    k,
    n,
    h,
    f: form,
    s: sentKey,
    w: reader.who,
    m: reader.name,
    r,
  };
  const expiresAt = new Date(Date.now() + lifetimeSeconds * 1_000).toISOString();
  return { token: await tokenCipher.encrypt(purpose, facts, lifetimeSeconds), expiresAt };
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
  const {
    p: patientRef,
    k: key,
    n: sizeBytes,
    h: sha256,
    f: form,
    s: sentKey,
    w: who,
    m: name,
    r,
  } = linkContent.parse(content);
  const reader = { who, ...(name !== undefined && { name }), roles: [r] };
  return { patientRef, content: { key, sizeBytes, sha256 }, form, ...(sentKey !== undefined && { sentKey }), reader };
}
