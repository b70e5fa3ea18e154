import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCanvas } from '@napi-rs/canvas';
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import type { AccessDraft, AccessEntry } from '../core/domain/access.ts';
import { linkEntry } from '../core/domain/access-log.ts';
import { factsOf, patientRef } from '../core/domain/access-report.fixture.ts';
import { accessReport } from '../core/domain/access-report.ts';
import { pdfOf } from '../lambdas/reports/pdf.ts';

// `npm run report-pictures` saves two pages of a report in docs/images/, for docs/reference/access-log.md.

const vogt = { who: 'demo-clinician', name: 'Dr. Miriam Vogt', role: 'clinician' } as const;
const sahin = { who: 'ayse.sahin', name: 'Ayşe Şahin', role: 'clinician' } as const;
const brandt = { who: 'demo-operator', name: 'Jonas Brandt', role: 'operator' } as const;
const auditor = { who: 'demo-auditor', name: 'Łucja Erdős', role: 'auditor' } as const;
const system = { who: 'epa-sync', role: 'system' } as const;
const list = { kind: 'list', id: '20261124T023000Z-1f3a9c0e-1' } as const;
const sync = { kind: 'sync', id: '1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e' } as const;

type Access = readonly [
  time: string,
  agent: AccessDraft['agent'],
  operation: AccessDraft['operation'],
  more?: Partial<AccessDraft>,
];
const accesses: readonly Access[] = [
  ['2026-10-24T02:41:12.000Z', system, 'import', { entity: list }],
  ['2026-10-24T03:02:55.000Z', system, 'import', { entity: sync }],
  ['2026-10-25T00:58:03.000Z', sahin, 'lookup'],
  ['2026-10-25T00:58:04.000Z', sahin, 'read-patient'],
  ['2026-11-24T09:14:30.000Z', vogt, 'lookup'],
  ['2026-11-24T09:14:31.000Z', vogt, 'read-patient'],
  [
    '2026-11-24T09:15:10.000Z',
    vogt,
    'read-document',
    { entity: { kind: 'document', id: '9f86d081884c7d659a2feaa0c55ad015' } },
  ],
  ['2026-11-24T09:15:42.000Z', vogt, 'request-sync'],
  ['2026-11-24T09:15:44.000Z', system, 'import', { entity: sync }],
  ['2026-11-24T11:30:00.000Z', brandt, 'read-patient', { outcome: 'refused' }],
  ['2026-11-29T02:40:27.000Z', system, 'change', { entity: list }],
  ['2026-11-30T06:40:55.000Z', auditor, 'lookup'],
  ['2026-11-30T06:41:00.000Z', auditor, 'report-access-log'],
];

const entries: AccessEntry[] = [];
for (const [recorded, agent, operation, more] of accesses) {
  const source = { component: agent.role === 'system' ? 'sync' : 'api' } as const;
  const draft = { id: recorded, patientRef, recorded, operation, outcome: 'success', agent, source, ...more } as const;
  entries.push(linkEntry(draft, entries.at(-1)));
}
const facts = factsOf(entries);
const bytes = await pdfOf(accessReport(facts, 'de'), facts.madeAt);
const pdf = await getDocument({ data: new Uint8Array(bytes), verbosity: 0 }).promise;
for (const [name, number] of [
  ['access-report', 1],
  ['access-report-verification', pdf.numPages],
] as const) {
  const page = await pdf.getPage(number);
  const viewport = page.getViewport({ scale: 1.3 });
  const canvas = createCanvas(viewport.width, viewport.height);
  await page.render({ canvas: canvas as never, viewport }).promise;
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'images', `${name}.png`), await canvas.encode('png'));
}
console.log(`${pdf.numPages} pages`);
