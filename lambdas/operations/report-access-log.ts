import type { AccessEntry } from '../../core/domain/access.ts';
import { verifyPerson } from '../../core/domain/access-log.ts';
import { accessReport, type ReportFacts } from '../../core/domain/access-report.ts';
import { type LogPositions, readPeriod, readTogether, refsOfPerson } from '../../core/stores/linked-access-logs.ts';
import type { Stores } from '../../core/stores/open-stores.ts';
import { emulatorOriginOf } from '../http/api-url.ts';
import type { Call, Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

/** A report of so many entries takes seconds to write, and 29 s are the limit of API Gateway. */
const entriesMax = 10_000;
const entriesPerRead = 1_000;
/** Long enough to begin the download, but too short to pass the link on. */
const lifetimeSeconds = 300;

/** Makes a report of a person's access logs. Records the access first, so that the report has it, too. */
export const reportAccessLog: Handler<'reportAccessLog'> = async (call, { stores, patientRecord }) => {
  const { patientRef, body, accessDraft, apiUrl } = call;
  const { language, format, ...period } = body;
  const patientRefs = await refsOfPerson(stores.accessLog, patientRef);
  await requirePerson(stores.accessLog, patientRefs);
  await Promise.all(patientRefs.map(async (ref) => await patientRecord.recordAccess(accessDraft(ref))));
  const madeAt = new Date();
  const [entries, facts] = await Promise.all([
    readEntries(stores, patientRefs, period),
    verificationOf(stores, patientRefs, madeAt),
  ]);
  const report = accessReport({ madeAt, patientRefs, entries, period, ...facts }, language);
  const day = madeAt.toISOString().slice(0, 10);
  const file = {
    fileName: `${language === 'de' ? 'auskunft' : 'access-report'}-${patientRef.slice(0, 8)}-${day}.${format}`,
    mediaType: format === 'pdf' ? 'application/pdf' : 'text/html; charset=utf-8',
    bytes: await writers[format](report, madeAt),
  };
  const link = await stores.accessReports.put(patientRef, file, lifetimeSeconds, emulatorOriginOf(apiUrl));
  const { fileName, mediaType } = file;
  const expiresAt = new Date(Date.now() + lifetimeSeconds * 1000).toISOString();
  return { body: { ...link, fileName, mediaType, expiresAt }, isRecorded: true };
};

/** Loaded when needed: the PDF library and its fonts are larger than the rest of this Lambda. */
const writers = {
  html: async (report: ReturnType<typeof accessReport>): Promise<Buffer> =>
    Buffer.from((await import('../reports/html.ts')).htmlOf(report)),
  pdf: async (report: ReturnType<typeof accessReport>, madeAt: Date): Promise<Buffer> =>
    await (await import('../reports/pdf.ts')).pdfOf(report, madeAt),
};

/**
 * Refuses a report without a person, such as for a mistyped pseudonym: it would say that the data was not accessed. This
 * Lambda cannot read patients, but the log of each stored patient begins with the import, which is no entry of an auditor.
 * If its oldest entries have expired, it no longer begins with seq 1. If they were removed, it is broken.
 * @throws Problem `patient-unknown`
 */
async function requirePerson(accessLog: Stores['accessLog'], patientRefs: readonly string[]): Promise<void> {
  let position: LogPositions | undefined;
  do {
    const page = await readTogether(accessLog, patientRefs, entriesPerRead, position);
    if (position === undefined && (page.entries[0]?.seq ?? 1) > 1) return;
    if (page.entries.some(({ agent }) => agent.role !== 'auditor')) return;
    position = page.positions;
  } while (position !== undefined);
  const found = await Promise.all(patientRefs.map(async (ref) => await accessLog.verify(ref, new Date())));
  if (found.every(({ valid }) => valid)) throw new Problem('patient-unknown');
}

/** Reads the entries of a period, oldest first. @throws Problem `report-too-large` */
async function readEntries(
  { accessLog }: Pick<Stores, 'accessLog'>,
  patientRefs: readonly string[],
  { from, to }: Pick<Call<'reportAccessLog'>['body'], 'from' | 'to'>,
): Promise<readonly AccessEntry[]> {
  const fromMs = from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from);
  const toMs = to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to);
  const entries: AccessEntry[] = [];
  for await (const page of readPeriod(accessLog, patientRefs, { fromMs, toMs })) {
    entries.push(...page);
    if (entries.length > entriesMax) throw new Problem('report-too-large', { detail: 'Ask for a shorter period.' });
  }
  return entries;
}

async function verificationOf(
  { accessLog, accessAnchors }: Pick<Stores, 'accessLog' | 'accessAnchors'>,
  patientRefs: readonly string[],
  at: Date,
): Promise<Pick<ReportFacts, 'verification' | 'newestAnchors'>> {
  const logs = await Promise.all(
    patientRefs.map(async (patientRef) => {
      const [verification, anchors] = await Promise.all([
        accessLog.verify(patientRef, at),
        accessAnchors.read(patientRef),
      ]);
      return { patientRef, verification, newest: anchors.at(-1) };
    }),
  );
  return {
    verification: verifyPerson(logs.map(({ patientRef, verification }) => ({ patientRef, ...verification }))),
    newestAnchors: new Map(
      logs.flatMap(({ patientRef, newest }) => (newest === undefined ? [] : [[patientRef, newest] as const])),
    ),
  };
}
