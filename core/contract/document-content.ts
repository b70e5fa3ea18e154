/**
 * The content of a document in an answer of the API: a link in place of the text `contentBase64`. The field `content` of an answered
 * document is always this object, so a field of the insurer cannot pass for a link.
 */
export interface DocumentContent extends Partial<ContentLink> {
  /** the link leads to the text `contentBase64` as it was sent: it is no base64, or an earlier version stored it */
  readonly as?: 'sent';
  /** the file's base64 is not the text that the insurer sent. `{href}?as=sent` leads to it */
  readonly sent?: { readonly sizeBytes: number; readonly sha256: string };
  /** what the insurer itself has sent as the document's field `content` */
  readonly insurerContent?: unknown;
}

/** A link to a file or a text. */
export interface ContentLink {
  readonly href: string;
  readonly sizeBytes: number;
  /** hex */
  readonly sha256: string;
  /** ISO 8601 UTC */
  readonly expiresAt: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns a document as an answer has it.
 * @param document as the insurer sent it
 * @param link in place of `contentBase64`; undefined if that stays as it was sent, because it is missing or no text
 */
export function answeredDocument(document: Fields, link?: DocumentContent): Fields {
  const isOwn = Object.hasOwn(document, 'content');
  if (link === undefined && !isOwn) return document;
  const content: DocumentContent = { ...link, ...(isOwn && { insurerContent: document['content'] }) };
  const place = link === undefined ? 'content' : 'contentBase64';
  const own = Object.entries(document).filter(([name]) => name === place || name !== 'content');
  return replaceField(Object.fromEntries(own), place, { content });
}

/**
 * Returns a document of an answer as the insurer sent it.
 * @param contentBase64 the text behind the link; undefined if there is none
 */
export function sentDocument(document: Fields, contentBase64?: string): Fields {
  const { content } = document;
  const isOwn = typeof content === 'object' && content !== null && Object.hasOwn(content, 'insurerContent');
  return replaceField(document, 'content', {
    ...(contentBase64 !== undefined && { contentBase64 }),
    ...(isOwn && { content: (content as DocumentContent).insurerContent }),
  });
}

/** Replaces a field in its place, because the order of fields stays as the insurer sent it. */
const replaceField = (fields: Fields, name: string, by: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).flatMap((field) => (field[0] === name ? Object.entries(by) : [field])));
