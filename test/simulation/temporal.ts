import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit, SlotReserveContext } from '@temporalio/worker';
import { type LineFailureType, type LineUpdateInput, pauseUpdate } from '../../core/contract/insurer-line.ts';
import { type Gate, nextReasonEndOf } from '../../core/domain/gate.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { Priority } from '../../core/domain/line.ts';
import { GateError, type GateFault, type GateStore } from '../../core/stores/gate.ts';
import type { InsurerClient } from '../../worker/insurer/insurer-client.ts';
import { LineError, LineWithheld } from '../../worker/line/line-error.ts';
import type { TaskWorker } from '../../worker/line/line-process.ts';
import type { Judge } from './judge.ts';
import { kvnrLetters } from './names.ts';
import type { SimulatedProcess, World } from './world.ts';

/** A machine's link to Temporal. */
export interface TemporalLink {
  isDisconnected: boolean;
}

/** A worker that can take activities of `insurerLine`. */
interface ActivityWorker {
  readonly mainProcess: SimulatedProcess;
  readonly temporalLink: TemporalLink;
  readonly gate: GateStore;
  readonly isStopping: boolean;
}

/** Heartbeat timeout in ms, after which an activity is retried one second later. */
const heartbeatTimeoutMs = 3_000;
const retryMs = 1_000;
const patients = 40;

/**
 * Simulates Temporal as the line sees it: endless tasks for its two queues, and `insurerLine`. That workflow runs each update
 * as an activity of some worker, and retries it until it has an answer.
 */
export class SimulatedTemporal {
  isDown = false;
  readonly #world: World;
  readonly #judge: Judge;
  readonly #workers: () => readonly ActivityWorker[];
  #peopleWaiting = 0;
  /** changeNumber of the newest gate that `insurerLine` has seen */
  #knownChange = 0;
  #cancelTimer = (): void => {};

  constructor(world: World, judge: Judge, workers: () => readonly ActivityWorker[]) {
    this.#world = world;
    this.#judge = judge;
    this.#workers = workers;
  }

  /** Adds an urgent task, for a person who waits. */
  addUrgentTask(): void {
    this.#peopleWaiting += 1;
  }

  personIsServed(process: SimulatedProcess, kvnr: Kvnr): void {
    this.#judge.personIsServed(process, kvnr);
  }

