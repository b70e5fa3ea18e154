import { expect, test } from 'vitest';
import { kindOf } from './file-kind.ts';

const fileOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

test.each([
  ['%PDF-1.7', 'application/pdf', { found: 'application/pdf', isOther: false }],
  ['\n\n%PDF-1.7', 'Application/PDF; x=y', { found: 'application/pdf', isOther: false }],
  [`${' '.repeat(1_020)}%PDF-1.7`, 'application/pdf', { isOther: true }],
  ['\x89PNG\r\n\x1a\n', 'image/png', { found: 'image/png', isOther: false }],
  ['\xff\xd8\xff\xe0', 'image/jpg', { found: 'image/jpeg', isOther: false }],
  ['RIFF\0\0\0\0WEBPVP8 ', 'image/webp', { found: 'image/webp', isOther: false }],
  ['GIF89a', 'image/png', { found: 'image/gif', isOther: true }],
  ['II*\0', 'text/plain', { found: 'image/tiff', isOther: true }],
  ['<html>', 'application/pdf', { isOther: true }],
  ['', 'image/png', { isOther: true }],
  ['<html>', 'text/plain', { isOther: false }],
  ['%PDF-1.7', undefined, { found: 'application/pdf', isOther: false }],
])('the file that begins with %j and is called %s is recognized', (text, mediaType, kind) => {
  expect(kindOf(fileOf(text), mediaType)).toEqual(kind);
});
