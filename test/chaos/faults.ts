import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { between, pick, type Random, seededRandom } from '../../simulator/random.ts';
import { findLauncher } from '../../worker/line/launcher.ts';
import type { Day } from '../day.fixture.ts';
import { type AwsMode, temporalModes } from './faulty-proxy.ts';
import { acts, type Operators } from './operators.ts';
import { isImpaired, leaseMs, type Member, nowMs, pace, recordImpairment, type WorkerPool } from './worker-pool.ts';

/** What the faults act on. */
export interface Scene {
  readonly day: Day;
  readonly pool: WorkerPool;
  readonly operators: Operators;
  isTemporalRestarting: boolean;
  /** whether many patients are pending, so that only the line limits the run */
  readonly hasWork: () => boolean;
  /** times at which a holder was killed or stopped */
  readonly losses: Loss[];
  /** later parts of faults, all of which end */
  readonly inProgress: Set<Promise<unknown>>;
}

export interface Loss {
  readonly how: 'kill -9' | 'SIGTERM';
  readonly member: Member;
  readonly atMs: number;
  readonly hadWork: boolean;
  readonly when: 'alone' | 'among other faults';
}

/** A drawn fault with all its random choices, so that a seed repeats it. */
export interface Fault {
  readonly number: number;
  readonly kind: keyof typeof faults;
  /** random source for its choices */
  readonly random: Random;
  /** time in ms until the next fault */
  readonly gapMs: number;
}

export function drawFault(seed: number, number: number): Fault {
  const random = seededRandom(seed, 'fault', number);
  const kinds = Object.entries(faults);
  let left = random() * kinds.reduce((sum, [, { weight }]) => sum + weight, 0);
  const drawn = kinds.find(([, { weight }]) => {
    left -= weight;
    return left < 0;
  });
  return { number, kind: drawn?.[0] as Fault['kind'], random, gapMs: between(random, 150, 800) * pace };
}

/** Whether the system kills a line process with its main process, even if it is frozen (docs/explanation/limits.md). */
const endsOrphans = findLauncher().execArgv.length > 0;

/** Applies a fault. @returns a description; undefined if there was no target */
type ApplyFault = (random: Random, scene: Scene) => Promise<string | undefined>;

const kill =
  (whom: 'main process' | 'line process' | 'both'): ApplyFault =>
  async (random, scene) => {
    // If the system does not kill a frozen line process with its main process, the freeze must be shorter than the lease.
    const member = pickWorker(
      random,
      scene,
      (one) => whom !== 'main process' || endsOrphans || !isImpaired(one, 'unresponsive'),
    );
    if (member === undefined) return undefined;
    const moment = await awaitMoment(pick(random, moments), scene);
    const isHolder = member === scene.pool.holder;
    if (isHolder && whom !== 'line process') recordLoss(scene, 'kill -9', member);
    if (whom !== 'main process') signal(member.worker.linePid, 'SIGKILL');
    if (whom === 'line process') later(scene, sleep(2_000).then(recordImpairment(member, 'without line process')));
    else later(scene, scene.pool.end(member, 'kill'));
    return `${member.name}${isHolder ? ' (holder)' : ''} ${moment}`;
  };

const freeze =
  (whom: 'main process' | 'line process', howLong: 'short' | 'long'): ApplyFault =>
  async (random, scene) => {
    const member = pickWorker(random, scene, (one) => !isImpaired(one, 'unresponsive'));
    const ms = howLong === 'short' ? between(random, 50, leaseMs * 0.8) : between(random, leaseMs * 1.1, leaseMs * 2);
    if (member === undefined) return undefined;
    const moment = await awaitMoment(pick(random, moments), scene);
    return `${freezeProcess(scene, member, whom, ms)} ${moment}`;
  };

const block =
  (whom: 'main process' | 'line process'): ApplyFault =>
  async (random, scene) => {
    const member = pickWorker(random, scene, (one) => !isImpaired(one, 'unresponsive'));
    const ms = between(random, 200, leaseMs * 1.5);
    if (member === undefined) return undefined;
    const moment = await awaitMoment(pick(random, moments), scene);
    writeFileSync(member.blockedFile, String(ms));
    signal(whom === 'main process' ? member.worker.pid : member.worker.linePid, 'SIGUSR2');
    const over = recordUnresponsive(member, whom);
    later(scene, sleep(ms).then(over));
    return `${member.name} for ${ms} ms ${moment}`;
  };

