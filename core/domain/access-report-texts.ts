import type { AccessDraft } from './access.ts';
import type { AccessOutcome, OperationTexts, ReportLanguage } from './access-texts.ts';

/** The fixed words of a report for a patient. Both languages say the same. */
export interface ReportTexts {
  readonly title: string;
  readonly subtitle: string;
  readonly page: string;
  readonly lead: string;
  readonly pseudonym: string;
  readonly madeAt: string;
  readonly period: string;
  /** @param from absent: since the oldest entry. @param to absent: until the report was made */
  periodOf(from: string | undefined, to: string | undefined): string;
  readonly count: string;
  entries(count: number): string;
  readonly none: string;
  readonly peopleTitle: string;
  readonly readingTitle: string;
  readonly reading: readonly string[];
  readonly accessesTitle: string;
  role(name: string): string;
  /** @param name may be empty. @param role the text of `role`, or that there is none */
  person(name: string, id: string, role: string): string;
  readonly outcomes: Readonly<Record<AccessOutcome, (who: string, deed: OperationTexts[ReportLanguage]) => string>>;
  purpose(purpose: string): string;
  readonly entities: Readonly<Record<NonNullable<AccessDraft['entity']>['kind'], (id: string) => string>>;
  number(seq: number, log: string | undefined): string;
  readonly systemTitle: string;
  readonly systemLead: string;
  readonly system: readonly (readonly [label: string, text: string])[];
  readonly verificationTitle: string;
  readonly verificationLead: string;
  logOf(ref: string): string;
  valid(entries: number): string;
  /** @param what such as `was replaced` */
  broken(seq: number, what: string): string;
  /** @param broken the sentence of `broken` */
  brokenAbove(broken: string, ref: string | undefined): string;
  /** the entries are minutes old */
  unanchoredYet(count: number): string;
  unanchored(count: number, hours: number): string;
  readonly noAnchor: string;
  readonly anchorEntry: string;
  readonly anchorHash: string;
  readonly anchorWritten: string;
  readonly keep: string;
}

