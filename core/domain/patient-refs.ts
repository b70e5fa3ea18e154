/** Matches 32 hex digits on their own. A trace ID has 32 digits, too, but between hyphens, and a SHA-256 has more digits. */
const patientRefs = /(?<![\w-])[0-9a-f]{32}(?![\w-])/g;

/** Returns the distinct patientRefs in some texts. */
export const patientRefsIn = (texts: readonly string[]): string[] => [
  ...new Set(texts.flatMap((text) => text.match(patientRefs) ?? [])),
];
