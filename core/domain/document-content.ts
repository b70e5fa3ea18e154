/**
 * Decodes the content of a document: base64 (RFC 4648, 4), base64url (5), with or without padding and line breaks, or a data
 * URL, in base64 or percent-encoded (RFC 2397). Returns undefined if it is none of these. Takes linear time.
 */
export function decodeContent(text: string): Uint8Array<ArrayBuffer> | undefined {
  const { encoding, data } = partsOf(text);
  if (encoding === 'percent') return percentDecoded(data);
  const digits = base64DigitsOf(data);
  return digits === undefined ? undefined : bytesOf(atob(digits.replaceAll('-', '+').replaceAll('_', '/')));
}

/** Whether `decodeContent` can decode a text, without the memory that the bytes would take. */
export function isDecodable(text: string): boolean {
  const { encoding, data } = partsOf(text);
  return encoding === 'percent' || base64DigitsOf(data) !== undefined;
}

function partsOf(text: string): { readonly encoding: 'base64' | 'percent'; readonly data: string } {
  const url = text.trimStart();
  const comma = /^data:/i.test(url) ? endOfMediaType(url) : -1;
  if (comma === -1) return { encoding: 'base64', data: text };
  const data = url.slice(comma + 1);
  if (!/; {0,9}base64 {0,9}$/i.test(url.slice(0, comma))) return { encoding: 'percent', data };
  const isEncoded = data.includes('%'); // such as the padding: %3D
  return { encoding: 'base64', data: isEncoded ? new TextDecoder().decode(percentDecoded(data)) : data };
}

/** Returns the index of the comma before the data of a data URL; -1 if there is none. A quoted one belongs to the media type. */
function endOfMediaType(url: string): number {
  let isQuoted = false;
  for (let at = 0; at < url.length; at++) {
    const character = url[at];
    if (character === ',' && !isQuoted) return at;
    if (character === '"') isQuoted = !isQuoted;
    else if (character === '\\' && isQuoted) at++;
  }
  return url.indexOf(','); // the quotes do not end
}

/**
 * The last digits for which no bit is left over, by the number of digits modulo 4 (RFC 4648, 3.5). An encoder writes no others,
 * and most words end in another letter.
 */
const lastDigits: Readonly<Record<number, string>> = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' };

/**
 * Returns the digits of base64 or base64url without padding and line breaks; undefined if it is neither. Padding is all there
 * or not there. A blank within a line is no base64 but a text (RFC 4648, 3.3).
 */
function base64DigitsOf(text: string): string | undefined {
  const data = Array.from(text.split(/[\n\r]\s*/), (line) => line.trim()).join('');
  const digits = data.length % 4 === 0 ? data.replace(/={1,2}$/, '') : data;
  if (/[^\w+/-]/.test(digits)) return undefined;
  const rest = digits.length % 4;
  return rest === 0 || lastDigits[rest]?.includes(digits.at(-1) ?? '') ? digits : undefined;
}

/** Decodes text and percent-encoded bytes of any charset. A percent sign that encodes nothing stays (URL Standard, 1.3). */
function percentDecoded(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    const high = byte === percentSign ? hexDigits.get(bytes[at + 1]) : undefined;
    const low = high === undefined ? undefined : hexDigits.get(bytes[at + 2]);
    bytes[length++] = high === undefined || low === undefined ? byte : high * 16 + low;
    if (low !== undefined) at += 2;
  }
  return bytes.slice(0, length);
}

const percentSign = 0x25;
const hexDigits: ReadonlyMap<number | undefined, number> = new Map(
  Array.from('0123456789abcdefABCDEF', (digit) => [digit.charCodeAt(0), Number.parseInt(digit, 16)]),
);

/** @param binary a text in which each character is a byte */
function bytesOf(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
