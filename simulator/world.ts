import { createHash } from 'node:crypto';
import { careAnswer } from './care-answer.ts';
import { indexOf, kvnrOf } from './kvnr-numbers.ts';
import {
  type MalformedEntry,
  malformationKinds,
  malformedEntry,
  malformedEntryFor,
  patientEntry,
} from './patient-entry.ts';
import { hash32, seededRandom } from './random.ts';

export interface WorldOptions {
  seed: number;
  /** Number of patients on the first day. */
  patients: number;
  /** Entries that repeat another entry byte by byte. */
  identicalDuplicates?: number;
  /** Entries that repeat a KVNR of the list with another address. */
  differingDuplicates?: number;
  /** Entries that violate the contract. The kinds take turns. */
  malformedEntries?: number;
  /** Share of the listed patients whose care records are answered with 410. */
  notInsuredShare?: number;
  /** Share of the listed patients whose care records are answered with 404. */
  unknownShare?: number;
  /** Number of people who are insured, and come to the list only with the next `new` ones. */
  newlyInsured?: number;
  /** Number of patients with one document of `largeDocumentBytes`. */
  largeDocuments?: number;
  largeDocumentBytes?: number;
  /** Number of patients with one record of more than 400 KB. */
  largeRecords?: number;
}

/** Changes of a day. A number lets the seed choose the patients. A list names them by KVNR. */
export interface NextDay {
  gone?: number | readonly string[];
  new?: number;
  changed?: number | readonly string[];
  /** Patients whose entries are malformed from this day on, with a readable KVNR. */
  spoiled?: number | readonly string[];
  /** Patients who are listed under another KVNR from this day on, with the same data. */
  newKvnr?: number | readonly string[];
}

export type ListMode = 'normal' | 'empty' | 'truncated';
export type Step =
  | ({ kind: 'next-day' } & NextDay)
  | { kind: 'unchanged-day' }
  /** the insurer is back at the list of the first day, with its tag */
  | { kind: 'first-day' }
  | { kind: 'list'; mode: ListMode; share?: number };

export type CareKind = 'ok' | '410' | '404';

/** True data of one KVNR on today's list. */
export interface WorldPatient {
  kvnr: string;
  kind: CareKind;
  /** Its entries as JSON text, in the order of the list. Duplicates have more than one. */
  entries: string[];
  isSpoiled: boolean;
  /** The body of the answer as JSON text, or null if the insurer answers 410 or 404. */
  careRecords: string | null;
}

/** Today's list. It is immutable, so that an answer in flight does not change when the day ends. */
export interface ListContent {
  /** Opaque tag of these bytes, without quotes. */
  tag: string;
  positions: number;
  /** Returns the JSON text of the entry at a position, or undefined if the patient is gone. */
  entryAt(position: number): string | undefined;
}

interface Roster {
  enrolled: number;
  gone: ReadonlySet<number>;
  versions: ReadonlyMap<number, number>;
  spoiled: ReadonlySet<number>;
  /** by the index of a KVNR: the index under which its person was enrolled first, if that is another one */
  people: ReadonlyMap<number, number>;
}

/** Everyone whom the insurer knows. Data is generated from the seed on demand. Only changes of the days are stored. */
export class World {
  readonly options: Required<WorldOptions>;
  readonly steps: Step[] = [];
  day = 0;
  list: ListContent;
  readonly #kvnrOffset: number;
  readonly #entrySeed: number;
  #roster: Roster;

  constructor(options: WorldOptions, steps: readonly Step[] = []) {
    this.options = withDefaults(options);
    this.#kvnrOffset = hash32(options.seed, 'kvnr') % 2_600_000_000;
    this.#entrySeed = hash32(options.seed, 'entry');
    this.#roster = this.#firstRoster();
    this.list = this.#content();
    for (const step of steps) this.apply(step);
  }

  /** Applies a step. An unchanged day keeps the bytes of the list, with its order and tag. */
  apply(step: Step): void {
    if (step.kind === 'next-day') this.#roster = this.#nextRoster(step); // first, because it throws for an unknown KVNR
    if (step.kind === 'first-day') this.#roster = this.#firstRoster();
    this.steps.push(step);
    if (step.kind !== 'list') this.day += 1;
    if (step.kind !== 'unchanged-day') this.list = this.#content();
  }

