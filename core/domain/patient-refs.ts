/** Apart from what stands around it: the ID of a trace has 32 hex digits too, but between hyphens, and a SHA-256 has more. */
const patientRefs = /(?<![\w-])[0-9a-f]{32}(?![\w-])/g;

/** Everyone whom some texts name by pseudonym, each once. */
export const patientRefsIn = (texts: readonly string[]): string[] => [
  ...new Set(texts.flatMap((text) => text.match(patientRefs) ?? [])),
];
