/** Maximum length of an ETag that we keep. We send it back, and servers refuse requests whose headers have more than some KB. */
const etagCharsMax = 1_024;

/** Returns an ETag if it can be sent back. */
export const keepable = (etag: string | undefined): string | undefined =>
  etag !== undefined && etag.length <= etagCharsMax ? etag : undefined;
