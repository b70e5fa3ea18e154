import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { between, pick, type Random, seededRandom } from '../../simulator/random.ts';
import { findLauncher } from '../../worker/line/launcher.ts';
import type { Day } from '../day.fixture.ts';
import { type Crew, isIn, leaseMs, type Member, nowMs, pace, trouble } from './crew.ts';
import { type AwsMode, temporalModes } from './cut-off.ts';
import { acts, type Operators } from './operators.ts';

/** What faults befall. */
export interface Scene {
  readonly day: Day;
  readonly crew: Crew;
  readonly operators: Operators;
  isTemporalRestarting: boolean;
  /** whether many wait for their care records, and the line is the only thing between */
  readonly hasWork: () => boolean;
  /** of holders killed and stopped: from when on the line had to do without */
  readonly losses: Loss[];
  /** what a fault has left to be done later; all of it ends */
  readonly underWay: Set<Promise<unknown>>;
}

export interface Loss {
  readonly how: 'kill -9' | 'SIGTERM';
  readonly member: Member;
  readonly atMs: number;
  readonly hadWork: boolean;
  readonly when: 'alone' | 'under fire';
}

/** One fault as it was drawn: all that chance decides, so that a seed gives the same ones again. */
export interface Fault {
  readonly number: number;
  readonly kind: keyof typeof faults;
  /** for the choices it makes */
  readonly random: Random;
  /** until the next one, ms */
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

/** The system kills a line process with its main process, however frozen it is (docs/explanation/limits.md). */
const endsOrphans = findLauncher().execArgv.length > 0;

/** @returns what it did, in a few words; undefined when there was nobody to do it to */
type Strike = (random: Random, scene: Scene) => Promise<string | undefined>;

const kill =
  (whom: 'main process' | 'line process' | 'both'): Strike =>
  async (random, scene) => {
    // Where nothing ends a frozen line process whose main process is killed, it must not be frozen for longer than the lease.
    const member = victim(random, scene, (one) => whom !== 'main process' || endsOrphans || !isIn(one, 'still'));
    if (member === undefined) return undefined;
    const moment = await awaitMoment(pick(random, moments), scene);
    const isHolder = member === scene.crew.holder;
    if (isHolder && whom !== 'line process') lose(scene, 'kill -9', member);
    if (whom !== 'main process') signal(member.worker.linePid, 'SIGKILL');
    if (whom === 'line process') later(scene, sleep(2_000).then(trouble(member, 'without line process')));
    else later(scene, scene.crew.end(member, 'kill'));
    return `${member.name}${isHolder ? ' (holder)' : ''} ${moment}`;
  };

const freeze =
  (whom: 'main process' | 'line process', howLong: 'short' | 'long'): Strike =>
  async (random, scene) => {
    const member = victim(random, scene, (one) => !isIn(one, 'still'));
    const ms = howLong === 'short' ? between(random, 50, leaseMs * 0.8) : between(random, leaseMs * 1.1, leaseMs * 2);
    if (member === undefined) return undefined;
    const moment = await awaitMoment(pick(random, moments), scene);
    return `${holdStill(scene, member, whom, ms)} ${moment}`;
  };

const block =
  (whom: 'main process' | 'line process'): Strike =>
  async (random, scene) => {
    const member = victim(random, scene, (one) => !isIn(one, 'still'));
    const ms = between(random, 200, leaseMs * 1.5);
    if (member === undefined) return undefined;
    const moment = await awaitMoment(pick(random, moments), scene);
    writeFileSync(member.blockedFile, String(ms));
    signal(whom === 'main process' ? member.worker.pid : member.worker.linePid, 'SIGUSR2');
    const over = standsStill(member, whom);
    later(scene, sleep(ms).then(over));
    return `${member.name} for ${ms} ms ${moment}`;
  };

const cutOffAws =
  (mode: AwsMode): Strike =>
  async (random, scene) => {
    const member = victim(random, scene, (one) => !isIn(one, 'aws'));
    const ms = between(random, 300, leaseMs * 1.6);
    if (member === undefined) return undefined;
    member.aws.spoil(mode);
    const over = trouble(member, 'aws');
    later(
      scene,
      sleep(ms).then(() => {
        member.aws.mend();
        over();
      }),
    );
    return `${member.name} for ${ms} ms`;
  };

/** Weights, and what each fault does. */
export const faults = {
  'kill -9 of the main process': { weight: 5, strike: kill('main process') },
  'kill -9 of the line process': { weight: 5, strike: kill('line process') },
  'kill -9 of both': { weight: 5, strike: kill('both') },
  'main process frozen, shorter than the lease': { weight: 5, strike: freeze('main process', 'short') },
  'main process frozen, longer than the lease': { weight: 5, strike: freeze('main process', 'long') },
  'line process frozen, shorter than the lease': { weight: 5, strike: freeze('line process', 'short') },
  'line process frozen, longer than the lease': { weight: 5, strike: freeze('line process', 'long') },
  'main process blocked': { weight: 4, strike: block('main process') },
  'line process blocked': { weight: 4, strike: block('line process') },
  'kill -9 of the main process of a frozen line process': {
    weight: 3,
    async strike(random, scene) {
      const member = victim(random, scene, (one) => !isIn(one, 'still'));
      const ms = between(random, 50, leaseMs * (endsOrphans ? 2 : 0.6));
      if (member === undefined) return undefined;
      const moment = await awaitMoment(pick(random, moments), scene);
      const what = holdStill(scene, member, 'line process', ms);
      if (member === scene.crew.holder) lose(scene, 'kill -9', member);
      later(scene, scene.crew.end(member, 'kill'));
      return `${what} ${moment}`;
    },
  },
  SIGTERM: {
    weight: 6,
    async strike(random, scene) {
      const member = victim(random, scene, (one) => !isIn(one, 'still'));
      if (member === undefined) return undefined;
      const isHolder = member === scene.crew.holder;
      if (isHolder) lose(scene, 'SIGTERM', member);
      later(scene, scene.crew.end(member, 'stop'));
      return `${member.name}${isHolder ? ' (holder)' : ''}`;
    },
  },
  'DynamoDB and S3: connections reset': { weight: 2, strike: cutOffAws('drop') },
  'DynamoDB and S3: silent': { weight: 2, strike: cutOffAws('silent') },
  'DynamoDB and S3: late': { weight: 3, strike: cutOffAws('delay') },
  'DynamoDB and S3: 500': { weight: 3, strike: cutOffAws('error') },
  'DynamoDB and S3: done, but the answer lost': { weight: 4, strike: cutOffAws('lost-answer') },
  'DynamoDB and S3: throttled': { weight: 3, strike: cutOffAws('throttle') },
  'Temporal cut off': {
    weight: 5,
    async strike(random, scene) {
      const member = victim(random, scene, (one) => !isIn(one, 'temporal'));
      const [ms, mode] = [between(random, 300, leaseMs * 2), pick(random, temporalModes)];
      if (member === undefined) return undefined;
      member.temporal.spoil(mode);
      const over = trouble(member, 'temporal');
      later(
        scene,
        sleep(ms).then(() => {
          member.temporal.mend();
          over();
        }),
      );
      return `${member.name} ${mode} for ${ms} ms`;
    },
  },
  'wall clock jumps': {
    weight: 4,
    async strike(random, scene) {
      const member = victim(random, scene);
      const offsetMs = pick(random, [-3_600_000, 0, 3_600_000]);
      if (member === undefined) return undefined;
      writeFileSync(member.clockFile, String(offsetMs));
      return `${member.name} to ${offsetMs} ms`;
    },
  },
  'pause and resume': {
    weight: 10,
    async strike(random, scene) {
      const [act, ms] = [pick(random, acts), between(random, 100, 1_500)];
      const moment = pick(random, [...moments, 'in a hanging', 'any'] as const); // what matters most is whom a pause meets
      const before = (): Promise<unknown> => (moment === 'any' ? sleep(0) : awaitMoment(moment, scene));
      later(scene, scene.operators.act(act, ms, { before }));
      return `${act}, for ${ms} ms, ${moment} request`;
    },
  },
  'pause and resume while no worker runs': {
    weight: 1,
    async strike(random, scene) {
      const { crew, operators } = scene;
      if (crew.isSentHome) return undefined;
      const ms = between(random, 100, 1_000);
      crew.isSentHome = true;
      const ended = crew.present.map((member) => {
        const how = pick<'kill' | 'stop'>(random, ['kill', 'stop']);
        if (how === 'kill') signal(member.worker.linePid, 'SIGKILL');
        return crew.end(member, how);
      });
      await Promise.all(ended);
      const back = async (): Promise<void> => {
        crew.isSentHome = false;
        await crew.keepUp();
      };
      await operators.act('one', ms, { whilePaused: back });
      return `for ${ms} ms`;
    },
  },
  'restart of Temporal': {
    weight: 1,
    async strike(_random, scene) {
      if (scene.isTemporalRestarting) return undefined;
      scene.isTemporalRestarting = true;
      const over = scene.crew.present.map((member) => trouble(member, 'temporal'));
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
    async strike(_random, { crew }) {
      if (crew.wanted >= 4) return undefined;
      crew.wanted += 1;
      return `${crew.wanted} workers`;
    },
  },
  'a worker leaves': {
    weight: 2,
    async strike(random, scene) {
      const member = anyone(random, scene.crew.present);
      if (scene.crew.wanted <= 2 || member === undefined || isIn(member, 'still')) return undefined;
      scene.crew.wanted -= 1;
      later(scene, scene.crew.end(member, 'stop'));
      return member.name;
    },
  },
} satisfies Record<string, { weight: number; strike: Strike }>;

/** Mostly the holder: the others have nothing to lose. */
function victim(random: Random, { crew }: Scene, suits: (member: Member) => boolean = () => true): Member | undefined {
  const [chance, other] = [random(), random()]; // drawn either way: what comes after must not depend on who is there
  const { holder } = crew;
  if (holder !== undefined && suits(holder) && chance < 0.75) return holder;
  return anyone(() => other, crew.present.filter(suits));
}

const anyone = (random: Random, members: readonly Member[]): Member | undefined => {
  const [first, ...rest] = members;
  return first === undefined ? undefined : pick(random, [first, ...rest]);
};

const moments = ['before', 'in', 'after', 'in a hanging'] as const;

/** Before, in or after a request, or in one that the insurer leaves hanging; any moment when none comes. */
async function awaitMoment(moment: (typeof moments)[number], { day: { insurer } }: Scene): Promise<string> {
  const signal = AbortSignal.timeout(600);
  try {
    if (moment === 'in a hanging') {
      insurer.script({ match: 'any', fault: 'hang' });
      const before = insurer.summary().requests;
      await insurer.until(({ requests, underWay }) => requests > before && underWay > 0, signal);
      await sleep(50); // its head has come
    } else if (moment === 'in') await insurer.until(({ underWay }) => underWay > 0, signal);
    else {
      await insurer.until(({ underWay }) => underWay > 0, signal);
      await insurer.until(({ underWay }) => underWay === 0, signal);
      if (moment === 'before') await sleep(2);
    }
    return `${moment} request`;
  } catch {
    insurer.clearScript(); // not for those to come
    return 'while idle';
  }
}

/** SIGSTOP, and SIGCONT in time. One of the two at once: both for longer than the lease is a machine that stands still. */
function holdStill(scene: Scene, member: Member, whom: 'main process' | 'line process', ms: number): string {
  const pid = whom === 'main process' ? member.worker.pid : member.worker.linePid;
  signal(pid, 'SIGSTOP');
  const over = standsStill(member, whom);
  later(
    scene,
    sleep(ms).then(() => {
      signal(pid, 'SIGCONT');
      over();
    }),
  );
  return `${member.name}${member === scene.crew.holder ? ' (holder)' : ''} for ${ms} ms`;
}

/** @returns ends it */
function standsStill(member: Member, whom: 'main process' | 'line process'): () => void {
  const ends = [trouble(member, 'still'), ...(whom === 'line process' ? [trouble(member, 'deaf')] : [])];
  return () => {
    for (const end of ends) end();
  };
}

/** The line loses its holder now. */
export const lose = (
  { losses, hasWork }: Scene,
  how: Loss['how'],
  member: Member,
  when: Loss['when'] = 'under fire',
): void => {
  losses.push({ how, member, atMs: nowMs(), hadWork: hasWork(), when });
};

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended
  }
}

function later({ underWay }: Scene, work: Promise<unknown>): void {
  underWay.add(work);
  void work.then(
    () => underWay.delete(work),
    () => {}, // stays, and tells whoever waits for all
  );
}