const de: ReportTexts = {
  title: 'Wer hat auf meine Daten zugegriffen?',
  subtitle: 'Auskunft aus dem Zugriffsprotokoll (§ 309 SGB V, Art. 15 DSGVO)',
  page: 'Seite',
  lead: 'epa-sync übernimmt Ihre Stammdaten und Ihre Versorgungen von Ihrer Krankenkasse. Jeder Zugriff darauf wird in einem Protokoll festgehalten, auch jeder Versuch. Dieses Dokument enthält alle Einträge des Protokolls in dem unten genannten Zeitraum. Es nennt weder Ihren Namen noch Ihre Versichertennummer: Sie stehen hier unter einer Kennung.',
  pseudonym: 'Ihre Kennung',
  madeAt: 'Erstellt',
  period: 'Zeitraum',
  periodOf: (from, to) =>
    `${from === undefined ? 'vom ältesten aufbewahrten Eintrag' : `ab ${from}`} ${to === undefined ? 'bis zur Erstellung dieser Auskunft' : `bis vor ${to}`}`,
  count: 'Umfang',
  entries: (count) => (count === 1 ? '1 Eintrag' : `${count.toLocaleString('de-DE')} Einträge`),
  none: 'In diesem Zeitraum gibt es keinen Eintrag.',
  peopleTitle: 'Wer kommt in diesem Protokoll vor?',
  readingTitle: 'So lesen Sie das Protokoll',
  reading: [
    'Das Protokoll ist nach Tagen geordnet, das Älteste zuerst. Alle Zeiten sind Ortszeit in Deutschland. In Klammern steht der Abstand zur Weltzeit (UTC): UTC+01:00 im Winter, UTC+02:00 im Sommer.',
    'Bei Personen und anderen Programmen steht in Klammern die Kennung ihres Benutzerkontos und ihre Rolle. Der genannte Zweck ergibt sich aus dieser Rolle, denn sie erlaubt den Zugriff. Bei Versuchen, die verweigert wurden oder nicht gelangen, steht kein Zweck. Warum im Einzelfall zugegriffen wurde, steht nicht im Protokoll. Das Protokoll zeigt, welches Benutzerkonto verwendet wurde, nicht, wer am Gerät saß.',
    'Ein Eintrag wird drei Jahre lang aufbewahrt und dann gelöscht. Das Protokoll bleibt auch erhalten, wenn Ihre Daten gelöscht werden. Es enthält keine medizinischen Angaben.',
  ],
  accessesTitle: 'Die Zugriffe',
  role: (name) => `Rolle: ${name}`,
  person: (name, id, role) =>
    name === '' ? `Benutzerkonto ${id} (${role})` : `${name} (Benutzerkonto ${id}, ${role})`,
  outcomes: {
    success: (who, { done }) => `${who} hat ${done}.`,
    refused: (who, { tried }) => `${who} hat versucht, ${tried}. Das wurde verweigert, weil die Berechtigung fehlte.`,
    failed: (who, { tried }) =>
      `${who} hat versucht, ${tried}. Das ist nicht gelungen, und es wurden keine Daten geliefert.`,
  },
  purpose: (purpose) => `Zweck: ${purpose}.`,
  entities: {
    document: (id) => `Dokument mit der Prüfsumme „${id}“.`,
    sync: (id) => `Anlass: der Abgleich „${id}“.`,
    list: (id) => `Anlass: die Liste „${id}“ der Krankenkasse.`,
    export: (id) => `Export mit der Kennung „${id}“.`,
  },
  number: (seq, log) => (log === undefined ? `Eintrag ${seq}.` : `Eintrag ${seq} des Protokolls ${log}.`),
  systemTitle: 'Was epa-sync selbst tut',
  systemLead:
    'Bei Einträgen, in denen epa-sync handelt, hat kein Mensch Ihre Daten gesehen. Es sind automatische Vorgänge:',
  system: [
    [
      'Täglicher Abgleich',
      'Jeden Tag liest epa-sync die Liste der Versicherten Ihrer Krankenkasse. Stehen Sie neu darauf, werden Ihre Daten übernommen. Haben sich Ihre Stammdaten geändert, werden sie geändert. Stehen Sie nicht mehr darauf, werden Ihre Daten gelöscht.',
    ],
    [
      'Versorgungen holen',
      'Danach holt epa-sync Ihre Versorgungen von der Krankenkasse und wiederholt das von Zeit zu Zeit. Ein Eintrag entsteht, wenn sie übernommen wurden.',
    ],
    [
      'Abgleich auf Anforderung',
      'Eine Person kann anfordern, dass Ihre Versorgungen sofort neu geholt werden. Die Anforderung ist ein eigener Eintrag dieser Person.',
    ],
    [
      'Löschen',
      'Meldet die Krankenkasse, dass Sie dort nicht mehr versichert oder nicht bekannt sind, werden Ihre Daten gelöscht. Dieses Protokoll bleibt.',
    ],
    [
      'Neue Versichertennummer',
      'Mit einer neuen Versichertennummer bekommen Sie eine neue Kennung und ein neues Protokoll. Diese Auskunft enthält alle Ihre Protokolle, die miteinander verbunden wurden.',
    ],
    [
      'Anker',
      'Von jedem Eintrag entsteht außerhalb des Protokolls eine Prüfsumme, der Anker. Dabei werden Ihre Daten nicht gelesen, und es entsteht kein Eintrag.',
    ],
  ],
  verificationTitle: 'Ist dieses Protokoll vollständig?',
  verificationLead:
    'Die Einträge sind durch Prüfsummen zu einer Kette verbunden: Jede Prüfsumme hängt von allen Einträgen davor ab. Wer einen Eintrag nachträglich ändert oder entfernt, zerreißt die Kette. Beim Erstellen dieser Auskunft wurde das ganze Protokoll geprüft und mit seinen Ankern verglichen, auch die Einträge außerhalb des Zeitraums.',
  logOf: (ref) => `Protokoll der Kennung ${ref}`,
  valid: (entries) =>
    entries === 1
      ? 'Ergebnis: Das Protokoll ist vollständig und unverändert. Es hat einen Eintrag.'
      : `Ergebnis: Das Protokoll ist vollständig und unverändert. Alle ${entries.toLocaleString('de-DE')} Einträge sind so, wie sie geschrieben wurden.`,
  broken: (seq, what) =>
    `Das Protokoll ist beschädigt: Eintrag ${seq} ${what}. Den Einträgen ab dieser Stelle können Sie nicht vertrauen, und es können Einträge fehlen.`,
  brokenAbove: (broken, ref) =>
    `Achtung. ${ref === undefined ? '' : `Kennung ${ref}: `}${broken} Fragen Sie bitte die Stelle, von der Sie diese Auskunft haben.`,
  unanchoredYet: (count) =>
    count === 1
      ? 'Der Anker des jüngsten Eintrags entsteht noch. Das dauert einige Sekunden.'
      : `Die Anker von ${count} Einträgen der letzten Minuten entstehen noch. Das dauert einige Sekunden.`,
  unanchored: (count, hours) =>
    `${count === 1 ? 'Einem Eintrag fehlt sein Anker' : `${count.toLocaleString('de-DE')} Einträgen fehlt ihr Anker`}, seit bis zu ${hours === 1 ? 'einer Stunde' : `${hours.toLocaleString('de-DE')} Stunden`}. Das allein ist kein Zeichen einer Veränderung. Diese Einträge sind aber nur durch die Kette geschützt.`,
  noAnchor: 'Zu diesem Protokoll gibt es noch keinen Anker. Seine Einträge sind nur durch die Kette geschützt.',
  anchorEntry: 'Der jüngste Anker gehört zu Eintrag',
  anchorHash: 'Seine Prüfsumme (SHA-256)',
  anchorWritten: 'Er wurde geschrieben',
  keep: 'Bewahren Sie dieses Dokument auf. Damit können Sie das Protokoll auch später prüfen lassen: Solange der genannte Eintrag aufbewahrt wird, muss er dieselbe Prüfsumme haben. Ist sie eine andere, wurde das Protokoll verändert. Die Stelle, von der Sie diese Auskunft haben, kann die Prüfsumme im Protokoll und im Schlüssel des Ankers nachsehen.',
};

