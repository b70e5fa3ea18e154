/** RFC 6838, 4.2, with parameters. Characters of a header only. */
const mediaTypePattern =
  /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}( ?; ?[\w!#$&^.+-]+=("[ !#-[\]-~]*"|[\w!#$&^.+-]+))*$/;
/** In characters. A known media type is far shorter. */
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
