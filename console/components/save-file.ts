/** Hands a file to the reader's downloads. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

type CsvValue = string | number | undefined;

/** A CSV file for a spreadsheet. @param separator as the reader's one has it: another leaves all in one column */
export const csvFile = (lines: readonly (readonly CsvValue[])[], separator: ',' | ';'): Blob => {
  const byteOrderMark = '\ufeff'; // or it is taken for another encoding
  return new Blob([byteOrderMark, ...lines.map((line) => csvLine(line, separator))], {
    type: 'text/csv;charset=utf-8',
  });
};

/** RFC 4180, every value quoted; what a spreadsheet would take for a formula is set behind an apostrophe. */
export const csvLine = (values: readonly CsvValue[], separator: ',' | ';'): string =>
  `${values.map((value) => csvValue(String(value ?? ''))).join(separator)}\r\n`;

const csvValue = (text: string): string =>
  `"${(/^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
