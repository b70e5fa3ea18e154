/** Hands a file to the reader's downloads. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * One line of a CSV file (RFC 4180). What a spreadsheet would take for a formula is set behind an apostrophe.
 */
export const csvLine = (values: readonly (string | number | undefined)[]): string =>
  `${values.map((value) => csvValue(String(value ?? ''))).join(',')}\r\n`;

const csvValue = (text: string): string => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