  kvnrAt(index: number): string {
    return kvnrOf(index, this.#kvnrOffset);
  }

  careKind(kvnr: string): CareKind {
    const index = this.#insuredIndex(kvnr);
    if (index === undefined) return '404';
    if (this.#roster.gone.has(index)) return '410';
    if (isEvery(index, this.options.notInsuredShare, 0.5)) return '410';
    return isEvery(index, this.options.unknownShare, 0.6) ? '404' : 'ok';
  }

  /** Returns the body of the care-records answer, or undefined for an unknown KVNR. */
  careRecords(kvnr: string): string | undefined {
    const index = this.#insuredIndex(kvnr);
    if (index === undefined) return undefined;
    const { largeDocuments, largeDocumentBytes, largeRecords, patients } = this.options;
    return careAnswer(this.#entrySeed, kvnr, index, this.#versionOf(index), {
      largeDocumentBytes: isOneOf(index, largeDocuments, patients, 0) ? largeDocumentBytes : 0,
      largeRecordChars: isOneOf(index, largeRecords, patients, 1) ? 420_000 : 0,
    });
  }

  /** Returns the opaque tag of one patient's answer, without quotes. */
  careTag(kvnr: string): string {
    return `care-${hash32(this.#entrySeed, kvnr, this.#versionOf(this.#insuredIndex(kvnr) ?? -1)).toString(36)}`;
  }

  /** Returns the KVNR of another patient, for the fault `wrong-patient`. */
  otherKvnr(kvnr: string): string {
    const index = this.#knownIndex(kvnr) ?? 0;
    return this.kvnrAt(this.#roster.enrolled > 1 ? (index + 1) % this.#roster.enrolled : index + 1);
  }

  /** Returns the true data of today's list, in its order. For tests only, because it is all in memory. */
  patients(): WorldPatient[] {
    const byKvnr = new Map<string, WorldPatient>();
    for (const { index, text } of this.#listedPatients()) {
      const kvnr = this.kvnrAt(index);
      const known = byKvnr.get(kvnr);
      if (known !== undefined) known.entries.push(text);
      else byKvnr.set(kvnr, this.#truthOf(kvnr, index, text));
    }
    return [...byKvnr.values()];
  }

  malformed(): MalformedEntry[] {
    return Array.from({ length: this.options.malformedEntries }, (_, number) =>
      malformedEntry(this.#kvnrOffset, number),
    );
  }

  #truthOf(kvnr: string, index: number, text: string): WorldPatient {
    const kind = this.careKind(kvnr);
    const isSpoiled = this.#roster.spoiled.has(index);
    return {
      kvnr,
      kind,
      entries: [text],
      isSpoiled,
      careRecords: kind === 'ok' ? (this.careRecords(kvnr) ?? null) : null,
    };
  }

  *#listedPatients(): Generator<{ index: number; text: string }> {
    for (let position = 0; position < this.list.positions; position++) {
      const text = this.list.entryAt(position);
      const kvnr = text?.match(/"kvnr":"([A-Z][0-9]{9})"/)?.[1];
      const index = kvnr === undefined ? undefined : this.#knownIndex(kvnr);
      if (text !== undefined && index !== undefined) yield { index, text };
    }
  }

  /** Returns the index of somebody who is or was on the list. */
  #knownIndex(kvnr: string): number | undefined {
    const index = this.#insuredIndex(kvnr);
    return index !== undefined && index < this.#roster.enrolled ? index : undefined;
  }

  #insuredIndex(kvnr: string): number | undefined {
    const index = indexOf(kvnr, this.#kvnrOffset);
    const { enrolled } = this.#roster;
    return index !== undefined && index < enrolled + this.options.newlyInsured ? index : undefined;
  }

  #versionOf(index: number): number {
    return this.#roster.versions.get(index) ?? 0;
  }

