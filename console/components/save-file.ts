import { type CsvValue, csvLine } from '../../core/csv.ts';

/** Saves a file in the user's downloads. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

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
