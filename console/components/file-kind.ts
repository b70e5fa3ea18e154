/** The kinds of files that a browser can show. */
export const shownTypes = ['application/pdf', 'image/gif', 'image/jpeg', 'image/png', 'image/webp'] as const;
export type ShownType = (typeof shownTypes)[number];
type KnownType = ShownType | 'image/tiff';
/** Tells from the first 1 024 bytes, as characters. A PDF may have others before its signature (ISO 32000-1, annex H.3). */
const signatures: Readonly<Record<KnownType, (start: string) => boolean>> = {
  'image/gif': (start) => start.startsWith('GIF8'),
  'image/jpeg': (start) => start.startsWith('\xff\xd8\xff'),
  'image/png': (start) => start.startsWith('\x89PNG\r\n\x1a\n'),
  'image/webp': (start) => start.startsWith('RIFF') && start.startsWith('WEBP', 8),
  'image/tiff': (start) => start.startsWith('II*\0') || start.startsWith('MM\0*'),
  'application/pdf': (start) => start.includes('%PDF-'), // last, because a picture may hold these characters
};
const knownTypes = Object.keys(signatures) as KnownType[];

/** What the first bytes of a file say. */
export interface FileKind {
  /** absent if they are of no kind that is known here */
  readonly found?: KnownType;
  /** the media type that the insurer names is another one */
  readonly isOther: boolean;
}

const aliases: Readonly<Record<string, string>> = { 'application/x-pdf': 'application/pdf', 'image/jpg': 'image/jpeg' };

/** Returns a media type without parameters, in lower case. */
export function plainType(mediaType: string | undefined): string | undefined {
  const type = mediaType?.split(';')[0]?.trim().toLowerCase();
  return type === undefined ? undefined : (aliases[type] ?? type);
}

export const isShown = (type: string | undefined): type is ShownType =>
  (shownTypes as readonly (string | undefined)[]).includes(type);

/** Compares the first bytes of a file with the media type that the insurer names. */
export function kindOf(bytes: Uint8Array, mediaType: string | undefined): FileKind {
  const start = String.fromCharCode(...bytes.subarray(0, 1_024));
  const found = knownTypes.find((type) => signatures[type](start));
  const named = plainType(mediaType);
  const isKnown = (knownTypes as (string | undefined)[]).includes(named);
  const isOther = named !== undefined && (found === undefined ? isKnown : found !== named);
  return { ...(found !== undefined && { found }), isOther };
}
