import type { AccessEntry } from './access.ts';
import type { Anchor } from './access-anchor.ts';
import type { PersonVerification, Verification } from './access-log.ts';
import { type ReportTexts, reportTexts } from './access-report-texts.ts';
import { logProblemTexts, operationTexts, type ReportLanguage, roleTexts } from './access-texts.ts';
import { roleNames } from './role-names.ts';

/** A part of a report. Each format shows it in its own way (lambdas/reports/). */
export type Block =
  | { readonly kind: 'heading'; readonly level: 2 | 3; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  /** says that something is wrong, and stands out */
  | { readonly kind: 'warning'; readonly text: string }
  /** a list; `label` stands before the text of an item, such as its time */
  | { readonly kind: 'list'; readonly items: readonly { readonly label?: string; readonly text: string }[] };

/** A document for a patient, in one language, which needs no other source. */
export interface ReportDocument {
  readonly language: ReportLanguage;
  readonly title: string;
  /** below the title: the law that it answers to */
  readonly subtitle: string;
  /** before the number of a page */
  readonly page: string;
  readonly blocks: readonly Block[];
}

/** What a report is made from: all logs of one person, under all their KVNRs. */
export interface ReportFacts {
  readonly madeAt: Date;
  /** the one asked for first */
  readonly patientRefs: readonly string[];
  /** in the order of time */
  readonly entries: readonly AccessEntry[];
  /** set if the report holds only entries of a period; either end may be open. ISO 8601 */
  readonly period?: { readonly from?: string | undefined; readonly to?: string | undefined };
  readonly verification: PersonVerification;
  /** of each log, if there is one */
  readonly newestAnchors: ReadonlyMap<string, Anchor>;
}

/** Says in plain words who has accessed a person's data, and whether the log is complete (§ 309 SGB V, Art. 15 GDPR). */
export function accessReport(facts: ReportFacts, language: ReportLanguage): ReportDocument {
  const t = reportTexts[language];
  const times = timesIn(language);
  const broken = facts.verification.logs.filter(({ valid }) => !valid);
  return {
    language,
    title: t.title,
    subtitle: t.subtitle,
    page: t.page,
    blocks: [
      ...broken.map(({ patientRef, ...log }) =>
        warning(t.brokenAbove(brokenText(log, language), refIfSeveral(facts, patientRef))),
      ),
      paragraph(t.lead),
      list(summary(facts, t, times)),
      heading(2, t.peopleTitle),
      ...people(facts.entries, language),
      heading(2, t.readingTitle),
      ...t.reading.map(paragraph),
      heading(2, t.accessesTitle),
      ...accesses(facts, language, times),
      heading(2, t.systemTitle),
      paragraph(t.systemLead),
      list(t.system.map(([label, text]) => ({ label, text }))),
      heading(2, t.verificationTitle),
      paragraph(t.verificationLead),
      ...facts.verification.logs.flatMap(({ patientRef, ...log }) => verified(facts, patientRef, log, language, times)),
      paragraph(t.keep),
    ],
  };
}

/**
 * Returns what an entry says, as one sentence about who did what, and further ones about why and with what. Only an
 * access that took place has a purpose: in an attempt, the permission may be missing.
 * @param isOfSeveral the report holds several logs, so the entry says from which it is
 */
export function accessSentence(entry: AccessEntry, language: ReportLanguage, isOfSeveral = false): string {
  const t = reportTexts[language];
  const { operation, outcome, agent, entity, seq, patientRef } = entry;
  const { [language]: deed } = operationTexts[operation];
  const purpose = outcome === 'success' ? roleTexts[agent.role].purpose?.[language] : undefined;
  const who = whoOf(agent, language);
  const what = t.outcomes[outcome](who, deed);
  return [
    what,
    ...(purpose === undefined ? [] : [t.purpose(purpose)]),
    ...(entity === undefined ? [] : [t.entities[entity.kind](entity.id)]),
    t.number(seq, isOfSeveral ? patientRef : undefined),
  ].join(' ');
}

/** Returns a name without characters that could change how the rest of a line is read. */
const plain = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}]/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();

function whoOf({ who, name, role }: AccessEntry['agent'], language: ReportLanguage): string {
  if (role === 'system') return 'epa-sync';
  const t = reportTexts[language];
  const { [role]: roleName } = roleNames[language];
  return t.person(plain(name ?? ''), plain(who), role === 'none' ? roleName : t.role(roleName));
}

interface Times {
  readonly day: (time: string | Date) => string;
  /** with the offset from UTC, because an hour of autumn comes twice */
  readonly clock: (time: string | Date) => string;
}

