import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { AccessDraft, AccessEntry } from '../../core/domain/access.ts';
import { anchorKey } from '../../core/domain/access-anchor.ts';
import { reportFormats, reportLanguages } from '../../core/domain/access-texts.ts';
import { type Api, newKvnr, openApi } from '../http/api.fixture.ts';
import { problemType } from '../http/problems.ts';

/** Checks PDF/UA-1 with veraPDF. Without Java and Maven, its test is skipped. */
const validator = join(import.meta.dirname, '..', '..', 'test', 'pdf-ua', 'validate');
const hasJava = ['/usr/bin/mvn', '/usr/bin/javac'].every((file) => existsSync(file));

let api: Api;
let patientRef: string;
beforeAll(async () => {
  api = await openApi();
  ({ patientRef } = await api.storePatient('[]'));
  await api.ask('readPatient', { role: 'clinician', params: { patientRef } });
  await api.ask('readPatient', { role: 'operator', params: { patientRef } });
});

const report = async (body: object, ref = patientRef) =>
  await api.ask('reportAccessLog', { role: 'auditor', params: { patientRef: ref }, body });
const entriesOf = async (ref = patientRef): Promise<readonly AccessEntry[]> =>
  (await api.stores.accessLog.read(ref, 1_000)).entries;

test('an auditor gets a document that names each access, its own making too, and whether the log is complete', async () => {
  const { status, json } = await report({ language: 'de', format: 'html' });
  expect(status).toBe(200);
  const day = new Date().toISOString().slice(0, 10);
  expect(json).toMatchObject({
    fileName: `auskunft-${patientRef.slice(0, 8)}-${day}.html`,
    mediaType: 'text/html; charset=utf-8',
  });
  const answer = await fetch(json.href); // without a token
  expect(answer.headers.get('content-type')).toBe(json.mediaType);
  expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${json.fileName}"`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  expect(bytes.byteLength).toBe(json.sizeBytes);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(json.sha256);
  const html = bytes.toString();
  expect(html).toContain('hat Ihre Stammdaten und Ihre Versorgungen gelesen.');
  expect(html).toContain('Das wurde verweigert, weil die Berechtigung fehlte.');
  expect(html).toContain('hat eine Auskunft wie diese für Sie erstellt.');
  expect(html).toContain('Das Protokoll ist vollständig und unverändert.');
  const entries = await entriesOf();
  expect(entries.at(-1)).toMatchObject({
    operation: 'report-access-log',
    outcome: 'success',
    agent: { role: 'auditor' },
  });
  expect(html).toContain(`Eintrag ${entries.at(-1)?.seq}.`);
});

test('the newest anchor stands in the report, and a log that was changed is said in the first place', async () => {
  const { patientRef: ref } = await api.storePatient('[]');
  await api.ask('readPatient', { role: 'clinician', params: { patientRef: ref } });
  const [entry] = await entriesOf(ref);
  if (entry === undefined) throw new Error('no entry');
  const { seq, expiresAt = 0, hash } = entry;
  await api.stores.accessAnchors.put(anchorKey(ref, { seq, expiresAt, hash }));
  const read = async () =>
    await (await fetch((await report({ language: 'en', format: 'html' }, ref)).json.href)).text();
  const good = await read();
  expect(good).toContain(hash);
  expect(good).toContain('the log is complete and unchanged');
  await api.stores.accessAnchors.put(anchorKey(ref, { seq, expiresAt, hash: 'f'.repeat(64) }));
  const bad = await read();
  expect(bad).toMatch(
    /<\/header>\n<p class="warning"><strong>Attention\. The log is damaged: entry 1 was written twice/,
  );
  expect(bad).not.toContain('the log is complete and unchanged');
});

test('a period leaves out other entries, and a caller without the role gets nothing', async () => {
  const { json } = await report({ language: 'de', format: 'html', to: '2020-01-01T00:00:00Z' });
  expect(await (await fetch(json.href)).text()).toContain('In diesem Zeitraum gibt es keinen Eintrag.');
  const refused = await api.ask('reportAccessLog', {
    role: 'clinician',
    params: { patientRef },
    body: { language: 'de', format: 'pdf' },
  });
  expect(refused.json.type).toBe(problemType('forbidden'));
  expect((await entriesOf()).at(-1)).toMatchObject({ operation: 'report-access-log', outcome: 'refused' });
});

test('a pseudonym without a person has no report, even if auditors have looked before', async () => {
  const params = { patientRef: api.refOf(newKvnr()) };
  await api.ask('readAccessLog', { role: 'auditor', params });
  for (let attempt = 0; attempt < 2; attempt++) {
    const { json } = await report({ language: 'de', format: 'html' }, params.patientRef);
    expect(json.type).toBe(problemType('patient-unknown'));
  }
  expect(await entriesOf(params.patientRef)).toMatchObject([
    { operation: 'read-access-log', outcome: 'success' },
    { operation: 'report-access-log', outcome: 'failed' },
    { operation: 'report-access-log', outcome: 'failed' },
  ]);
});

test('a removed patient has a report, also if only the log is left, or what is left of it', async () => {
  const removed = api.refOf(newKvnr());
  await api.stores.accessLog.appendFirst([imported(removed)]);
  expect((await report({ language: 'de', format: 'html' }, removed)).status).toBe(200);

  const emptied = api.refOf(newKvnr());
  const seq = 7;
  await api.stores.accessAnchors.put(anchorKey(emptied, { seq, expiresAt: 4_000_000_000, hash: 'f'.repeat(64) }));
  const { json } = await report({ language: 'de', format: 'html' }, emptied);
  expect(await (await fetch(json.href)).text()).toContain('Das Protokoll ist beschädigt');
});

const imported = (ref: string): AccessDraft => ({
  id: `import:${ref}`,
  patientRef: ref,
  recorded: new Date().toISOString(),
  operation: 'import',
  outcome: 'success',
  agent: { who: 'epa-sync', role: 'system' },
  source: { component: 'sync' },
});

test.skipIf(!hasJava && process.env['CI'] === undefined)(
  'veraPDF finds no error against PDF/UA-1 in either language',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'epa-sync-pdf-ua-'));
    const reads = Array.from(
      { length: 60 },
      (_, index): AccessDraft => ({ ...imported(patientRef), id: `page:${index}` }),
    );
    await api.stores.accessLog.append(patientRef, reads); // some pages
    try {
      const files = await Promise.all(
        reportLanguages.map(async (language) => {
          const { json } = await report({ language, format: reportFormats[0] });
          const file = join(dir, `${language}.pdf`);
          writeFileSync(file, Buffer.from(await (await fetch(json.href)).arrayBuffer()));
          return file;
        }),
      );
      const printed = await new Promise<string>((resolve, reject) => {
        execFile(validator, files, (error, stdout, stderr) => {
          if (error !== null) reject(new Error(`veraPDF could not run: ${stderr}`));
          else resolve(stdout);
        });
      });
      const lines = printed.trim().split('\n');
      expect(lines.filter((line) => line.startsWith('ERROR'))).toEqual([]);
      expect(lines.filter((line) => /^checked\t.*\t\d{4,}$/.test(line))).toHaveLength(files.length);
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
  300_000, // the first run on a machine fetches veraPDF
);
