import { createHash } from 'node:crypto';
import { decodeContent } from './document-content.ts';

/** A document as a file: its bytes, and what a browser has to know to save it. */
export interface DocumentFile {
  readonly bytes: Uint8Array;
  /** as the insurer calls it if that is a media type, otherwise application/octet-stream */
  readonly mediaType: string;
  /** valid in every file system, with an extension */
  readonly name: string;
}

/**
 * Returns the bytes of a content, and the text as sent if base64 of the bytes is another text: base64url, with line breaks, a data
 * URL. Without bytes the text is no base64.
 */
export function decodeSent(contentBase64: string): { readonly bytes?: Uint8Array; readonly sent?: string } {
  const bytes = Buffer.from(contentBase64, 'base64'); // skips what is no base64, so that its length differs
  if (bytes.toString('base64') === contentBase64) return { bytes };
  const decoded = decodeContent(contentBase64);
  return { sent: contentBase64, ...(decoded && { bytes: decoded }) };
}

/** Returns base64 of the SHA-1 of bytes. */
export const sha1Of = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('base64');
