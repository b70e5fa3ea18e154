import { expect, test } from 'vitest';
import { contentOf, findLink, isLinked, mergeRecords, withDocumentLinks } from './documents.ts';

const link = (name: string) => ({ href: `https://api.example.org/documents/${name}`, sizeBytes: 4, sha256: name });
const large = (...indexes: number[]) => ({
  id: 'large',
  linked: true,
  ...link('body'),
  documents: indexes.map((index) => ({ index, ...link(`d${index}`) })),
});
const small = { id: 'small', documents: [{ id: 'd', content: link('small') }] };
const pages = [{ careRecords: [small, large(0, 1)] }, { careRecords: [large(2)] }, { careRecords: [small] }];

test('a linked record that is spread over pages becomes one record with the links of all pages', () => {
  expect(mergeRecords(pages)).toEqual([small, large(0, 1, 2), small]);
});

test('two different linked records in a row stay two records', () => {
  const other = { ...large(0), sha256: 'other' };
  expect(mergeRecords([{ careRecords: [large(0)] }, { careRecords: [other] }])).toEqual([large(0), other]);
});

test('each document gets the link to its content, except a document whose link is on a later page', () => {
  const record = { id: 'large', note: 'n', documents: [0, 1, 2].map((id) => ({ id, contentBase64: '' })) };
  expect(withDocumentLinks(record, large(0, 2).documents)).toEqual({
    ...record,
    documents: [
      { id: 0, content: link('d0') },
      { id: 1, contentBase64: '' },
      { id: 2, content: link('d2') },
    ],
  });
});

test('a field content of the insurer in a large record does not pass for a link', () => {
  const record = { documents: [{ contentBase64: '', content: link('theirs') }, { content: link('theirs') }] };
  expect(withDocumentLinks(record, large(0).documents)['documents']).toEqual([
    { content: { ...link('d0'), insurerContent: link('theirs') } },
    { content: { insurerContent: link('theirs') } },
  ]);
});

test('elements of documents that are no objects stay as they were sent', () => {
  const record = { id: 'large', documents: [null, { id: 1, contentBase64: '' }, 'x', 5] };
  expect(withDocumentLinks(record, large(0, 1, 2).documents)['documents']).toEqual([
    null,
    { id: 1, content: link('d1') },
    'x',
    5,
  ]);
  for (const documents of [undefined, null, 'x', { 0: {} }])
    expect(withDocumentLinks({ documents }, large(0).documents)).toEqual({ documents });
  expect(
    findLink('none', [{ careRecords: [{ documents: [null, 'x', {}] }, { documents: { 0: link('none') } }] }]),
  ).toBe(undefined);
});

test('a document has content if there is a link, or a text itself; what the insurer sends in the shape of a link is none', () => {
  expect(contentOf({ content: link('d') })).toEqual(link('d'));
  expect(contentOf({ contentBase64: 'lone \ud83d' })).toBe('lone \ud83d');
  for (const contentBase64 of ['', null, undefined, 5, {}, link('d')])
    expect(contentOf({ contentBase64 })).toBe(undefined);
  for (const content of [{ ...link('d'), sizeBytes: 0 }, { insurerContent: link('d') }, null])
    expect(contentOf({ content })).toBe(undefined);
});

test('the newer link to the same text is found in records and documents of all pages', () => {
  for (const name of ['small', 'body', 'd0', 'd2']) expect(findLink(name, pages)).toMatchObject(link(name));
  expect(findLink('gone', pages)).toBeUndefined();
});

test('a field of the insurer that is named linked does not make a record a link', () => {
  expect(isLinked({ id: 'r', linked: true })).toBe(false);
  expect(isLinked({ id: 'r', linked: true, ...link('r') })).toBe(false);
  expect(isLinked(large())).toBe(true);
});
