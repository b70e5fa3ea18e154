import { getDocument, OPS } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { expect, test } from 'vitest';
import { factsOf, logOf } from '../../core/domain/access-report.fixture.ts';
import { accessReport, type Block } from '../../core/domain/access-report.ts';
import { reportLanguages } from '../../core/domain/access-texts.ts';
import { htmlOf } from './html.ts';
import { pdfOf } from './pdf.ts';

const madeAt = new Date('2026-11-30T06:41:00Z');
const openPdf = async (bytes: Buffer) => await getDocument({ data: new Uint8Array(bytes), verbosity: 0 }).promise;

/** Returns the text of all pages without their numbers, with one blank between words. */
async function textOf(bytes: Buffer): Promise<string> {
  const pdf = await openPdf(bytes);
  const texts: string[] = [];
  for (let page = 1; page <= pdf.numPages; page++) {
    const { items } = await (await pdf.getPage(page)).getTextContent();
    texts.push(
      ...items.map((item) => ('str' in item ? item.str : '')).filter((line) => !/^(Seite|Page) \d+$/.test(line)),
    );
  }
  return texts.join(' ').replace(/\s+/g, ' ');
}

test.each(reportLanguages)(
  'the PDF has its language, its title, headings, lists and bookmarks (%s)',
  async (language) => {
    const report = accessReport(factsOf(logOf(80)), language);
    const pdf = await openPdf(await pdfOf(report, madeAt));
    expect(await pdf.getMetadata()).toMatchObject({ info: { Title: report.title, Language: language } });
    expect(await pdf.getMarkInfo()).toEqual(
      new Map([
        ['Marked', true],
        ['UserProperties', false],
        ['Suspects', false],
      ]),
    );
    const bookmarks = await pdf.getOutline();
    const sections = report.blocks.flatMap((block) =>
      block.kind === 'heading' && block.level === 2 ? [block.text] : [],
    );
    expect(bookmarks.map(({ title }) => title)).toEqual(sections);
    expect(bookmarks[2]?.items.length).toBeGreaterThan(2); // the days
    const structure = JSON.stringify(await (await pdf.getPage(2)).getStructTree());
    for (const role of ['Document', 'H3', 'L', 'LI', 'LBody']) expect(structure).toContain(`"role":"${role}"`);
  },
);

test('the PDF holds the text of the HTML, and letters of all European languages', async () => {
  const report = accessReport(factsOf(logOf(40)), 'de');
  const text = await textOf(await pdfOf(report, madeAt));
  for (const name of ['Ayşe Şahin', 'Paweł Łukasik', 'Erdős Mártonné', 'Jürgen Groß-Öztürk', 'Ἀθηνᾶ Παππᾶ'])
    expect(text).toContain(name);
  expect(text).not.toContain('山田');
  const html = htmlOf(report);
  expect(html).toContain('山田太郎');
  for (const block of report.blocks) {
    const parts = block.kind === 'list' ? block.items.map((item) => item.text) : [block.text];
    for (const part of parts.filter((each) => !each.includes('山田'))) {
      expect(text).toContain(part);
      expect(html).toContain(part);
    }
  }
});

test('every line is on a page, in its size, and each page has its number, at any place where a page may end', async () => {
  const entries = 40;
  const pagesWere = new Set<number>();
  for (let before = 0; before < 48; before += 3) {
    const blocks: Block[] = [
      ...Array.from({ length: before }, (): Block => ({ kind: 'paragraph', text: 'before' })),
      { kind: 'paragraph', text: 'A paragraph of many words. '.repeat(60) },
      {
        kind: 'list',
        items: Array.from({ length: entries }, (_, index) => ({
          label: `11:48:${index}`,
          text: `entry ${index}. ${'More words. '.repeat((index * before) % 23)}`,
        })),
      },
      { kind: 'heading', level: 2, text: 'The check' },
      { kind: 'warning', text: 'The end' },
    ];
    const pdf = await openPdf(
      await pdfOf({ language: 'en', title: 'Report', subtitle: 'All', page: 'Page', blocks }, madeAt),
    );
    pagesWere.add(pdf.numPages);
    const texts: string[] = [];
    for (let number = 1; number <= pdf.numPages; number++) {
      const page = await pdf.getPage(number);
      const [, , width = 0, height = 0] = page.view;
      const items = (await page.getTextContent()).items.flatMap((item) =>
        'str' in item && item.str.trim() ? [item] : [],
      );
      const footers = items.filter((item) => item.transform[5] < 62);
      expect(footers.map(({ str }) => str)).toEqual([`Page ${number}`]);
      const lines = items.filter((item) => !footers.includes(item));
      expect(lines.length).toBeGreaterThan(0);
      for (const { str, transform, width: length } of lines) {
        const [, , , sizePoints, x, y] = transform;
        expect([10, 11, 14, 20], str).toContain(sizePoints);
        expect(x, str).toBeGreaterThanOrEqual(62);
        expect(x + length, str).toBeLessThanOrEqual(width - 61);
        expect(y, str).toBeLessThanOrEqual(height - 62);
        texts.push(str);
      }
      let depth = 0;
      for (const operator of (await page.getOperatorList()).fnArray) {
        if (operator === OPS.save) depth += 1;
        if (operator === OPS.restore) depth -= 1;
        expect(depth).toBeGreaterThanOrEqual(0);
      }
      expect(depth).toBe(0);
    }
    const text = texts.join(' ').replace(/\s+/g, ' ');
    for (let index = 0; index < entries; index++) expect(text).toContain(`11:48:${index}: entry ${index}.`);
    expect(text).toMatch(/The check The end$/);
  }
  expect(pagesWere.size).toBeGreaterThan(2);
});

test('a name with markup is text in the HTML', () => {
  const [entry] = logOf(1);
  if (entry === undefined) throw new Error('no entry');
  const agent = { who: '"><script>', name: '<img src=x onerror=alert(1)>&', role: 'clinician' as const };
  const html = htmlOf(accessReport(factsOf([{ ...entry, agent }]), 'de'));
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;&amp; (Benutzerkonto &quot;&gt;&lt;script&gt;,');
  expect(html).not.toMatch(/<script|<img|<link|https?:/);
});
