export type CsvValue = string | number | undefined;

/** Returns one line (RFC 4180) with every value quoted. An apostrophe before a formula makes it text. */
export const csvLine = (values: readonly CsvValue[], separator: ',' | ';'): string =>
  `${values.map((value) => csvValue(String(value ?? ''))).join(separator)}\r\n`;

const csvValue = (text: string): string =>
  `"${(/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
