import { setTimeout as sleep } from 'node:timers/promises';
import { type InsurerLineClient, InsurerLineError } from '../../core/temporal/insurer-line-client.ts';
import type { Insurer } from '../../simulator/insurer.ts';
import { type Crew, type Member, nowMs } from './crew.ts';

/** How operators come to the line: alone, two of one mind, or one against the other. */
export const acts = ['one', 'twice', 'two', 'against'] as const;
export type Act = (typeof acts)[number];

export interface Pause {
  /** whoever had the line when it was asked for */
  readonly holder: Member | undefined;
  readonly askedMs: number;
  readonly confirmedMs: number;
}

/** Operators who pause and resume, and tell the judge: a confirmed pause at once, a resume before they ask for it. */
export class Operators {
  readonly pauses: Pause[] = [];
  /** stretches in which the line was, or might have been, paused; epoch ms */
  readonly closed: { readonly fromMs: number; untilMs?: number }[] = [];
  /** what they were answered instead of a confirmation, and how often */
  readonly rejections: Record<string, number> = {};
  readonly #line: InsurerLineClient;
  readonly #insurer: Insurer;
  readonly #crew: Crew;
  #last: Promise<void> = Promise.resolve();

  constructor(line: InsurerLineClient, insurer: Insurer, crew: Crew) {
    this.#crew = crew;
    this.#line = line;
    this.#insurer = insurer;
  }

  /** Pauses the line, and resumes it after a while. One act after the other, or nobody could judge. */
  act(
    how: Act,
    pausedForMs: number,
    { before, whilePaused }: { before?: () => Promise<unknown>; whilePaused?: () => Promise<void> } = {},
  ): Promise<void> {
    this.#last = this.#last.then(async () => {
      await before?.();
      const closed: { fromMs: number; untilMs?: number } = { fromMs: nowMs() };
      this.closed.push(closed);
      await this.#pauseAll(how === 'twice' ? ['anna', 'anna'] : how === 'two' ? ['anna', 'ben'] : ['anna']);
      await whilePaused?.();
      await sleep(pausedForMs);
      if (how === 'against') await this.#quarrel(pausedForMs);
      await this.#resumeAll(how === 'twice' ? ['ben', 'ben'] : how === 'two' ? ['anna', 'ben'] : ['ben']);
      closed.untilMs = nowMs();
    });
    return this.#last;
  }

  /** All that was begun is over. */
  get done(): Promise<void> {
    return this.#last;
  }

  async #pauseAll(operators: readonly string[]): Promise<void> {
    const answers = operators.map(async (operator) => {
      const asked = { askedMs: nowMs(), holder: this.#crew.holder };
      if (!(await this.#ask('pause', operator))) return;
      this.pauses.push({ ...asked, confirmedMs: nowMs() });
      await this.#insurer.setPaused(true);
    });
    await Promise.all(answers);
  }

  async #resumeAll(operators: readonly string[]): Promise<void> {
    await this.#insurer.setPaused(false);
    await Promise.all(operators.map((operator) => this.#ask('resume', operator)));
    while (!(await this.#isOpen())) await this.#ask('resume', 'anna'); // a run that stays paused would prove nothing
  }

  /** One resumes while the other pauses: whoever wins, the line is closed in the end, and said to be. */
  async #quarrel(pausedForMs: number): Promise<void> {
    await this.#insurer.setPaused(false);
    await Promise.all([this.#ask('resume', 'ben'), this.#ask('pause', 'anna')]);
    await this.#pauseAll(['anna']);
    await sleep(pausedForMs);
  }

  /** @returns whether it was confirmed */
  async #ask(what: 'pause' | 'resume', operator: string): Promise<boolean> {
    try {
      await this.#line[what]({ operator, reason: 'chaos' });
      return true;
    } catch (error) {
      if (!(error instanceof InsurerLineError)) throw error;
      const answer = `${what}: ${error.fault}`;
      this.rejections[answer] = (this.rejections[answer] ?? 0) + 1;
      return false;
    }
  }

  async #isOpen(): Promise<boolean> {
    const now = await this.#line.read().catch(() => undefined);
    return now?.state === 'open';
  }
}
