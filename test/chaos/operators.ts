import { setTimeout as sleep } from 'node:timers/promises';
import { type InsurerLineClient, InsurerLineError } from '../../core/temporal/insurer-line-client.ts';
import type { Insurer } from '../../simulator/insurer.ts';
import { type Member, nowMs, type WorkerPool } from './worker-pool.ts';

/** How operators act: one; one who sends each command twice; two with the same commands; two with opposite commands. */
export const acts = ['one', 'twice', 'two', 'against'] as const;
export type Act = (typeof acts)[number];

export interface Pause {
  /** the holder when the pause was requested */
  readonly holder: Member | undefined;
  readonly askedMs: number;
  readonly confirmedMs: number;
}

/** Operators who pause and resume. They report a confirmed pause to the judge immediately, and a resume before they request it. */
export class Operators {
  readonly pauses: Pause[] = [];
  /** intervals in which the line was, or may have been, paused; epoch ms */
  readonly closed: { readonly fromMs: number; untilMs?: number }[] = [];
  /** answers other than a confirmation, with their number */
  readonly rejections: Record<string, number> = {};
  readonly #line: InsurerLineClient;
  readonly #insurer: Insurer;
  readonly #pool: WorkerPool;
  #last: Promise<void> = Promise.resolve();

  constructor(line: InsurerLineClient, insurer: Insurer, pool: WorkerPool) {
    this.#pool = pool;
    this.#line = line;
    this.#insurer = insurer;
  }

  /** Pauses the line and resumes it after a while. One act at a time, because overlapping ones cannot be judged. */
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
      if (how === 'against') await this.#resumeDuringPause(pausedForMs);
      await this.#resumeAll(how === 'twice' ? ['ben', 'ben'] : how === 'two' ? ['anna', 'ben'] : ['ben']);
      closed.untilMs = nowMs();
    });
    return this.#last;
  }

  /** Resolves once all acts have ended. */
  get done(): Promise<void> {
    return this.#last;
  }

  async #pauseAll(operators: readonly string[]): Promise<void> {
    const answers = operators.map(async (operator) => {
      const asked = { askedMs: nowMs(), holder: this.#pool.holder };
      if (!(await this.#ask('pause', operator))) return;
      this.pauses.push({ ...asked, confirmedMs: nowMs() });
      await this.#insurer.setPaused(true);
    });
    await Promise.all(answers);
  }

  async #resumeAll(operators: readonly string[]): Promise<void> {
    await this.#insurer.setPaused(false);
    await Promise.all(operators.map((operator) => this.#ask('resume', operator)));
    while (!(await this.#isOpen())) await this.#ask('resume', 'anna'); // a line that stays paused proves nothing
  }

  /** One operator resumes while the other pauses. In the end, the line is paused and confirmed, in any order. */
  async #resumeDuringPause(pausedForMs: number): Promise<void> {
    await this.#insurer.setPaused(false);
    await Promise.all([this.#ask('resume', 'ben'), this.#ask('pause', 'anna')]);
    await this.#pauseAll(['anna']);
    await sleep(pausedForMs);
  }

  /** Sends a command. @returns whether it was confirmed */
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