  /** Polls a queue until it has a task and the server is reachable. @returns cancels the poll */
  poll(process: SimulatedProcess, link: TemporalLink, queue: Queue, take: (task: Task) => void): () => void {
    let isOver = false;
    const tryTake = (): void => {
      if (isOver || !process.isAlive) return;
      const hasTask = queue === 'bulk' || this.#peopleWaiting > 0;
      if (this.isDown || link.isDisconnected || !hasTask) {
        this.#world.plan(hasTask ? 100 : 300, tryTake);
        return;
      }
      isOver = true;
      if (queue === 'urgent') this.#peopleWaiting -= 1;
      const priority: Priority = queue === 'urgent' ? 'person' : this.#world.chance(0.02) ? 'list' : 'bulk';
      const kvnr = `${kvnrLetters[queue]}${String(this.#world.whole(0, patients - 1)).padStart(9, '0')}` as Kvnr;
      process.receives(this.#world.between(1, 4), () => take({ priority, kvnr }));
    };
    this.#world.plan(this.#world.between(1, 4), tryTake);
    return () => {
      isOver = true;
    };
  }

  /** Returns a client for the API process. @param onAnswer receives each answer to a pause */
  clientOf(process: SimulatedProcess, link: TemporalLink, onAnswer: (answer: ChangedGate) => void): Client {
    const send = <Answer>(
      work: (tell: (answer: Answer) => void, fail: (error: unknown) => void) => void,
    ): Promise<Answer> =>
      new Promise((resolve, reject) => {
        if (this.isDown || link.isDisconnected) {
          if (this.#world.chance(0.5)) process.receives(2, () => reject(new Error('UNAVAILABLE')));
          return; // or no answer arrives
        }
        this.#world.plan(this.#world.between(1, 5), () =>
          work(
            (answer) => !link.isDisconnected && process.receives(this.#world.between(1, 5), () => resolve(answer)),
            (error) => !link.isDisconnected && process.receives(this.#world.between(1, 5), () => reject(error)),
          ),
        );
      });
    const client = {
      withAbortSignal: <Answer>(_signal: AbortSignal, work: () => Promise<Answer>) => work(),
      workflow: {
        executeUpdateWithStart: (update: string, { args }: { readonly args: [LineUpdateInput] }) =>
          send<ChangedGate>((tell, fail) => this.#update(update === pauseUpdate, args[0], tell, fail)).then(
            (answer) => {
              if (update === pauseUpdate) onAnswer(answer);
              return answer;
            },
          ),
        signalWithStart: () => send<void>((tell) => tell(this.#acknowledgeChanges())),
        getHandle: () => ({ query: () => Promise.reject(new Error('not simulated')) }),
      },
    };
    return client as unknown as Client;
  }

  /** Signals `insurerLine` that the outbox has changes. */
  gateChanged(link: TemporalLink): void {
    if (!this.isDown && !link.isDisconnected) this.#acknowledgeChanges();
  }

  /** Reads all changes and acknowledges them, as the workflow does. */
  #acknowledgeChanges(): void {
    this.#activity(
      async ({ gate }) => {
        const read = await gate.find();
        await gate.acknowledge(Math.max(0, ...read.outbox.map(({ number }) => number)));
        return read;
      },
      (read) => this.#learn(read),
      () => {},
    );
  }

  /** Sets the timer of the workflow, after each gate that it has seen. */
  #learn(gate: Gate): void {
    if (gate.changeNumber < this.#knownChange) return;
    this.#knownChange = gate.changeNumber;
    this.#cancelTimer();
    const end = nextReasonEndOf(gate);
    if (end === undefined) return;
    this.#cancelTimer = this.#world.plan(Math.max(1, Date.parse(end) - this.#world.epochMs), () => {
      const at = new Date(this.#world.epochMs).toISOString();
      this.#activity(
        ({ gate }) => gate.expire(at),
        (ended) => {
          this.#learn(ended);
          this.#acknowledgeChanges();
        },
        () => {},
      );
    });
  }

  #update(
    isPause: boolean,
    { operator: by, reason, seen, until }: LineUpdateInput,
    tell: (answer: ChangedGate) => void,
    fail: (error: unknown) => void,
  ): void {
    if (!isPause) this.#judge.resumeIsRequested(seen);
    this.#activity(
      async ({ gate }, signal) => {
        if (!isPause) return await gate.resume({ by, reason, seen });
        await gate.pause({ by, reason, seen, ...(until !== undefined && { until }) });
        return await gate.awaitSilence(signal);
      },
      (changed) => {
        tell(changedLine(changed));
        this.#learn(changed);
        this.#acknowledgeChanges();
      },
      fail,
    );
  }

  /** Runs an activity in some worker, and retries it in another one until it succeeds or fails permanently. */
  #activity<Answer>(
    work: (worker: ActivityWorker, signal: AbortSignal) => Promise<Answer>,
    tell: (answer: Answer) => void,
    fail: (error: unknown) => void,
  ): void {
    const world = this.#world;
    const able = this.#workers().filter(
      ({ mainProcess, temporalLink }) => mainProcess.isAlive && !temporalLink.isDisconnected,
    );
    const worker = this.isDown ? undefined : world.pick(able);
    const again = (): void => void world.plan(retryMs, () => this.#activity(work, tell, fail));
    if (worker === undefined) {
      again();
      return;
    }
    const { mainProcess, temporalLink } = worker;
    let isOver = false;
    let beatenMs = world.nowMs;
    const cancelled = new AbortController();
    const answered = (say: () => void): void => {
      if (isOver) return;
      isOver = true;
      if (!this.isDown && !temporalLink.isDisconnected) say();
      else world.plan(heartbeatTimeoutMs, again); // the answer is lost, and Temporal gives the task to another worker
    };
    const watch = (): void => {
      if (isOver) return;
      if (mainProcess.isAlive && !mainProcess.isFrozen && !temporalLink.isDisconnected && !this.isDown)
        beatenMs = world.nowMs;
      if (world.nowMs - beatenMs < heartbeatTimeoutMs) return void world.plan(500, watch);
      isOver = true;
      mainProcess.receives(1, () => cancelled.abort(new Error('cancelled')));
      again();
    };
    watch();
    mainProcess.receives(world.between(1, 5), () => {
      work(worker, cancelled.signal).then(
        (answer) => answered(() => tell(answer)),
        (error: unknown) => {
          if (error instanceof GateError && error.fault !== 'unavailable')
            answered(() => fail(ApplicationFailure.nonRetryable(error.fault, failureTypes[error.fault])));
          else answered(again);
        },
      );
    });
  }
}