const disturbAws =
  (mode: AwsMode): ApplyFault =>
  async (random, scene) => {
    const member = pickWorker(random, scene, (one) => !isImpaired(one, 'aws'));
    const ms = between(random, 300, leaseMs * 1.6);
    if (member === undefined) return undefined;
    member.aws.startFault(mode);
    const over = recordImpairment(member, 'aws');
    later(
      scene,
      sleep(ms).then(() => {
        member.aws.endFault();
        over();
      }),
    );
    return `${member.name} for ${ms} ms`;
  };

/** Each fault and its weight. */
export const faults = {
  'kill -9 of the main process': { weight: 5, apply: kill('main process') },
  'kill -9 of the line process': { weight: 5, apply: kill('line process') },
  'kill -9 of both': { weight: 5, apply: kill('both') },
  'main process frozen, shorter than the lease': { weight: 5, apply: freeze('main process', 'short') },
  'main process frozen, longer than the lease': { weight: 5, apply: freeze('main process', 'long') },
  'line process frozen, shorter than the lease': { weight: 5, apply: freeze('line process', 'short') },
  'line process frozen, longer than the lease': { weight: 5, apply: freeze('line process', 'long') },
  'main process blocked': { weight: 4, apply: block('main process') },
  'line process blocked': { weight: 4, apply: block('line process') },
  'kill -9 of the main process of a frozen line process': {
    weight: 3,
    async apply(random, scene) {
      const member = pickWorker(random, scene, (one) => !isImpaired(one, 'unresponsive'));
      const ms = between(random, 50, leaseMs * (endsOrphans ? 2 : 0.6));
      if (member === undefined) return undefined;
      const moment = await awaitMoment(pick(random, moments), scene);
      const what = freezeProcess(scene, member, 'line process', ms);
      if (member === scene.pool.holder) recordLoss(scene, 'kill -9', member);
      later(scene, scene.pool.end(member, 'kill'));
      return `${what} ${moment}`;
    },
  },
  SIGTERM: {
    weight: 6,
    async apply(random, scene) {
      const member = pickWorker(random, scene, (one) => !isImpaired(one, 'unresponsive'));
      if (member === undefined) return undefined;
      const isHolder = member === scene.pool.holder;
      if (isHolder) recordLoss(scene, 'SIGTERM', member);
      later(scene, scene.pool.end(member, 'stop'));
      return `${member.name}${isHolder ? ' (holder)' : ''}`;
    },
  },
  'DynamoDB and S3: connections reset': { weight: 2, apply: disturbAws('drop') },
  'DynamoDB and S3: silent': { weight: 2, apply: disturbAws('silent') },
  'DynamoDB and S3: late': { weight: 3, apply: disturbAws('delay') },
  'DynamoDB and S3: 500': { weight: 3, apply: disturbAws('error') },
  'DynamoDB and S3: done, but the answer lost': { weight: 4, apply: disturbAws('lost-answer') },
  'DynamoDB and S3: throttled': { weight: 3, apply: disturbAws('throttle') },
  'Temporal disconnected': {
    weight: 5,
    async apply(random, scene) {
      const member = pickWorker(random, scene, (one) => !isImpaired(one, 'temporal'));
      const [ms, mode] = [between(random, 300, leaseMs * 2), pick(random, temporalModes)];
      if (member === undefined) return undefined;
      member.temporal.startFault(mode);
      const over = recordImpairment(member, 'temporal');
      later(
        scene,
        sleep(ms).then(() => {
          member.temporal.endFault();
          over();
        }),
      );
      return `${member.name} ${mode} for ${ms} ms`;
    },
  },
  'wall clock jumps': {
    weight: 4,
    async apply(random, scene) {
      const member = pickWorker(random, scene);
      const offsetMs = pick(random, [-3_600_000, 0, 3_600_000]);
      if (member === undefined) return undefined;
      writeFileSync(member.clockFile, String(offsetMs));
      return `${member.name} to ${offsetMs} ms`;
    },
  },
  'pause and resume': {
    weight: 10,
    async apply(random, scene) {
      const [act, ms] = [pick(random, acts), between(random, 100, 1_500)];
      const moment = pick(random, [...moments, 'in a hanging', 'any'] as const); // a pause matters most during a request
      const before = (): Promise<unknown> => (moment === 'any' ? sleep(0) : awaitMoment(moment, scene));
      later(scene, scene.operators.act(act, ms, { before }));
      return `${act}, for ${ms} ms, ${moment} request`;
    },
  },
  'pause and resume while no worker runs': {
    weight: 1,
    async apply(random, scene) {
      const { pool, operators } = scene;
      if (pool.isDismissed) return undefined;
      const ms = between(random, 100, 1_000);
      pool.isDismissed = true;
      const ended = pool.present.map((member) => {
        const how = pick<'kill' | 'stop'>(random, ['kill', 'stop']);
        if (how === 'kill') signal(member.worker.linePid, 'SIGKILL');
        return pool.end(member, how);
      });
      await Promise.all(ended);
      const back = async (): Promise<void> => {
        pool.isDismissed = false;
        await pool.startMissing();
      };
      await operators.act('one', ms, { whilePaused: back });
      return `for ${ms} ms`;
    },
  },
  'restart of Temporal': {
    weight: 1,
    async apply(_random, scene) {
      if (scene.isTemporalRestarting) return undefined;
      scene.isTemporalRestarting = true;
      const over = scene.pool.present.map((member) => recordImpairment(member, 'temporal'));
      const restart = scene.day.stack.restartTemporal().then(() => {
        for (const end of over) end();
        scene.isTemporalRestarting = false;
      });
      later(scene, restart);
      return '';
    },
  },
  'a worker joins': {
    weight: 2,
    async apply(_random, { pool }) {
      if (pool.wanted >= 4) return undefined;
      pool.wanted += 1;
      return `${pool.wanted} workers`;
    },
  },
  'a worker leaves': {
    weight: 2,
    async apply(random, scene) {
      const member = pickMember(random, scene.pool.present);
      if (scene.pool.wanted <= 2 || member === undefined || isImpaired(member, 'unresponsive')) return undefined;
      scene.pool.wanted -= 1;
      later(scene, scene.pool.end(member, 'stop'));
      return member.name;
    },
  },
} satisfies Record<string, { weight: number; apply: ApplyFault }>;

