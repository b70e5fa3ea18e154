import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';
import { create, type Font } from 'fontkit';
import PDFDocument from 'pdfkit';
import type { Block, ReportDocument } from '../../core/domain/access-report.ts';

// `require` finds the fonts in the sources, and in a bundle, next to which infra/lambda-bundle.ts puts them.
const { resolve } = createRequire(import.meta.url);
const fontOf = (name: string): Buffer => readFileSync(resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));
const regular = fontOf('DejaVuSans');
const bold = fontOf('DejaVuSans-Bold');
const known = create(regular) as Font;

const marginPoints = 62;
const textPoints = 10;
/** Room that a heading needs below it, so that it does not stand alone at the end of a page. */
const headingRoomPoints = 90;
const ink = '#1a1a1a';
const warningInk = '#6b1010';

/**
 * Returns a report as a tagged PDF (PDF/UA-1, ISO 14289-1): with its language, title, headings, lists and bookmarks, and
 * with its fonts. Characters that the font lacks become U+FFFD, because PDF/UA forbids text without a glyph.
 */
export async function pdfOf(
  { language, title, subtitle, page, blocks }: ReportDocument,
  madeAt: Date,
): Promise<Buffer> {
  const pdf = new PDFDocument({
    size: 'A4',
    margin: marginPoints,
    pdfVersion: '1.7',
    tagged: true,
    lang: language,
    displayTitle: true,
    font: regular as unknown as string, // without it, pdfkit looks for the files of Helvetica
    info: { Title: title, Subject: subtitle, Creator: 'epa-sync', Producer: 'PDFKit', CreationDate: madeAt },
    autoFirstPage: false,
    bufferPages: true, // the numbers of pages are written at the end
  });
  // pdfkit's own option for PDF/UA also writes a CIDSet, as PDF/A-1 wants it. It leaves out the parts of letters like ä.
  pdf.appendXML(`
    <rdf:Description xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" rdf:about="">
      <pdfuaid:part>1</pdfuaid:part>
    </rdf:Description>`);
  const content = buffer(pdf);
  pdf.font(bold as unknown as string); // from here on, pdfkit knows both by their names
  pdf.addPage();

  const root = pdf.struct('Document');
  pdf.addStructure(root);
  const write = (
    parent: PDFKit.PDFStructureElement,
    type: string,
    text: string,
    options: PDFKit.Mixins.TextOptions = {},
  ) => {
    const element = pdf.struct(type);
    parent.add(element);
    element.add(() => pdf.text(readable(text), options));
    element.end();
  };
  const head = (level: 1 | 2 | 3, text: string) => {
    if (pdf.y > pdf.page.height - marginPoints - headingRoomPoints) pdf.addPage();
    pdf.fillColor(ink).font('DejaVuSans-Bold', { 1: 20, 2: 14, 3: 11 }[level]);
    pdf.moveDown(level === 1 ? 0 : 0.6);
    write(root, `H${level}`, text);
    pdf.moveDown(0.2).font('DejaVuSans', textPoints);
  };
  let section = pdf.outline;
  const add = (block: Block) => {
    switch (block.kind) {
      case 'heading':
        head(block.level, block.text);
        if (block.level === 2) section = pdf.outline.addItem(readable(block.text));
        else section.addItem(readable(block.text));
        return;
      case 'paragraph':
        pdf.fillColor(ink).font('DejaVuSans', textPoints);
        write(root, 'P', block.text);
        return void pdf.moveDown(0.5);
      case 'warning':
        pdf.fillColor(warningInk).font('DejaVuSans-Bold', textPoints);
        write(root, 'P', block.text);
        return void pdf.fillColor(ink).moveDown(0.5);
      case 'list':
        return addList(block.items);
    }
  };
  const addList = (items: Extract<Block, { kind: 'list' }>['items']) => {
    const list = pdf.struct('L');
    root.add(list);
    for (const { label, text } of items) {
      const item = pdf.struct('LI');
      list.add(item);
      const body = pdf.struct('LBody');
      item.add(body);
      body.add(() => {
        if (label !== undefined)
          pdf.font('DejaVuSans-Bold', textPoints).text(readable(`${label}: `), { continued: true });
        pdf.font('DejaVuSans', textPoints).text(readable(text));
      });
      body.end();
      item.end();
      pdf.moveDown(0.25);
    }
    list.end();
    pdf.moveDown(0.25);
  };

  head(1, title);
  pdf.font('DejaVuSans', textPoints);
  write(root, 'P', subtitle);
  pdf.moveDown();
  for (const block of blocks) add(block);
  root.end();
  const { count } = pdf.bufferedPageRange();
  for (let index = 0; index < count; index++) {
    pdf.switchToPage(index);
    pdf.page.margins.bottom = 0; // or a number below the margin would begin another page
    pdf.markContent('Artifact', { type: 'Pagination' });
    pdf.fillColor(ink).font('DejaVuSans', 8);
    pdf.text(`${page} ${index + 1}`, marginPoints, pdf.page.height - marginPoints / 2, { lineBreak: false });
    pdf.endMarkedContent();
  }
  pdf.end();
  return await content;
}

/** Returns text of characters that the fonts have. */
const readable = (text: string): string =>
  Array.from(text, (character) =>
    known.hasGlyphForCodePoint(character.codePointAt(0) ?? 0) ? character : '\ufffd',
  ).join('');