const en: ReportTexts = {
  title: 'Who has accessed my data?',
  subtitle: 'Information from the access log (Section 309 SGB V, Art. 15 GDPR)',
  page: 'Page',
  lead: 'epa-sync receives your personal details and your care records from your health insurer. Every access to them is recorded in a log, and every attempt. This document holds all entries of the log in the period named below. It names neither you nor your insurance number: here, you have a pseudonym.',
  pseudonym: 'Your pseudonym',
  madeAt: 'Made',
  period: 'Period',
  periodOf: (from, to) =>
    `${from === undefined ? 'from the oldest entry that is kept' : `from ${from}`} ${to === undefined ? 'until this report was made' : `until before ${to}`}`,
  count: 'Extent',
  entries: (count) => (count === 1 ? '1 entry' : `${count.toLocaleString('en-GB')} entries`),
  none: 'There is no entry in this period.',
  peopleTitle: 'Who is in this log?',
  readingTitle: 'How to read the log',
  reading: [
    'The log is in the order of days, the oldest first. All times are local time in Germany. The offset from universal time (UTC) is in brackets: UTC+01:00 in winter, UTC+02:00 in summer.',
    'After the name of a person or of another program, the ID of their user account and their role are in brackets. The purpose follows from this role, because the role permits the access. Attempts that were refused or did not succeed have none. The log does not say why your data was accessed in a particular case. It shows which user account was used, not who sat at the keyboard.',
    'An entry is kept for three years, and then deleted. The log is kept even if your data is deleted. It holds no medical details.',
  ],
  accessesTitle: 'The accesses',
  role: (name) => `role: ${name}`,
  person: (name, id, role) => (name === '' ? `User account ${id} (${role})` : `${name} (user account ${id}, ${role})`),
  outcomes: {
    success: (who, { done }) => `${who} ${done}.`,
    refused: (who, { tried }) => `${who} tried to ${tried}. This was refused, because the permission was missing.`,
    failed: (who, { tried }) => `${who} tried to ${tried}. This did not succeed, and no data was delivered.`,
  },
  purpose: (purpose) => `Purpose: ${purpose}.`,
  entities: {
    document: (id) => `Document with the checksum “${id}”.`,
    sync: (id) => `Occasion: the sync “${id}”.`,
    list: (id) => `Occasion: the list “${id}” of the insurer.`,
    export: (id) => `Export with the ID “${id}”.`,
  },
  number: (seq, log) => (log === undefined ? `Entry ${seq}.` : `Entry ${seq} of the log ${log}.`),
  systemTitle: 'What epa-sync does itself',
  systemLead: 'In entries in which epa-sync acts, no human has seen your data. They are automatic processes:',
  system: [
    [
      'Daily sync',
      'Each day, epa-sync reads the list of people who are insured with your insurer. If you are new on it, your data is stored. If your personal details have changed, they are changed. If you are no longer on it, your data is deleted.',
    ],
    [
      'Fetching care records',
      'Then epa-sync fetches your care records from the insurer, and repeats that from time to time. There is an entry when they have been stored.',
    ],
    [
      'Sync on demand',
      'A person can request that your care records are fetched again at once. The request is an entry of its own, of that person.',
    ],
    [
      'Deletion',
      'If the insurer reports that you are no longer insured there, or unknown, your data is deleted. This log is kept.',
    ],
    [
      'New insurance number',
      'With a new insurance number you get a new pseudonym and a new log. This report holds all your logs that have been linked.',
    ],
    [
      'Anchors',
      'Of each entry, a checksum is kept outside the log: the anchor. Your data is not read for it, and there is no entry.',
    ],
  ],
  verificationTitle: 'Is this log complete?',
  verificationLead:
    'The entries are linked to a chain by checksums: each checksum depends on all entries before. If somebody changes or removes an entry later, the chain breaks. When this report was made, the whole log was verified and compared with its anchors, and so were the entries outside the period.',
  logOf: (ref) => `Log of the pseudonym ${ref}`,
  valid: (entries) =>
    entries === 1
      ? 'Result: the log is complete and unchanged. It has one entry.'
      : `Result: the log is complete and unchanged. All ${entries.toLocaleString('en-GB')} entries are as they were written.`,
  broken: (seq, what) =>
    `The log is damaged: entry ${seq} ${what}. You cannot trust the entries from there on, and entries may be missing.`,
  brokenAbove: (broken, ref) =>
    `Attention. ${ref === undefined ? '' : `Pseudonym ${ref}: `}${broken} Please ask those who gave you this report.`,
  unanchoredYet: (count) =>
    count === 1
      ? 'The anchor of the newest entry is being made. That takes some seconds.'
      : `The anchors of ${count} entries of the last minutes are being made. That takes some seconds.`,
  unanchored: (count, hours) =>
    `${count === 1 ? 'One entry has no anchor' : `${count.toLocaleString('en-GB')} entries have no anchor`}, for up to ${hours === 1 ? 'one hour' : `${hours.toLocaleString('en-GB')} hours`}. This alone is no sign of a change. But only the chain protects these entries.`,
  noAnchor: 'This log has no anchor yet. Only the chain protects its entries.',
  anchorEntry: 'The newest anchor belongs to entry',
  anchorHash: 'Its checksum (SHA-256)',
  anchorWritten: 'It was written',
  keep: 'Keep this document. With it, the log can be verified later, too: as long as the named entry is kept, it must have the same checksum. If it is another one, the log was changed. Those who gave you this report can look up the checksum in the log, and in the key of the anchor.',
};

export const reportTexts: Readonly<Record<ReportLanguage, ReportTexts>> = { de, en };