const failureTypes: Readonly<Record<GateFault, LineFailureType | undefined>> = {
  superseded: 'Superseded',
  'unknown-insurer': 'UnknownInsurer',
  resumed: 'Resumed',
  unavailable: undefined,
};

type ChangedGate = Pick<Gate, 'state' | 'changeNumber' | 'by' | 'since' | 'reason' | 'openReasons'>;
const changedLine = ({ state, changeNumber, by, since, reason, openReasons }: Gate): ChangedGate =>
  ({ state, changeNumber, by, since, reason, openReasons }) as ChangedGate;

type Queue = 'bulk' | 'urgent';
interface Task {
  readonly priority: Priority;
  readonly kvnr: Kvnr;
}

/** Failed requests in one attempt of an activity (worker/activities/line-attempt.ts). A person's has CARE_MAX_ATTEMPTS. */
const failuresPerAttempt = { person: 40, list: 8, bulk: 8 } as const;

/** Takes tasks while there are slots, as the SDK's worker does. */
export function taskWorker({
  world,
  temporal,
  queue,
  insurer,
  process,
  link,
  slots,
}: {
  readonly world: World;
  readonly temporal: SimulatedTemporal;
  readonly queue: Queue;
  readonly insurer: InsurerClient;
  readonly process: SimulatedProcess;
  readonly link: TemporalLink;
  readonly slots: CustomSlotSupplier<ActivitySlotInfo>;
}): TaskWorker {
  const stopping = new AbortController();
  const grace = new AbortController();
  const tasks = new Set<Promise<void>>();

  const carryOut = async ({ priority, kvnr }: Task): Promise<void> => {
    for (let failures = 0; failures < failuresPerAttempt[priority] && !grace.signal.aborted; ) {
      try {
        if (priority === 'list') await insurer.fetchList({}, emptySink, grace.signal);
        else await insurer.fetchCareRecords(kvnr, priority, grace.signal);
        return;
      } catch (error) {
        if (error instanceof LineWithheld) continue;
        if (!(error instanceof LineError)) return; // the line has stopped here
        if (error.fault === 'unauthorized') continue;
        failures += 1;
      }
    }
  };

  const nextTask = (): Promise<Task> =>
    new Promise((resolve, reject) => {
      const cancel = temporal.poll(process, link, queue, resolve);
      stopping.signal.addEventListener('abort', () => {
        cancel();
        reject(stopping.signal.reason);
      });
    });

  const takeTasks = async (): Promise<void> => {
    for (;;) {
      const permit: SlotPermit = await slots.reserveSlot({} as SlotReserveContext, stopping.signal);
      const release = (): void => slots.releaseSlot({ permit } as unknown as Parameters<typeof slots.releaseSlot>[0]);
      try {
        const next = await nextTask();
        const task = carryOut(next).finally(() => {
          tasks.delete(task);
          if (next.priority === 'person') temporal.personIsServed(process, next.kvnr);
          release();
        });
        tasks.add(task);
      } catch (error) {
        release();
        throw error;
      }
    }
  };

  return {
    getState: () => (stopping.signal.aborted ? 'DRAINING' : 'RUNNING'),
    shutdown: () => {
      stopping.abort(new Error('shut down'));
      world.plan(10_000, () => grace.abort(new Error('too late')), process);
    },
    run: async () => {
      await takeTasks().catch(() => {});
      await Promise.all(tasks);
    },
  };
}

const emptySink = {
  answered: () => {},
  begin: () => {},
  write: async () => {},
  page: () => {},
  restart: () => {},
  revert: () => {},
  finish: async () => {},
  receivedBytes: 0,
};