/** Returns how the moments of a report are written: as clocks in Germany show them. */
export function timesIn(language: ReportLanguage): Times {
  const locale = { de: 'de-DE', en: 'en-GB' }[language];
  const timeZone = 'Europe/Berlin';
  const day = new Intl.DateTimeFormat(locale, {
    timeZone,
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  });
  const clock = new Intl.DateTimeFormat(locale, { timeZone, timeStyle: 'medium' });
  const zone = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  const offsetOf = (time: Date): string =>
    (zone.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? '').replace('GMT', 'UTC');
  return {
    day: (time) => day.format(new Date(time)),
    clock: (time) => `${clock.format(new Date(time))} (${offsetOf(new Date(time))})`,
  };
}

const paragraph = (text: string): Block => ({ kind: 'paragraph', text });
const warning = (text: string): Block => ({ kind: 'warning', text });
const heading = (level: 2 | 3, text: string): Block => ({ kind: 'heading', level, text });
const list = (items: Extract<Block, { kind: 'list' }>['items']): Block => ({ kind: 'list', items });

const refIfSeveral = ({ patientRefs }: ReportFacts, patientRef: string): string | undefined =>
  patientRefs.length > 1 ? patientRef : undefined;

function summary({ patientRefs, entries, madeAt, period }: ReportFacts, t: ReportTexts, { day, clock }: Times) {
  const moment = (time: string | Date): string => `${day(time)}, ${clock(time)}`;
  const { from, to } = period ?? {};
  return [
    ...patientRefs.map((ref) => ({ label: t.pseudonym, text: ref })),
    { label: t.madeAt, text: moment(madeAt) },
    { label: t.period, text: t.periodOf(from && moment(from), to && moment(to)) },
    { label: t.count, text: t.entries(entries.length) },
  ];
}

/** Lists who has accessed the data, the most frequent first. */
function people(entries: readonly AccessEntry[], language: ReportLanguage): Block[] {
  const t = reportTexts[language];
  const counts = new Map<string, number>();
  for (const { agent } of entries) {
    const who = whoOf(agent, language);
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  const items = [...counts].sort(([, a], [, b]) => b - a).map(([label, count]) => ({ label, text: t.entries(count) }));
  return items.length === 0 ? [paragraph(t.none)] : [list(items)];
}

/** Lists the entries of each day. */
function accesses({ entries, patientRefs }: ReportFacts, language: ReportLanguage, times: Times): Block[] {
  const days = Map.groupBy(entries, ({ recorded }) => times.day(recorded));
  if (days.size === 0) return [paragraph(reportTexts[language].none)];
  const itemOf = (entry: AccessEntry) => ({
    label: times.clock(entry.recorded),
    text: accessSentence(entry, language, patientRefs.length > 1),
  });
  return [...days].flatMap(([day, ofDay]) => [heading(3, day), list(ofDay.map(itemOf))]);
}

const brokenText = ({ firstBrokenSeq = 1, problem = 'changed' }: Verification, language: ReportLanguage): string =>
  reportTexts[language].broken(firstBrokenSeq, logProblemTexts[problem][language]);

/** An anchor comes within seconds. From this age on, an alarm tells the operators that one is missing, too. */
const anchorLateSeconds = 600;

/** Says what the verification of one log has found. */
function verified(
  facts: ReportFacts,
  patientRef: string,
  log: Verification,
  language: ReportLanguage,
  { day, clock }: Times,
): Block[] {
  const t = reportTexts[language];
  const anchor = facts.newestAnchors.get(patientRef);
  const ref = refIfSeveral(facts, patientRef);
  const age = log.oldestUnanchoredSeconds ?? 0;
  return [
    ...(ref === undefined ? [] : [heading(3, t.logOf(ref))]),
    log.valid ? paragraph(t.valid(log.entries)) : warning(brokenText(log, language)),
    ...(log.unanchored === 0
      ? []
      : age < anchorLateSeconds
        ? [paragraph(t.unanchoredYet(log.unanchored))]
        : [warning(t.unanchored(log.unanchored, Math.ceil(age / 3_600)))]),
    ...(anchor === undefined
      ? [paragraph(t.noAnchor)]
      : [
          list([
            { label: t.anchorEntry, text: String(anchor.seq) },
            { label: t.anchorHash, text: anchor.hash },
            ...(anchor.writtenAt === undefined
              ? []
              : [
                  {
                    label: t.anchorWritten,
                    text: `${day(new Date(anchor.writtenAt * 1000))}, ${clock(new Date(anchor.writtenAt * 1000))}`,
                  },
                ]),
          ]),
        ]),
  ];
}
