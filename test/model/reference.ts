import type { List } from './insurer.ts';
import type { Content } from './world.ts';

/** A provisional patient. */
interface Provisional {
  /** of the answer with the current records */
  readonly answer: number;
  /** no list was in progress when the records were stored, so the next one certainly finds the person */
  readonly isSettled: boolean;
}

/**
 * The reference model of the data. The tables are what the last accepted list says, without those removed after a 410. An
 * open question, a rejection and an invalid entry keep a person. A sync of somebody who is not stored makes a provisional
 * patient, who is kept until a list that was requested later lacks them.
 */
export class Reference {
  readonly tables = new Map<number, Content>();
  /** those in the tables whom no list has named */
  readonly provisional = new Map<number, Provisional>();
  /** several results are right, because two things about this person have happened at the same time */
  readonly uncertain = new Map<number, ReadonlySet<Content | undefined>>();
  /** the people that an approval removes, by the question */
  readonly questions = new Map<string, Set<number>>();
  /** the provisional patients whom an approval may remove, by the question */
  readonly perhapsRemoved = new Map<string, ReadonlySet<number>>();
  /** removals that the access log must have, as `{person} removal:{listId}` */
  readonly removals = new Set<string>();
  /** what lists have stored and changed, as `{person} import:{listId}` and `{person} change:{listId}` */
  readonly written = new Set<string>();
  /** who was removed last, by the list or the question that removed them */
  readonly removedBy = new Map<string, Map<number, Content>>();
  /** the list that stored or changed a person last */
  readonly #listedBy = new Map<number, string>();

  /** Number of listed people in the tables. */
  get listed(): number {
    return [...this.tables.values()].filter((content) => content !== 'provisional').length;
  }

  /**
   * Takes a list that has been applied.
   * @param answer number of the answer that was the list
   * @returns the people who are certainly stored and listed, and not on it
   */
  accept(listId: string, list: List, asks: boolean, answer: number): readonly number[] {
    const contents = contentsOf(list);
    for (const [person, [first, ...others]] of contents) {
      const inTable = this.tables.get(person);
      const stored = inTable === 'provisional' ? undefined : inTable;
      const all = [first, ...others].filter((content) => content !== undefined);
      const isKnown = !this.uncertain.has(person);
      if (stored === undefined || !isKnown) this.written.add(`${person} import:${listId}`);
      if (stored !== undefined || !isKnown) this.written.add(`${person} change:${listId}`);
      this.uncertain.delete(person);
      if (first === undefined && !isKnown) this.uncertain.set(person, new Set([inTable, undefined]));
      if (first === undefined || (isKnown && stored !== undefined && all.includes(stored))) continue;
      this.tables.set(person, first);
      this.provisional.delete(person);
      if (others.length > 0 || !isKnown) this.uncertain.set(person, new Set(all));
      if (isKnown) this.#listedBy.set(person, listId);
      else this.#listedBy.delete(person);
    }
    const absent = [...this.tables.keys()].filter((person) => !contents.has(person));
    const perhapsGone = absent.filter((person) => {
      const known = this.provisional.get(person);
      return known !== undefined && !known.isSettled && known.answer < answer;
    });
    if (!asks) for (const person of perhapsGone) this.mayBe(person, undefined);
    const gone = absent.filter((person) => {
      const known = this.provisional.get(person);
      return known === undefined || (known.isSettled && known.answer < answer);
    });
    const certain = gone.filter((person) => !this.uncertain.has(person) && !this.provisional.has(person));
    this.questions.clear();
    this.perhapsRemoved.clear();
    if (asks) this.questions.set(listId, new Set(gone));
    if (asks) this.perhapsRemoved.set(listId, new Set(perhapsGone));
    else for (const person of gone) this.remove(person, listId);
    return certain;
  }

  /** Takes a decision. A rejection changes nothing. */
  decide(listId: string, decision: 'approve' | 'reject'): void {
    const people = this.questions.get(listId) ?? [];
    this.questions.delete(listId);
    if (decision === 'reject') return;
    for (const person of people)
      if (this.uncertain.get(person)?.has('provisional'))
        this.mayBe(person, undefined); // perhaps since the question
      else this.remove(person, listId);
    for (const person of this.perhapsRemoved.get(listId) ?? []) this.mayBe(person, undefined);
  }

  /** Keeps a person after a 410 for a question. */
  hold(person: number, listId: string): void {
    this.questions.set(listId, (this.questions.get(listId) ?? new Set()).add(person));
  }

  /** Takes note that care records are stored of somebody who is not listed. */
  provide(person: number, provisional: Provisional): void {
    this.tables.set(person, 'provisional');
    this.provisional.set(person, provisional);
  }

  remove(person: number, by = 'a 410'): void {
    const listedBy = this.#listedBy.get(person);
    if (listedBy !== undefined) this.removals.add(`${person} removal:${listedBy}`);
    const content = this.tables.get(person);
    if (content !== undefined) this.removedBy.set(by, (this.removedBy.get(by) ?? new Map()).set(person, content));
    this.tables.delete(person);
    this.provisional.delete(person);
    this.uncertain.delete(person);
    for (const people of this.questions.values()) people.delete(person);
  }

  /** Takes note that also this may be stored of a person. */
  mayBe(person: number, ...contents: readonly (Content | undefined)[]): void {
    const before = this.uncertain.get(person) ?? [this.tables.get(person)];
    this.uncertain.set(person, new Set([...before, ...contents]));
  }

  /** Takes note that removals have been cancelled, so that some may not have happened. Returns whose. */
  cancelRemovals(by: string): readonly number[] {
    const removed = this.removedBy.get(by) ?? new Map<number, Content>();
    for (const [person, content] of removed) {
      this.mayBe(person, content);
      const listedBy = this.#listedBy.get(person);
      this.removals.delete(`${person} removal:${listedBy}`);
    }
    return [...removed.keys()];
  }

  /**
   * Takes over what is stored of the people about whom it was uncertain.
   * @param answerOf returns the number of the answer with a person's current records
   */
  adopt(stored: ReadonlyMap<number, Content>, answerOf: (person: number) => number): void {
    for (const person of this.uncertain.keys()) {
      const content = stored.get(person);
      if (content === undefined) this.tables.delete(person);
      else this.tables.set(person, content);
      if (content === 'provisional') this.provisional.set(person, { answer: answerOf(person), isSettled: true });
      else this.provisional.delete(person);
      this.#listedBy.delete(person);
    }
    this.uncertain.clear();
    for (const [person, known] of this.provisional) this.provisional.set(person, { ...known, isSettled: true });
  }
}

/** Returns the valid contents of each person on a list. Empty: only an invalid entry names the person. */
export function contentsOf({ entries }: List): Map<number, number[]> {
  const contents = new Map<number, number[]>();
  for (const entry of entries) {
    if (!('person' in entry)) continue;
    const others = contents.get(entry.person) ?? [];
    contents.set(
      entry.person,
      'content' in entry && !others.includes(entry.content) ? [...others, entry.content] : others,
    );
  }
  return contents;
}
