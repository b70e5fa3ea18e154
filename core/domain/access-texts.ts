import type { AccessDraft, AccessOperation } from './access.ts';
import type { LogProblem } from './access-log.ts';

/**
 * What the kinds of access and the roles mean: for those who read FHIR, and for patients, who read sentences. A kind or a
 * role without its words does not compile.
 */

/** The languages of texts for patients. */
export const reportLanguages = ['de', 'en'] as const;
export type ReportLanguage = (typeof reportLanguages)[number];
export const reportFormats = ['pdf', 'html'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export type AccessRole = AccessDraft['agent']['role'];
export type AccessOutcome = AccessDraft['outcome'];

/** What somebody did, in two forms: in German after `hat` and `hat versucht,`, in English after a name and `tried to`. */
interface Deed {
  readonly done: string;
  readonly tried: string;
}

export interface OperationTexts extends Readonly<Record<ReportLanguage, Deed>> {
  /** definition in the code system of FHIR, in a sentence */
  readonly meaning: string;
}

export const operationTexts: Readonly<Record<AccessOperation, OperationTexts>> = {
  lookup: {
    meaning: 'The pseudonym of the patient was looked up.',
    de: {
      done: 'mit Ihrer Versichertennummer nachgesehen, unter welcher Kennung Ihre Daten gespeichert sind',
      tried: 'mit Ihrer Versichertennummer nachzusehen, unter welcher Kennung Ihre Daten gespeichert sind',
    },
    en: {
      done: 'used your insurance number to look up the pseudonym under which your data is stored',
      tried: 'use your insurance number to look up the pseudonym under which your data is stored',
    },
  },
  found: {
    meaning: 'A search by name and birth date has found the patient.',
    de: {
      done: 'nach Namen und Geburtsdatum gesucht und dabei Sie gefunden',
      tried: 'nach Namen und Geburtsdatum zu suchen, und Sie passten dazu',
    },
    en: {
      done: 'searched by name and birth date and found you',
      tried: 'search by name and birth date, and you fitted',
    },
  },
  'read-patient': {
    meaning: 'The patient and their care records were read.',
    de: {
      done: 'Ihre Stammdaten und Ihre Versorgungen gelesen',
      tried: 'Ihre Stammdaten und Ihre Versorgungen zu lesen',
    },
    en: {
      done: 'read your personal details and your care records',
      tried: 'read your personal details and your care records',
    },
  },
  'read-document': {
    meaning: 'A document was read.',
    de: { done: 'ein Dokument aus Ihren Versorgungen gelesen', tried: 'ein Dokument aus Ihren Versorgungen zu lesen' },
    en: { done: 'read a document of your care records', tried: 'read a document of your care records' },
  },
  'request-sync': {
    meaning: 'A sync of the care records was requested.',
    de: {
      done: 'angefordert, dass Ihre Versorgungen neu von der Krankenkasse geholt werden',
      tried: 'anzufordern, dass Ihre Versorgungen neu von der Krankenkasse geholt werden',
    },
    en: {
      done: 'requested that your care records be fetched from your insurer again',
      tried: 'request that your care records be fetched from your insurer again',
    },
  },
  'read-sync': {
    meaning: 'The state of the last sync on demand was read.',
    de: {
      done: 'nachgesehen, ob Ihre Versorgungen schon neu geholt wurden',
      tried: 'nachzusehen, ob Ihre Versorgungen schon neu geholt wurden',
    },
    en: {
      done: 'checked whether your care records had been fetched again',
      tried: 'check whether your care records had been fetched again',
    },
  },
  'read-access-log': {
    meaning: 'The access log was read.',
    de: { done: 'dieses Protokoll Ihrer Zugriffe gelesen', tried: 'dieses Protokoll Ihrer Zugriffe zu lesen' },
    en: { done: 'read this log of accesses to your data', tried: 'read this log of accesses to your data' },
  },
  'verify-access-log': {
    meaning: 'The access log was verified.',
    de: {
      done: 'geprüft, ob dieses Protokoll vollständig und unverändert ist',
      tried: 'zu prüfen, ob dieses Protokoll vollständig und unverändert ist',
    },
    en: {
      done: 'checked that this log is complete and unchanged',
      tried: 'check that this log is complete and unchanged',
    },
  },
  'report-access-log': {
    meaning: 'A report of the access log was made for the patient.',
    de: { done: 'eine Auskunft wie diese für Sie erstellt', tried: 'eine Auskunft wie diese für Sie zu erstellen' },
    en: { done: 'made a report like this one for you', tried: 'make a report like this one for you' },
  },
  'read-workflow-payload': {
    meaning: 'A payload of a workflow that names the patient was decrypted.',
    de: {
      done: 'bei der Fehlersuche technische Daten entschlüsselt, in denen Sie vorkommen',
      tried: 'bei der Fehlersuche technische Daten zu entschlüsseln, in denen Sie vorkommen',
    },
    en: {
      done: 'decrypted technical data that names you, to look for a fault',
      tried: 'decrypt technical data that names you, to look for a fault',
    },
  },
  export: {
    meaning: 'The patient was written into an export.',
    de: {
      done: 'Ihre Stammdaten und Ihre Versorgungen mit denen aller anderen in einem Export erhalten',
      tried: 'Ihre Stammdaten und Ihre Versorgungen in einem Export zu erhalten',
    },
    en: {
      done: 'received your personal details and your care records in an export, with those of everybody else',
      tried: 'receive your personal details and your care records in an export',
    },
  },
  import: {
    meaning: 'The patient or their care records were stored as new.',
    de: {
      done: 'Ihre Stammdaten oder Ihre Versorgungen von der Krankenkasse übernommen',
      tried: 'Ihre Stammdaten oder Ihre Versorgungen von der Krankenkasse zu übernehmen',
    },
    en: {
      done: 'stored your personal details or your care records, as sent by your insurer',
      tried: 'store your personal details or your care records, as sent by your insurer',
    },
  },
  change: {
    meaning: 'The patient was changed.',
    de: {
      done: 'geänderte Stammdaten von der Krankenkasse übernommen',
      tried: 'geänderte Stammdaten von der Krankenkasse zu übernehmen',
    },
    en: {
      done: 'stored changes of your personal details, as sent by your insurer',
      tried: 'store changes of your personal details, as sent by your insurer',
    },
  },
  removal: {
    meaning: 'The patient was removed.',
    de: {
      done: 'Ihre Stammdaten und Ihre Versorgungen gelöscht',
      tried: 'Ihre Stammdaten und Ihre Versorgungen zu löschen',
    },
    en: {
      done: 'deleted your personal details and your care records',
      tried: 'delete your personal details and your care records',
    },
  },
  'kvnr-change': {
    meaning: 'The same person has another KVNR.',
    de: {
      done: 'erkannt, dass Ihre Versichertennummer gewechselt hat, und Ihre Protokolle miteinander verbunden',
      tried: 'Ihre Protokolle nach einem Wechsel Ihrer Versichertennummer miteinander zu verbinden',
    },
    en: {
      done: 'found that your insurance number has changed, and linked your logs',
      tried: 'link your logs after a change of your insurance number',
    },
  },
};

interface RoleTexts {
  /** definition in the code system of FHIR, in a sentence */
  readonly meaning: string;
  /** absent if the role permits nothing */
  readonly purpose?: Readonly<Record<ReportLanguage, string>>;
}

/** The log holds no purpose of an access: it follows from the role, under which the access was allowed. */
export const roleTexts: Readonly<Record<AccessRole, RoleTexts>> = {
  operator: {
    meaning: 'Runs epa-sync.',
    purpose: { de: 'Betrieb und Fehlersuche', en: 'operation and looking for faults' },
  },
  management: {
    meaning: 'Sees progress and history.',
    purpose: { de: 'Überblick über den Abgleich', en: 'overview of the sync' },
  },
  clinician: {
    meaning: 'Treats patients.',
    purpose: { de: 'Ihre Behandlung', en: 'your treatment' },
  },
  auditor: {
    meaning: 'Reads access logs.',
    purpose: { de: 'Kontrolle der Zugriffe, Auskunft an Sie', en: 'control of accesses, information for you' },
  },
  integration: {
    meaning: 'Another system that follows changes, reads patients and takes exports.',
    purpose: {
      de: 'Übernahme Ihrer Daten in ein anderes System',
      en: 'taking your data over into another system',
    },
  },
  system: {
    meaning: 'epa-sync itself.',
    purpose: { de: 'Abgleich mit der Krankenkasse', en: 'sync with your insurer' },
  },
  none: {
    meaning: 'The token has no role of epa-sync.',
  },
};

/** What is wrong with an entry, after its number. */
export const logProblemTexts: Readonly<Record<LogProblem, Readonly<Record<ReportLanguage, string>>>> = {
  changed: { de: 'ist nicht so, wie er geschrieben wurde', en: 'is not as it was written' },
  missing: { de: 'wurde vor der Zeit entfernt', en: 'was removed before its time' },
  'differs-from-anchor': {
    de: 'wurde nachträglich ersetzt: Er weicht von seinem Anker ab',
    en: 'was replaced later: it differs from its anchor',
  },
  'anchored-twice': {
    de: 'wurde zweimal geschrieben, mit verschiedenem Inhalt',
    en: 'was written twice, with different content',
  },
};