/** Picks a worker. In three of four cases it is the holder, because faults of others rarely have an effect. */
function pickWorker(
  random: Random,
  { pool }: Scene,
  suits: (member: Member) => boolean = () => true,
): Member | undefined {
  const [chance, other] = [random(), random()]; // always drawn, so that later choices do not depend on the present workers
  const { holder } = pool;
  if (holder !== undefined && suits(holder) && chance < 0.75) return holder;
  return pickMember(() => other, pool.present.filter(suits));
}

const pickMember = (random: Random, members: readonly Member[]): Member | undefined => {
  const [first, ...rest] = members;
  return first === undefined ? undefined : pick(random, [first, ...rest]);
};

const moments = ['before', 'in', 'after', 'in a hanging'] as const;

/** Waits for a moment before, during or after a request, or during a hanging one. Without a request, any moment. */
async function awaitMoment(moment: (typeof moments)[number], { day: { insurer } }: Scene): Promise<string> {
  const signal = AbortSignal.timeout(600);
  try {
    if (moment === 'in a hanging') {
      insurer.script({ match: 'any', fault: 'hang' });
      const before = insurer.summary().requests;
      await insurer.until(({ requests, inFlight }) => requests > before && inFlight > 0, signal);
      await sleep(50); // its headers have arrived
    } else if (moment === 'in') await insurer.until(({ inFlight }) => inFlight > 0, signal);
    else {
      await insurer.until(({ inFlight }) => inFlight > 0, signal);
      await insurer.until(({ inFlight }) => inFlight === 0, signal);
      if (moment === 'before') await sleep(2);
    }
    return `${moment} request`;
  } catch {
    insurer.clearScript(); // later requests are answered normally
    return 'while idle';
  }
}

/** Sends SIGSTOP, and SIGCONT later. Only one process at a time: both for longer than the lease is a frozen machine. */
function freezeProcess(scene: Scene, member: Member, whom: 'main process' | 'line process', ms: number): string {
  const pid = whom === 'main process' ? member.worker.pid : member.worker.linePid;
  signal(pid, 'SIGSTOP');
  const over = recordUnresponsive(member, whom);
  later(
    scene,
    sleep(ms).then(() => {
      signal(pid, 'SIGCONT');
      over();
    }),
  );
  return `${member.name}${member === scene.pool.holder ? ' (holder)' : ''} for ${ms} ms`;
}

/** Records that a process does not respond. @returns records its end */
function recordUnresponsive(member: Member, whom: 'main process' | 'line process'): () => void {
  const ends = [
    recordImpairment(member, 'unresponsive'),
    ...(whom === 'line process' ? [recordImpairment(member, 'line process unresponsive')] : []),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Records that the line loses its holder now. */
export const recordLoss = (
  { losses, hasWork }: Scene,
  how: Loss['how'],
  member: Member,
  when: Loss['when'] = 'among other faults',
): void => {
  losses.push({ how, member, atMs: nowMs(), hadWork: hasWork(), when });
};

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // the process has ended already
  }
}

function later({ inProgress }: Scene, work: Promise<unknown>): void {
  inProgress.add(work);
  void work.then(
    () => inProgress.delete(work),
    () => {}, // the failure stays for the caller that awaits all
  );
}
