import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { expect, test } from 'vitest';
import { factsOf, logOf } from '../../core/domain/access-report.fixture.ts';
import { accessReport } from '../../core/domain/access-report.ts';
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

test('a name with markup is text in the HTML', () => {
  const [entry] = logOf(1);
  if (entry === undefined) throw new Error('no entry');
  const agent = { who: '"><script>', name: '<img src=x onerror=alert(1)>&', role: 'clinician' as const };
  const html = htmlOf(accessReport(factsOf([{ ...entry, agent }]), 'de'));
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;&amp; (Benutzerkonto &quot;&gt;&lt;script&gt;,');
  expect(html).not.toMatch(/<script|<img|<link|https?:/);
});
