import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Day, RunningWorker } from '../day.fixture.ts';
import {
  type AwsMode,
  type FaultyProxy,
  startAwsProxy,
  startTemporalProxy,
  type TemporalMode,
} from './faulty-proxy.ts';

/** Factor on all time limits, for a machine that is slower or busier than two idle cores. */
export const pace = Number(process.env['CHAOS_PACE'] ?? 1);
/** short, so that many leases end in little time */
export const leaseMs = 2_500 * pace;

/** Settings of every worker. */
const workerSettings = {
  LEASE_MS: String(leaseMs),
  PAUSE_GRACE_MS: '500',
  LINE_STALL_MS: '1500',
  LIST_FIRST_BYTE_MS: '1500',
} as const;

/** Returns the time on the clock of the insurer's log, epoch ms with fractions. */
export const nowMs = (): number => performance.timeOrigin + performance.now();

/** A worker with its proxies and its impairments so far. */
export interface Member {
  readonly name: string;
  readonly worker: RunningWorker;
  readonly aws: FaultyProxy<AwsMode>;
  readonly temporal: FaultyProxy<TemporalMode>;
  readonly clockFile: string;
  readonly blockedFile: string;
  readonly readyAtMs: number;
  readonly impairments: Impairment[];
}

/** An interval in which a worker could not work, epoch ms; without an end while it lasts. */
interface Impairment {
  /**
   * `unresponsive`: one of its processes is frozen or blocked; `line process unresponsive`: that one is the line process;
   * `aws`, `temporal`: calls to them fail
   */
  readonly what: 'unresponsive' | 'line process unresponsive' | 'without line process' | 'aws' | 'temporal' | 'ended';
  readonly fromMs: number;
  untilMs?: number;
}

/** Time in ms after an impairment that a worker may need to recover, because reconnecting takes several attempts. */
const recoveryMs = {
  unresponsive: 500,
  'line process unresponsive': 500,
  'without line process': 1_000,
  aws: 1_000,
  temporal: 5_000,
  ended: 0,
} as const;

/** Returns whether a worker has this impairment now. */
export const isImpaired = ({ impairments }: Member, what: Impairment['what']): boolean =>
  impairments.some((impairment) => impairment.what === what && impairment.untilMs === undefined);

/** Returns whether a worker was ready and had no impairment in an interval. */
export const wasUnimpaired = ({ readyAtMs, impairments }: Member, fromMs: number, toMs: number): boolean =>
  readyAtMs <= fromMs &&
  !impairments.some(
    ({ what, fromMs: from, untilMs = Number.POSITIVE_INFINITY }) =>
      from <= toMs && untilMs + recoveryMs[what] >= fromMs,
  );

/** Records the start of an impairment. @returns records its end */
export function recordImpairment(member: Member, what: Impairment['what']): () => void {
  const begun: Impairment = { what, fromMs: nowMs() };
  member.impairments.push(begun);
  return () => {
    begun.untilMs = nowMs();
  };
}

const preloads = ['blocked-loop.fixture.mjs', 'shifted-clock.fixture.mjs'].map(
  (file) => `--import=${join(import.meta.dirname, file)}`,
);

/** The current workers: two to four, each replaced when it has ended. */
export class WorkerPool implements AsyncDisposable {
  wanted = 3;
  /** whether no worker may run; missing workers are then not replaced */
  isDismissed = false;
  /** workers that ended by themselves or did not start */
  endedByThemselves = 0;
  /** all workers so far */
  readonly all: Member[] = [];
  readonly #day: Day;
  readonly #starting = new Set<Promise<void>>();
  readonly #interval: NodeJS.Timeout;
  #started = 0;

  constructor(day: Day) {
    this.#day = day;
    this.#interval = setInterval(() => void this.startMissing(), 300); // a worker may end or fail to start at any time
  }

  /** workers that are ready and have not ended */
  get present(): Member[] {
    return this.all.filter((member) => member.worker.isRunning && !isImpaired(member, 'ended'));
  }

  /** The worker that has the line, by the workers' own logs. */
  get holder(): Member | undefined {
    const lastTake = ({ worker }: Member): number => worker.takes.at(-1)?.leaseNumber ?? 0;
    return this.present.filter(({ worker }) => worker.isHolder).sort((a, b) => lastTake(b) - lastTake(a))[0];
  }

  /** Starts missing workers. Resolves when they are ready or have failed. */
  async startMissing(): Promise<void> {
    for (const member of this.all)
      if (!member.worker.isRunning && !isImpaired(member, 'ended')) {
        this.endedByThemselves += 1;
        recordImpairment(member, 'ended');
      }
    while (!this.isDismissed && this.present.length + this.#starting.size < this.wanted) {
      const start = this.#start().catch(() => {
        this.endedByThemselves += 1;
      });
      this.#starting.add(start);
      void start.then(() => this.#starting.delete(start));
    }
    await Promise.all(this.#starting);
  }

  /** Ends a worker on purpose, so that its end does not count as unexpected. */
  async end(member: Member, how: 'kill' | 'stop'): Promise<void> {
    recordImpairment(member, 'ended');
    await member.worker[how]();
  }

  async #start(): Promise<void> {
    const { environment, dir } = this.#day.stack;
    const name = `worker-${this.#started++}`;
    const aws = await startAwsProxy(environment['AWS_ENDPOINT_URL'] ?? '');
    const temporal = await startTemporalProxy(environment['TEMPORAL_ADDRESS'] ?? '');
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
    this.all.push({ name, worker, aws, temporal, clockFile, blockedFile, readyAtMs: nowMs(), impairments: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#interval);
    this.isDismissed = true;
    await Promise.all(this.#starting);
    await Promise.all(this.present.map((member) => this.end(member, 'kill')));
    await Promise.all(this.all.flatMap(({ aws, temporal }) => [aws.close(), temporal.close()]));
  }
}
