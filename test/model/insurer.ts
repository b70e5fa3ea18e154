/** What one entry of a list says: a person with content, a person whose entry is invalid, or an entry that may be anybody's. */
export type Entry =
  | { readonly person: number; readonly content: number }
  | { readonly person: number; readonly invalid: true }
  | { readonly unreadable: true };

export interface List {
  readonly entries: readonly Entry[];
  readonly etag?: string;
  /** the bytes are not a list */
  readonly isGarbage?: boolean;
}

/** How the insurer changes its list. All numbers are small; `at` chooses where. */
export type ListChange =
  | {
      readonly kind: 'grow' | 'shrink' | 'change' | 'invalid' | 'duplicate';
      readonly at: number;
      readonly count: number;
    }
  | { readonly kind: 'unreadable'; readonly count: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'same' }
  | { readonly kind: 'revert'; readonly back: number };

export type CareAnswer = 'ok' | 'not-insured' | 'unknown' | 'fails';

/** The insurer of a history: its list, older ones, and what it answers about each person. */
export class Insurer {
  readonly people: number;
  #lists: List[];
  #answers = new Map<number, CareAnswer>();
  #contents = 0;
  /** number of lists sent and answers about people so far */
  #answered = 0;
  /** the number of the last answer of a kind about a person, as `{person} {kind}` */
  readonly #lastAnswers = new Map<string, number>();
  /** the list that each fetch has received, by its listId */
  readonly served = new Map<string, List>();
  /** the number of the answer that has sent each list, by its listId */
  readonly servedAs = new Map<string, number>();

  /** @param people number of people who exist @param listed number of people on the first list */
  constructor(people: number, listed: number) {
    this.people = people;
    this.#lists = [{ entries: Array.from({ length: listed }, (_, person) => ({ person, content: 0 })), etag: '"0"' }];
  }

  get list(): List {
    return this.#lists.at(-1) ?? { entries: [] };
  }

  /** Answers a request for the list. Undefined: 304. @param counts false if nobody receives the result of the attempt */
  serve(listId: string, knownEtag: string | undefined, counts: boolean): List | undefined {
    if (this.list.etag !== undefined && this.list.etag === knownEtag) return undefined;
    this.#answered += 1;
    if (counts) {
      this.served.set(listId, this.list);
      this.servedAs.set(listId, this.#answered);
    }
    return this.list;
  }

  /** Number of lists sent and answers about people so far. */
  get answered(): number {
    return this.#answered;
  }

  /** Answers a request for a person's care records. Answers are numbered in their order, from 1. */
  answerAbout(person: number): { readonly answer: CareAnswer; readonly number: number } {
    const answer = this.#answers.get(person) ?? 'ok';
    this.#answered += 1;
    this.#lastAnswers.set(`${person} ${answer}`, this.#answered);
    return { answer, number: this.#answered };
  }

  /** Returns the number of the last such answer about a person; 0 if there was none. */
  lastAnswer(person: number, answer: CareAnswer): number {
    return this.#lastAnswers.get(`${person} ${answer}`) ?? 0;
  }

  /** Sets what is answered about one person, or about everyone. */
  setAnswer(answer: CareAnswer, person?: number): void {
    if (person === undefined) this.#answers = new Map(Array.from({ length: this.people }, (_, each) => [each, answer]));
    else this.#answers.set(person % this.people, answer);
  }

  /** Publishes another list. */
  change(change: ListChange, hasEtag: boolean): void {
    const etag = hasEtag ? { etag: `"${this.#lists.length}"` } : {};
    const usable = this.#lists.filter(({ isGarbage }) => !isGarbage);
    const entries = usable.at(-1)?.entries ?? [];
    if (change.kind === 'same') return;
    if (change.kind === 'revert') {
      this.#lists.push(usable[Math.max(0, usable.length - 1 - change.back)] ?? { entries });
      return;
    }
    if (change.kind === 'garbage') this.#lists.push({ entries: [], isGarbage: true, ...etag });
    else this.#lists.push({ entries: this.#changed(entries, change), ...etag });
  }

  #changed(
    entries: readonly Entry[],
    change: Exclude<ListChange, { kind: 'garbage' | 'same' | 'revert' }>,
  ): readonly Entry[] {
    if (change.kind === 'empty') return [];
    const { count } = change;
    if (change.kind === 'unreadable')
      return [...entries, ...Array.from({ length: count }, () => ({ unreadable: true }) as const)];
    const { at } = change;
    const chosen = Array.from({ length: Math.min(count, this.people) }, (_, index) => (at + index) % this.people);
    const others = entries.filter((entry) => !('person' in entry && chosen.includes(entry.person)));
    const same = entries.filter((entry) => 'person' in entry && chosen.includes(entry.person));
    this.#contents += 1;
    const content = this.#contents;
    switch (change.kind) {
      case 'shrink':
        return others;
      case 'grow': {
        const absent = chosen.filter((person) => !same.some((entry) => 'person' in entry && entry.person === person));
        return [...entries, ...absent.map((person) => ({ person, content }))];
      }
      case 'change':
        return [...others, ...chosen.map((person) => ({ person, content }))];
      case 'invalid':
        return [...others, ...chosen.map((person) => ({ person, invalid: true }) as const)];
      case 'duplicate':
        return [...entries, ...chosen.map((person) => ({ person, content }))];
    }
  }
}
