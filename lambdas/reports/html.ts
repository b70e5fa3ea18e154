import type { Block, ReportDocument } from '../../core/domain/access-report.ts';

/** Returns a report as one HTML file, which needs no network, no script and no other file. */
export function htmlOf({ language, title, subtitle, blocks }: ReportDocument): string {
  const body = blocks.map(elementOf).join('\n');
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header>
<h1>${escaped(title)}</h1>
<p>${escaped(subtitle)}</p>
</header>
${body}
</main>
</body>
</html>
`;
}

function elementOf(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h${block.level}>${escaped(block.text)}</h${block.level}>`;
    case 'paragraph':
      return `<p>${escaped(block.text)}</p>`;
    case 'warning':
      return `<p class="warning"><strong>${escaped(block.text)}</strong></p>`;
    case 'list':
      return `<ul>\n${block.items.map(({ label, text }) => `<li>${label === undefined ? '' : `<b>${escaped(label)}:</b> `}${escaped(text)}</li>`).join('\n')}\n</ul>`;
  }
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** Names come from tokens, so they may hold anything. */
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character] ?? character);

/** Text keeps the size that the reader has set. Contrasts are 7:1 and more. */
const style = `
:root { color-scheme: light; }
body { font-family: system-ui, sans-serif; line-height: 1.5; color: #1a1a1a; background: #fff; margin: 0; }
main { max-width: 45rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; border-top: 1px solid #767676; padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
ul { padding-left: 1.25rem; }
li { margin: .35rem 0; }
.warning { border-left: .4rem solid #8a1c1c; background: #fdf1f1; color: #6b1010; padding: .75rem; }
@media print { main { max-width: none; padding: 0; } h2, h3 { break-after: avoid; } li, .warning { break-inside: avoid; } @page { margin: 2cm; } }
`;
