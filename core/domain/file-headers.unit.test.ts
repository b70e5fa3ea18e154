import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contentDisposition, fileNameOf, mediaTypeOf } from './file-headers.ts';

test.each([
  ['Arztbrief', 'application/pdf', 'Arztbrief.pdf'],
  ['Arztbrief.PDF', 'application/pdf', 'Arztbrief.PDF'],
  ['Arztbrief „Befund“ 3/4', 'application/pdf; charset=x', 'Arztbrief Befund 3 4.pdf'],
  ['../../etc/passwd', 'text/plain', 'etc passwd.txt'],
  ['evil.html\r\nSet-Cookie: a=b', 'text/html', 'evil.html Set-Cookie a b.bin'],
  ['CON"; filename=x', undefined, 'CON filename x.bin'],
  ['😀', 'image/png', 'document.png'],
  [7, undefined, 'document.bin'],
])('the document %j of type %s is saved as %s', (title, mediaType, name) => {
  expect(fileNameOf(title, mediaType)).toBe(name);
});

test('a file name with other letters than ASCII is sent twice, so that each client finds one it can read', () => {
  expect(contentDisposition('Brief.pdf')).toBe('attachment; filename="Brief.pdf"');
  expect(contentDisposition('Größe 日.pdf')).toBe(
    `attachment; filename="Gro_e _.pdf"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E6%97%A5.pdf`,
  );
});

test('any title and any media type of the insurer gives valid headers', () => {
  const headers = new Headers();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (title, type) => {
      const name = fileNameOf(title, type);
      expect(name).toMatch(/^[^ ./\\:"][^/\\:"]*\.(bin|\w{3,4})$/u);
      headers.set('content-disposition', contentDisposition(name));
    }),
  );
  for (const type of ['text/plain; x="\r\ny"', 'pdf', 'text/plain; x="ü"', `a/b; x=${'y'.repeat(300)}`, 7])
    expect(mediaTypeOf(type)).toBeUndefined();
  for (const type of ['application/pdf', 'text/plain; charset=utf-8', 'image/svg+xml;x="a b"'])
    expect(mediaTypeOf(type)).toBe(type);
});
