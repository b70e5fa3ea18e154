import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Day, RunningWorker } from '../day.fixture.ts';
import { testDir } from '../stack.ts';
import { type AwsMode, startAwsWay, startTemporalWay, type TemporalMode, type Way } from './cut-off.ts';

/** How many times slower all goes than a machine of two idle cores allows: for one that is busy with something else. */
export const pace = Number(process.env['CHAOS_PACE'] ?? 1);
/** short, so that much happens in little time */
export const leaseMs = 2_500 * pace;

/** What holds for every worker. */
const workerSettings = {
  LEASE_MS: String(leaseMs),
  PAUSE_GRACE_MS: '500',
  LINE_STALL_MS: '1500',
  NODE_COMPILE_CACHE: join(testDir, 'compile-cache'), // most of what a start costs, and there are many
} as const;

/** The clock of the insurer's log, epoch ms with fractions. */
export const nowMs = (): number => performance.timeOrigin + performance.now();

/** One worker, the ways it has to the world, and what it has been through. */
export interface Member {
  readonly name: string;
  readonly worker: RunningWorker;
  readonly aws: Way<AwsMode>;
  readonly temporal: Way<TemporalMode>;
  readonly clockFile: string;
  readonly blockedFile: string;
  readonly readyAtMs: number;
  readonly troubles: Trouble[];
}

/** A stretch in which a worker could not do its part, epoch ms; without an end while it lasts. */
interface Trouble {
  /** `deaf`: of those that are still, the one whose line process is */
  readonly what: 'still' | 'deaf' | 'without line process' | 'aws' | 'temporal' | 'gone';
  readonly fromMs: number;
  untilMs?: number;
}

/** So long after a trouble a worker may still be getting over it, ms: connections come back with a pause between tries. */
const recoveryMs = {
  still: 500,
  deaf: 500,
  'without line process': 1_000,
  aws: 1_000,
  temporal: 5_000,
  gone: 0,
} as const;

export const isIn = ({ troubles }: Member, what: Trouble['what']): boolean =>
  troubles.some((trouble) => trouble.what === what && trouble.untilMs === undefined);

/** Whether nothing was the matter with a worker from one moment to another. */
export const wasWell = ({ readyAtMs, troubles }: Member, fromMs: number, toMs: number): boolean =>
  readyAtMs <= fromMs &&
  !troubles.some(
    ({ what, fromMs: from, untilMs = Number.POSITIVE_INFINITY }) =>
      from <= toMs && untilMs + recoveryMs[what] >= fromMs,
  );

/** @returns ends it */
export function trouble(member: Member, what: Trouble['what']): () => void {
  const begun: Trouble = { what, fromMs: nowMs() };
  member.troubles.push(begun);
  return () => {
    begun.untilMs = nowMs();
  };
}

const preloads = ['blocked-loop.fixture.mjs', 'shifted-clock.fixture.mjs'].map(
  (file) => `--import=${join(import.meta.dirname, file)}`,
);

/** The workers of the moment: two to four, each replaced when it has ended. */
export class Crew implements AsyncDisposable {
  wanted = 3;
  /** no worker is to run, and none replaced */
  isSentHome = false;
  /** workers that ended though nobody ended them, or did not come up */
  endedByThemselves = 0;
  /** everyone who ever was */
  readonly all: Member[] = [];
  readonly #day: Day;
  readonly #starting = new Set<Promise<void>>();
  readonly #looking: NodeJS.Timeout;
  #started = 0;

  constructor(day: Day) {
    this.#day = day;
    this.#looking = setInterval(() => void this.keepUp(), 300); // one may end, or fail to come up, at any time
  }

  /** ready, and not ended */
  get present(): Member[] {
    return this.all.filter((member) => member.worker.isRunning && !isIn(member, 'gone'));
  }

  /** The worker that has the line, as far as the workers themselves have said. */
  get holder(): Member | undefined {
    const lastTake = ({ worker }: Member): number => worker.takes.at(-1)?.leaseNumber ?? 0;
    return this.present.filter(({ worker }) => worker.isHolder).sort((a, b) => lastTake(b) - lastTake(a))[0];
  }

  /** Starts as many as are missing. @returns when those have come up, or failed to */
  async keepUp(): Promise<void> {
    for (const member of this.all)
      if (!member.worker.isRunning && !isIn(member, 'gone')) {
        this.endedByThemselves += 1;
        trouble(member, 'gone');
      }
    while (!this.isSentHome && this.present.length + this.#starting.size < this.wanted) {
      const start = this.#start().catch(() => {
        this.endedByThemselves += 1;
      });
      this.#starting.add(start);
      void start.then(() => this.#starting.delete(start));
    }
    await Promise.all(this.#starting);
  }

  /** Ends a worker. Its end is nobody's surprise. */
  async end(member: Member, how: 'kill' | 'stop'): Promise<void> {
    trouble(member, 'gone');
    await member.worker[how]();
  }

  async #start(): Promise<void> {
    const { environment, dir } = this.#day.stack;
    const name = `worker-${this.#started++}`;
    const aws = await startAwsWay(environment['AWS_ENDPOINT_URL'] ?? '');
    const temporal = await startTemporalWay(environment['TEMPORAL_ADDRESS'] ?? '');
    const [clockFile, blockedFile] = [join(dir, `${name}.clock`), join(dir, `${name}.blocked`)];
    writeFileSync(clockFile, '0');
    writeFileSync(blockedFile, '0');
    const worker = await this.#day.startWorker({
      ...workerSettings,
      AWS_ENDPOINT_URL: `http://${aws.address}`,
      AWS_ENDPOINT_URL_S3: `http://${aws.address}`,
      TEMPORAL_ADDRESS: temporal.address,
      NODE_OPTIONS: preloads.join(' '),
      WALL_CLOCK_OFFSET_FILE: clockFile,
      BLOCKED_LOOP_MS_FILE: blockedFile,
    });
    this.all.push({ name, worker, aws, temporal, clockFile, blockedFile, readyAtMs: nowMs(), troubles: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    this.isSentHome = true;
    await Promise.all(this.#starting);
    await Promise.all(this.present.map((member) => this.end(member, 'kill')));
    await Promise.all(this.all.flatMap(({ aws, temporal }) => [aws.close(), temporal.close()]));
  }
}
