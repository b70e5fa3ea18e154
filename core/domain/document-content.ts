/**
 * Decodes the content of a document: base64 (RFC 4648, 4), base64url (5), with or without padding and line breaks, or a data
 * URL, in base64 or percent-encoded (RFC 2397). Returns undefined if it is none of these.
 */
export function decodeContent(text: string): Uint8Array<ArrayBuffer> | undefined {
  const { encoding, data } = partsOf(text);
  if (encoding === 'percent') return percentDecoded(data);
  return isBase64(data) ? bytesOf(atob(data.replaceAll('-', '+').replaceAll('_', '/'))) : undefined;
}

/** Whether `decodeContent` can decode a text, without the memory that the bytes would take. */
export function isDecodable(text: string): boolean {
  const { encoding, data } = partsOf(text);
  return encoding === 'percent' || isBase64(data);
}

function partsOf(text: string): { readonly encoding: 'base64' | 'percent'; readonly data: string } {
  const [prefix, isBase64] = /^\s*data:[^,]*?(;base64)?,/i.exec(text) ?? [];
  if (prefix === undefined) return { encoding: 'base64', data: text };
  return { encoding: isBase64 === undefined ? 'percent' : 'base64', data: text.slice(prefix.length) };
}

/** Forgiving, as `atob` is: padding is all there or not there (Infra Standard, 7). */
function isBase64(text: string): boolean {
  const data = text.replaceAll(/[\t\n\f\r ]+/g, '');
  const digits = data.length % 4 === 0 ? data.replace(/={1,2}$/, '') : data;
  return digits.length % 4 !== 1 && !/[^\w+/-]/.test(digits);
}

/** Decodes text and percent-encoded bytes of any charset. A percent sign that encodes nothing stays (URL Standard, 1.3). */
function percentDecoded(text: string): Uint8Array<ArrayBuffer> {
  const ascii = text.toWellFormed().replace(/[^\0-\x7f]+/gu, encodeURIComponent);
  return bytesOf(ascii.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}

/** @param binary a text in which each character is a byte */
const bytesOf = (binary: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(binary, (character) => character.charCodeAt(0));