  #firstRoster(): Roster {
    return {
      enrolled: this.options.patients,
      gone: new Set(),
      versions: new Map(),
      spoiled: new Set(),
      people: new Map(),
    };
  }

  #nextRoster({ gone = 0, new: added = 0, changed = 0, spoiled = 0, newKvnr = 0 }: NextDay): Roster {
    const before = this.#roster;
    const random = seededRandom(this.options.seed, 'day', this.day);
    const taken = new Set([...before.gone, ...before.spoiled]);
    const choose = (whom: number | readonly string[]): number[] => {
      const chosen: number[] = [];
      const stillThere = before.enrolled - taken.size;
      const count = typeof whom === 'number' ? Math.min(whom, stillThere) : 0;
      for (let at = Math.floor(random() * before.enrolled); chosen.length < count; at = (at + 1) % before.enrolled) {
        if (count < stillThere / 2 && random() < 0.5) continue; // spreads the chosen patients
        if (taken.has(at)) continue;
        taken.add(at);
        chosen.push(at);
      }
      return typeof whom === 'number' ? chosen : whom.map((kvnr) => this.#indexOrThrow(kvnr));
    };
    const versions = new Map(before.versions);
    const goneToday = choose(gone);
    for (const index of choose(changed)) versions.set(index, (versions.get(index) ?? 0) + 1);
    const spoiledToday = choose(spoiled);
    const people = new Map(before.people);
    const renumbered = choose(newKvnr);
    for (const [number, old] of renumbered.entries()) {
      const index = before.enrolled + added + number;
      people.set(index, people.get(old) ?? old);
      versions.set(index, versions.get(old) ?? 0);
    }
    return {
      enrolled: before.enrolled + added + renumbered.length,
      people,
      gone: new Set([...before.gone, ...goneToday, ...renumbered]),
      versions,
      spoiled: new Set([...before.spoiled, ...spoiledToday]),
    };
  }

  #indexOrThrow(kvnr: string): number {
    const index = this.#knownIndex(kvnr);
    if (index === undefined) throw new RangeError('no patient of the simulated world has this KVNR');
    return index;
  }

  #content(): ListContent {
    const roster = this.#roster;
    const entrySeed = this.#entrySeed;
    const kvnrOffset = this.#kvnrOffset;
    const { seed, patients, identicalDuplicates, differingDuplicates, malformedEntries } = this.options;
    const sinceFirstDay = this.steps.slice(this.steps.findLastIndex((step) => step.kind === 'first-day') + 1);
    const mode = sinceFirstDay.findLast((step) => step.kind === 'list') ?? { kind: 'list', mode: 'normal' };
    const changes = sinceFirstDay.filter((step) => step.kind !== 'unchanged-day');
    const tag = createHash('sha256')
      .update(JSON.stringify([this.options, changes]))
      .digest('hex')
      .slice(0, 24);

    const entry = (index: number, isOther = false): string | undefined => {
      if (roster.gone.has(index) || index >= roster.enrolled) return undefined;
      const kvnr = kvnrOf(index, kvnrOffset);
      if (roster.spoiled.has(index)) return malformedEntryFor(kvnr);
      const version = roster.versions.get(index) ?? 0;
      return patientEntry(entrySeed, kvnr, roster.people.get(index) ?? index, isOther ? -1 - version : version);
    };
    const identicalFrom = roster.enrolled;
    const differingFrom = identicalFrom + identicalDuplicates;
    const malformedFrom = differingFrom + differingDuplicates;
    const slots = malformedFrom + malformedEntries;
    const slotText = (slot: number): string | undefined => {
      if (slot < identicalFrom) return entry(slot);
      if (slot < differingFrom) return entry(spread(slot - identicalFrom, identicalDuplicates, patients));
      if (slot < malformedFrom) return entry(spread(slot - differingFrom, differingDuplicates, patients) + 1, true);
      return malformedEntry(kvnrOffset, slot - malformedFrom).text;
    };

    const shuffle = seededRandom(seed, 'order', changes.length);
    const first = Math.floor(shuffle() * slots);
    const step = coprime(Math.floor(slots * (0.3 + 0.3 * shuffle())), slots);
    const share = mode.mode === 'empty' ? 0 : mode.mode === 'truncated' ? (mode.share ?? 0.3) : 1;
    return {
      tag,
      positions: Math.floor(slots * share),
      entryAt: (position) => slotText((first + position * step) % slots),
    };
  }
}

function withDefaults(options: WorldOptions): Required<WorldOptions> {
  const { patients } = options;
  const isTiny = patients < 10;
  const duplicates = isTiny ? 0 : Math.max(2, Math.floor(patients / 1000));
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    identicalDuplicates: duplicates,
    differingDuplicates: duplicates,
    malformedEntries: Math.min(malformationKinds, Math.floor(patients / 22)) + Math.floor(patients / 10_000), // below UNREADABLE_LIMIT_PERCENT
    notInsuredShare: 0.02,
    unknownShare: 0.01,
    newlyInsured: 0,
    largeDocuments: isTiny ? 0 : 2,
    largeDocumentBytes: 2_000_000,
    largeRecords: isTiny ? 0 : 1,
    ...options,
    ...given,
  };
}

/** Selects exactly `share` of all indices, evenly spread, so that a small world has 410s, too. */
const isEvery = (index: number, share: number, phase: number): boolean =>
  Math.floor((index + 1) * share + phase) > Math.floor(index * share + phase);

const spread = (number: number, count: number, patients: number): number => Math.floor((number * patients) / count);

function isOneOf(index: number, count: number, patients: number, shift: number): boolean {
  if (count <= 0) return false;
  const number = Math.round(((index - shift) * count) / patients);
  return number >= 0 && number < count && spread(number, count, patients) + shift === index;
}

/**
 * Returns the smallest number from `from` up that is coprime to `modulus`. Steps of that size visit every position
 * once.
 */
function coprime(from: number, modulus: number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let step = Math.max(1, from);
  while (modulus > 1 && divisor(step, modulus) !== 1) step += 1;
  return step;
}
