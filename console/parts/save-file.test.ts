import { expect, test } from 'vitest';
import { csvLine } from './save-file.ts';

test('commas, quotes and line breaks stay within their value', () => {
  expect(csvLine(['a,b', 'say "hi"', 'x\ny', undefined, 7])).toBe('"a,b","say ""hi""","x\ny",,7\r\n');
});

test('what a spreadsheet would take for a formula is a text', () => {
  expect(csvLine(['=HYPERLINK("x")', '-1+2', '@a'])).toBe(`"'=HYPERLINK(""x"")",'-1+2,'@a\r\n`);
});
