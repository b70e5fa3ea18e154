/** Saves a file in the user's downloads. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

type CsvValue = string | number | undefined;

/**
 * Returns a CSV file for a spreadsheet.
 * @param separator of the user's locale: with another one, all values end up in one column
 */
export const csvFile = (lines: readonly (readonly CsvValue[])[], separator: ',' | ';'): Blob => {
  const byteOrderMark = '\ufeff'; // without it, spreadsheets assume another encoding
  return new Blob([byteOrderMark, ...lines.map((line) => csvLine(line, separator))], {
    type: 'text/csv;charset=utf-8',
  });
};

/** Returns one line (RFC 4180) with every value quoted. An apostrophe before a formula makes it text. */
export const csvLine = (values: readonly CsvValue[], separator: ',' | ';'): string =>
  `${values.map((value) => csvValue(String(value ?? ''))).join(separator)}\r\n`;

const csvValue = (text: string): string =>
  `"${(/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
