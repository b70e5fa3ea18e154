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

/** RFC 6838, 4.2, with parameters. Characters of a header only. */
const mediaTypePattern =
  /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}( ?; ?[\w!#$&^.+-]+=("[ !#-[\]-~]*"|[\w!#$&^.+-]+))*$/;
/** Longer ones are parameters that nobody knows. */
const mediaTypeMax = 256;

/** Returns a value if it is a media type; otherwise undefined. */
export const mediaTypeOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length <= mediaTypeMax && mediaTypePattern.test(value) ? value : undefined;

const fileExtensions: ReadonlyMap<string | undefined, string> = new Map([
  ['application/json', 'json'],
  ['application/pdf', 'pdf'],
  ['application/xml', 'xml'],
  ['image/gif', 'gif'],
  ['image/jpeg', 'jpg'],
  ['image/png', 'png'],
  ['image/tiff', 'tif'],
  ['image/webp', 'webp'],
  ['text/plain', 'txt'],
]);
/** In characters. A file system allows 255 bytes. */
const nameMax = 60;

/** Returns the file name of a document. Without a known media type its extension is `bin`, so that nothing opens it. */
export function fileNameOf(title: unknown, mediaType: string | undefined): string {
  const words = (typeof title === 'string' ? title : '').replace(/[^\p{L}\p{N} ._-]+/gu, ' ').replace(/\s+/g, ' ');
  const name = Array.from(words)
    .slice(0, nameMax)
    .join('')
    .replace(/^[ .]+|[ .]+$/g, '');
  const extension = fileExtensions.get(mediaType?.split(';')[0]?.trim().toLowerCase()) ?? 'bin';
  if (name === '') return `document.${extension}`;
  return name.toLowerCase().endsWith(`.${extension}`) ? name : `${name}.${extension}`;
}

/** Returns the header Content-Disposition for a result of `fileNameOf` (RFC 6266; RFC 8187 for other letters than ASCII). */
export function contentDisposition(fileName: string): string {
  const ascii = fileName
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^ -~]/gu, '_');
  const more = ascii === fileName ? '' : `; filename*=UTF-8''${encodeURIComponent(fileName)}`;
  return `attachment; filename="${ascii}"${more}`;
}

/** Returns base64 of the SHA-1 of bytes. */
export const sha1Of = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('base64');
